#include "coordinator/planner/rules/join_build_side.h"

#include <utility>
#include <vector>

#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

JoinType Mirrored(JoinType type) {
  if (type == JoinType::kLeft) return JoinType::kRight;
  return type == JoinType::kRight ? JoinType::kLeft : type;
}

// Whether the left side is worth being held in memory instead. A join that comes out as LEFT can
// send its right side to every task, one that comes out as RIGHT cannot, so that exchange needs a
// clearer gain.
bool LeftIsSmaller(const LogicalJoin& join, const CardinalityEstimator& estimator) {
  const Estimate left = estimator.EstimateOf(*join.inputs[0]);
  const Estimate right = estimator.EstimateOf(*join.inputs[1]);
  if (!left.known) return false;
  const double margin = join.type == JoinType::kLeft ? 2 : 1;
  return left.rows * margin < right.rows;
}

LogicalPtr SwapSides(const LogicalJoin& join) {
  const int left_width = Width(*join.inputs[0]);
  const int right_width = Width(*join.inputs[1]);
  // mapping[old position] = new position.
  std::vector<int> mapping = ShiftMapping(left_width, right_width);
  for (int i = 0; i < right_width; ++i) mapping.push_back(i);
  std::vector<ExprPtr> conjuncts;
  if (join.condition != nullptr) conjuncts = {RemapColumns(join.condition, mapping)};
  return MakeColumnProject(MakeJoin(Mirrored(join.type), join.inputs[1], join.inputs[0], conjuncts),
                           mapping);
}

}  // namespace

LogicalPtr ChooseBuildSides(const LogicalPtr& node, const CardinalityEstimator& estimator) {
  return RewriteBottomUp(node, [&](const LogicalPtr& visited) {
    if (visited->kind != LogicalKind::kJoin) return visited;
    const auto& join = As<LogicalJoin>(*visited);
    if (!OutputsBothSides(join.type) || !LeftIsSmaller(join, estimator)) return visited;
    return SwapSides(join);
  });
}

}  // namespace millrace
