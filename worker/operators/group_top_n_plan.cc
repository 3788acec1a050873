#include "worker/operators/group_top_n_plan.h"

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {

absl::StatusOr<GroupTopNPlan> GroupTopNPlan::From(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  const v1::GroupTopNNode& top_n = node.group_top_n();
  GroupTopNPlan plan;
  plan.input = InputSchema(node, 0);
  plan.types = InputTypes(node, 0);
  plan.partition_keys = ColumnsOf(top_n.partition_keys());
  MR_ASSIGN_OR_RETURN(plan.order_keys, SortKeysOf(top_n.order_keys()));
  plan.limit = top_n.limit();
  plan.with_number = top_n.with_number();
  plan.streaming = node.changing();
  if (node.inputs(0).changing() && !plan.streaming) {
    return InternalError("top-n of each group over changing input must change itself");
  }
  return plan;
}

}  // namespace millrace
