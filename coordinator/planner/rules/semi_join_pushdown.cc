#include "coordinator/planner/rules/semi_join_pushdown.h"

#include <optional>
#include <utility>
#include <vector>

#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

// A semi join is worth moving if it keeps less than this share of the side's rows, …
constexpr double kKeptShareMax = 0.2;
// … or if the side has less than this share of the join's rows, so that fewer are to be tested.
constexpr double kTestedShareMax = 0.5;

// The semi join with `side` as its left input, whose columns are [begin, begin + width) of the old
// left input; null if the condition speaks of others, or if it would keep too many rows.
LogicalPtr SemiJoinOn(const LogicalJoin& semi, const LogicalPtr& side, int begin,
                      const CardinalityEstimator& estimator) {
  const int old_width = Width(*semi.inputs[0]);
  const int width = Width(*side);
  std::vector<int> mapping(old_width, -1);
  for (int i = 0; i < width; ++i) mapping[begin + i] = i;
  for (int i = 0; i < Width(*semi.inputs[1]); ++i) mapping.push_back(width + i);
  bool fits = !IsVolatile(*semi.condition) && FailureOf(*semi.condition) != Failure::kData;
  ForEachColumn(*semi.condition, [&](int column) { fits &= mapping[column] >= 0; });
  if (!fits) return nullptr;
  const LogicalPtr moved =
      MakeJoin(JoinType::kSemi, side, semi.inputs[1], {RemapColumns(semi.condition, mapping)});
  const double kept = estimator.EstimateOf(*moved).rows;
  const double side_rows = estimator.EstimateOf(*side).rows;
  const double joined_rows = estimator.EstimateOf(*semi.inputs[0]).rows;
  const bool worth = kept < kKeptShareMax * side_rows || side_rows < kTestedShareMax * joined_rows;
  return worth ? moved : nullptr;
}

LogicalPtr PushOne(const LogicalPtr& node, const CardinalityEstimator& estimator) {
  if (node->kind != LogicalKind::kJoin) return node;
  const auto& semi = As<LogicalJoin>(*node);
  const LogicalNode& below = *semi.inputs[0];
  const bool fits = semi.type == JoinType::kSemi && semi.condition != nullptr &&
                    below.kind == LogicalKind::kJoin &&
                    As<LogicalJoin>(below).type == JoinType::kInner;
  if (!fits) return node;
  const int left_width = Width(*below.inputs[0]);
  for (const size_t side : {0, 1}) {
    const LogicalPtr moved =
        SemiJoinOn(semi, below.inputs[side], side == 0 ? 0 : left_width, estimator);
    if (moved == nullptr) continue;
    std::vector<LogicalPtr> inputs = below.inputs;
    inputs[side] = PushOne(moved, estimator);
    return WithInputs(semi.inputs[0], std::move(inputs));
  }
  return node;
}

}  // namespace

LogicalPtr PushDownSemiJoins(const LogicalPtr& node, const CardinalityEstimator& estimator) {
  return RewriteBottomUp(node,
                         [&](const LogicalPtr& visited) { return PushOne(visited, estimator); });
}

}  // namespace millrace
