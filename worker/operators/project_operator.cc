#include "worker/operators/project_operator.h"

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> ProjectOperator::Create(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> exprs, ExprsOf(node.project().exprs()));
  return std::unique_ptr<Operator>(new ProjectOperator(std::move(exprs), InputSchema(node, 0)));
}

absl::Status ProjectOperator::Open(OperatorContext& context) {
  if (exprs_.empty()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(evaluator_, Evaluator::Create(exprs_, input_, context.eval));
  return absl::OkStatus();
}

absl::StatusOr<Progress> ProjectOperator::ProcessBatch(InputIndex, Batch batch, Emitter& out) {
  // Without columns (count(*) above) only the number of rows matters.
  std::vector<std::shared_ptr<arrow::Array>> columns;
  if (evaluator_ != nullptr) {
    MR_ASSIGN_OR_RETURN(columns, evaluator_->Evaluate(batch));
  }
  out.Emit(batch.WithColumns(std::move(columns)));
  return Progress::kDone;
}

}  // namespace millrace
