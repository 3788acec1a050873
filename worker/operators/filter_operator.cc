#include "worker/operators/filter_operator.h"

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> FilterOperator::Create(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  MR_ASSIGN_OR_RETURN(ExprPtr predicate, FromProto(node.filter().predicate()));
  return std::unique_ptr<Operator>(new FilterOperator(std::move(predicate), InputSchema(node, 0)));
}

absl::Status FilterOperator::Open(OperatorContext& context) {
  MR_ASSIGN_OR_RETURN(evaluator_, Evaluator::Create({predicate_}, input_, context.eval));
  return absl::OkStatus();
}

absl::StatusOr<Progress> FilterOperator::ProcessBatch(InputIndex, Batch batch, Emitter& out) {
  MR_RETURN_IF_ERROR(evaluator_->Select(batch, &selected_));
  const auto num_selected = static_cast<int64_t>(selected_.size());
  if (num_selected == batch.num_rows()) {
    out.Emit(std::move(batch));
  } else if (num_selected > 0) {
    MR_ASSIGN_OR_RETURN(Batch taken, TakeRows(batch, selected_.data(), num_selected));
    out.Emit(std::move(taken));
  }
  return Progress::kDone;
}

}  // namespace millrace
