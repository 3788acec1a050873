#include "coordinator/planner/rules/stream_not_in.h"

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

// One row: NULL if `values` is empty, else whether `value` is NULL in one of its rows.
absl::StatusOr<LogicalPtr> AnyNull(const LogicalPtr& values, const ExprPtr& value) {
  const SqlType boolean = SqlType::Of(TypeId::kBoolean);
  MR_ASSIGN_OR_RETURN(ExprPtr is_null, BuildIsTest("null", value, 0));
  auto any = std::make_shared<LogicalAggregate>();
  any->inputs = {MakeProject(values, {std::move(is_null)}, {{"is_null", boolean}})};
  AggregateCall call;
  call.function = AggregateFunction::kBoolOr;
  call.args = {0};
  call.type = boolean;
  any->aggregates = {call};
  any->output = {{"any_null", boolean}};
  return any;
}

// The join as two anti joins.
absl::StatusOr<LogicalPtr> Split(const LogicalJoin& join) {
  const LogicalPtr& left = join.inputs[0];
  const LogicalPtr& right = join.inputs[1];
  const int left_width = Width(*left);
  const int width = left_width + Width(*right);
  const Expr& equality = *join.condition;
  const bool swapped = !ColumnsWithin(*equality.args[0], 0, left_width);
  const ExprPtr& operand = equality.args[swapped ? 1 : 0];
  const ExprPtr value =
      RemapColumns(equality.args[swapped ? 0 : 1], ShiftMapping(width, -left_width));
  MR_ASSIGN_OR_RETURN(LogicalPtr any_null, AnyNull(right, value));
  const ExprPtr found = MakeColumn(left_width, any_null->output[0].type);
  MR_ASSIGN_OR_RETURN(ExprPtr has_rows, BuildIsTest("not_null", found, 0));
  MR_ASSIGN_OR_RETURN(ExprPtr is_null, BuildIsTest("null", operand, 0));
  MR_ASSIGN_OR_RETURN(ExprPtr unknown, BuildAnd({std::move(has_rows), std::move(is_null)}, 0));
  MR_ASSIGN_OR_RETURN(ExprPtr refused, BuildOr({found, std::move(unknown)}, 0));
  LogicalPtr unmatched = MakeJoin(JoinType::kAnti, left, right, {join.condition});
  return MakeJoin(JoinType::kAnti, std::move(unmatched), std::move(any_null), {std::move(refused)});
}

LogicalPtr SplitNotIn(const LogicalPtr& node) {
  if (node->kind != LogicalKind::kJoin) return node;
  const auto& join = As<LogicalJoin>(*node);
  if (join.type != JoinType::kNullAwareAnti || join.condition == nullptr) return node;
  if (!IsEquality(*join.condition) || IsVolatile(*join.condition)) return node;
  const int left_width = Width(*join.inputs[0]);
  const int width = left_width + Width(*join.inputs[1]);
  const ExprPtr& a = join.condition->args[0];
  const ExprPtr& b = join.condition->args[1];
  const bool sides = (ColumnsWithin(*a, 0, left_width) && ColumnsWithin(*b, left_width, width)) ||
                     (ColumnsWithin(*b, 0, left_width) && ColumnsWithin(*a, left_width, width));
  if (!sides) return node;
  absl::StatusOr<LogicalPtr> split = Split(join);
  return split.ok() ? *std::move(split) : node;
}

}  // namespace

LogicalPtr SplitStreamNotIn(const LogicalPtr& node) { return RewriteBottomUp(node, SplitNotIn); }

}  // namespace millrace
