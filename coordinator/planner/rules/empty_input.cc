#include "coordinator/planner/rules/empty_input.h"

#include <utility>
#include <vector>

#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

// The left rows, with NULLs where the right columns were.
LogicalPtr WithNullsOnTheRight(const LogicalJoin& join) {
  const LogicalPtr& left = join.inputs[0];
  std::vector<ExprPtr> exprs = ColumnRefs(left->output);
  for (size_t i = left->output.size(); i < join.output.size(); ++i) {
    exprs.push_back(MakeLiteral(Value::Null(join.output[i].type)));
  }
  return MakeProject(left, std::move(exprs), join.output);
}

LogicalPtr SimplifyJoin(const LogicalPtr& node) {
  const auto& join = As<LogicalJoin>(*node);
  const bool no_left = GivesNoRows(*join.inputs[0]);
  const bool no_right = GivesNoRows(*join.inputs[1]);
  switch (join.type) {
    case JoinType::kInner:
    case JoinType::kSemi:
      return no_left || no_right ? MakeNoRows(join.output) : node;
    case JoinType::kLeft:
      if (no_left) return MakeNoRows(join.output);
      return no_right ? WithNullsOnTheRight(join) : node;
    case JoinType::kAnti:
    case JoinType::kNullAwareAnti:
      if (no_left) return MakeNoRows(join.output);
      return no_right ? join.inputs[0] : node;
    case JoinType::kRight:
      return no_right ? MakeNoRows(join.output) : node;
    case JoinType::kFull:
      return no_left && no_right ? MakeNoRows(join.output) : node;
  }
  return node;
}

LogicalPtr SimplifyUnion(const LogicalPtr& node) {
  std::vector<LogicalPtr> kept;
  for (const LogicalPtr& input : node->inputs) {
    if (!GivesNoRows(*input)) kept.push_back(input);
  }
  if (kept.empty()) return MakeNoRows(node->output);
  if (kept.size() == 1) return kept[0];
  return WithInputs(node, std::move(kept));
}

LogicalPtr Simplify(const LogicalPtr& node) {
  switch (node->kind) {
    case LogicalKind::kScan:
    case LogicalKind::kValues:
      return node;
    case LogicalKind::kJoin:
      return SimplifyJoin(node);
    case LogicalKind::kUnionAll:
      return SimplifyUnion(node);
    case LogicalKind::kAggregate:
      // Without keys there is a row also for no input.
      if (As<LogicalAggregate>(*node).keys.empty()) return node;
      break;
    default:
      break;
  }
  return GivesNoRows(*node->inputs[0]) ? MakeNoRows(node->output) : node;
}

}  // namespace

LogicalPtr RemoveEmptyInputs(const LogicalPtr& node) { return RewriteBottomUp(node, Simplify); }

}  // namespace millrace
