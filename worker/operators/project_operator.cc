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
  if (evaluator_ == nullptr) {
    // Without columns (count(*) above) only the number of rows matters.
    out.Emit(batch.WithColumns({}));
    return Progress::kDone;
  }
  batch_ = std::move(batch);
  next_row_ = 0;
  return Resume(out);
}

absl::StatusOr<Progress> ProjectOperator::Resume(Emitter& out) {
  while (next_row_ < batch_.num_rows()) {
    if (out.full()) return Progress::kMore;
    int64_t num_rows = 0;
    MR_ASSIGN_OR_RETURN(auto columns, evaluator_->EvaluateSome(batch_, next_row_, &num_rows));
    const bool all = num_rows == batch_.num_rows();
    const Batch rows = all ? batch_ : batch_.WithColumns({}).Slice(next_row_, num_rows);
    out.Emit(rows.WithColumns(std::move(columns)));
    next_row_ += num_rows;
  }
  batch_ = Batch();
  next_row_ = 0;
  return Progress::kDone;
}

}  // namespace millrace
