#include "worker/operators/join_plan.h"

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

absl::StatusOr<JoinKind> KindOf(v1::JoinType type) {
  switch (type) {
    case v1::JOIN_TYPE_INNER:
      return JoinKind::kInner;
    case v1::JOIN_TYPE_LEFT:
      return JoinKind::kLeft;
    case v1::JOIN_TYPE_RIGHT:
      return JoinKind::kRight;
    case v1::JOIN_TYPE_FULL:
      return JoinKind::kFull;
    case v1::JOIN_TYPE_SEMI:
      return JoinKind::kSemi;
    case v1::JOIN_TYPE_ANTI:
      return JoinKind::kAnti;
    case v1::JOIN_TYPE_NULL_AWARE_ANTI:
      return JoinKind::kNullAwareAnti;
    default:
      return InternalError("join without a type");
  }
}

std::vector<SqlType> TypesOfSchema(const Schema& schema) {
  std::vector<SqlType> types;
  for (const Field& field : schema) types.push_back(field.type);
  return types;
}

}  // namespace

absl::StatusOr<JoinPlan> JoinPlan::From(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 2));
  JoinPlan plan;
  plan.left = InputSchema(node, 0);
  plan.right = InputSchema(node, 1);
  plan.left_changing = node.inputs(0).changing();
  plan.right_changing = node.inputs(1).changing();
  plan.changing = node.changing();
  if (node.has_nested_loop_join()) {
    const v1::NestedLoopJoinNode& join = node.nested_loop_join();
    MR_ASSIGN_OR_RETURN(plan.kind, KindOf(join.type()));
    if (!join.has_condition()) return plan;
    MR_ASSIGN_OR_RETURN(plan.condition, FromProto(join.condition()));
    return plan;
  }
  const v1::HashJoinNode& join = node.hash_join();
  MR_ASSIGN_OR_RETURN(plan.kind, KindOf(join.type()));
  plan.left_keys = ColumnsOf(join.left_keys());
  plan.right_keys = ColumnsOf(join.right_keys());
  if (plan.left_keys.size() != plan.right_keys.size() || plan.left_keys.empty()) {
    return InternalError("the two sides of a join have different numbers of keys");
  }
  plan.symmetric = join.symmetric();
  if (join.has_window_end_key()) plan.window_end_key = static_cast<int>(join.window_end_key());
  if (!join.has_residual()) return plan;
  if (plan.kind == JoinKind::kNullAwareAnti) {
    return NotSupported("NOT IN with a subquery that depends on the outer row");
  }
  MR_ASSIGN_OR_RETURN(plan.condition, FromProto(join.residual()));
  return plan;
}

std::vector<SqlType> JoinPlan::left_types() const { return TypesOfSchema(left); }
std::vector<SqlType> JoinPlan::right_types() const { return TypesOfSchema(right); }

absl::StatusOr<std::unique_ptr<Evaluator>> JoinPlan::MakeEvaluator(
    const EvalContext& context) const {
  if (condition == nullptr) return std::unique_ptr<Evaluator>();
  Schema both = left;
  both.insert(both.end(), right.begin(), right.end());
  return Evaluator::Create({condition}, both, context);
}

}  // namespace millrace
