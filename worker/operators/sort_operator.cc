#include "worker/operators/sort_operator.h"

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> SortOperator::Create(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  MR_ASSIGN_OR_RETURN(std::vector<SortKey> keys, SortKeysOf(node.sort().keys()));
  return std::unique_ptr<Operator>(
      new SortOperator(std::move(keys), InputSchema(node, 0), InputTypes(node, 0)));
}

absl::Status SortOperator::Open(OperatorContext& op_context) {
  MR_RETURN_IF_ERROR(BoundedOperator::Open(op_context));
  MR_ASSIGN_OR_RETURN(reader_, SortKeyReader::Create({}, keys_, input_, op_context.eval));
  return absl::OkStatus();
}

absl::StatusOr<Progress> SortOperator::ProcessBatch(InputIndex, Batch batch, Emitter&) {
  MR_RETURN_IF_ERROR(reader_->Read(batch));
  buffer_.Append(batch, reader_->keys());
  MR_RETURN_IF_ERROR(HoldBytes(buffer_.bytes()));
  return Progress::kDone;
}

absl::StatusOr<Progress> SortOperator::ProcessEnd(InputIndex, Emitter& out) {
  buffer_.Sort();
  return Resume(out);
}

absl::StatusOr<Progress> SortOperator::Resume(Emitter& out) {
  while (emitted_ < buffer_.num_rows()) {
    if (out.full()) return Progress::kMore;
    const uint32_t n = buffer_.RowsWithinBatch(emitted_, kTargetBatchRows);
    out.Emit(buffer_.OrderedBatch(emitted_, n));
    emitted_ += n;
  }
  return Progress::kDone;
}

}  // namespace millrace
