#include "worker/operators/top_n_operator.h"

#include <algorithm>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> TopNOperator::Create(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  if (node.inputs(0).changing()) {
    return NotSupported("ORDER BY with LIMIT over rows that may be taken back");
  }
  const v1::TopNNode& top_n = node.top_n();
  MR_ASSIGN_OR_RETURN(std::vector<SortKey> keys, SortKeysOf(top_n.keys()));
  const uint64_t rows = std::min<uint64_t>(top_n.limit(), UINT64_MAX - top_n.offset());
  return std::unique_ptr<Operator>(
      new TopNOperator(std::move(keys), InputSchema(node, 0),
                       TopNBuffer(InputTypes(node, 0), rows + top_n.offset()), top_n.offset()));
}

absl::Status TopNOperator::Open(OperatorContext& op_context) {
  MR_RETURN_IF_ERROR(BoundedOperator::Open(op_context));
  MR_ASSIGN_OR_RETURN(reader_, SortKeyReader::Create({}, keys_, input_, op_context.eval));
  return absl::OkStatus();
}

absl::StatusOr<Progress> TopNOperator::ProcessBatch(InputIndex, Batch batch, Emitter&) {
  MR_RETURN_IF_ERROR(reader_->Read(batch));
  buffer_.Add(batch, reader_->keys());
  MR_RETURN_IF_ERROR(HoldBytes(buffer_.bytes()));
  return Progress::kDone;
}

absl::StatusOr<Progress> TopNOperator::ProcessEnd(InputIndex, Emitter& out) {
  buffer_.Finish();
  return Resume(out);
}

absl::StatusOr<Progress> TopNOperator::Resume(Emitter& out) {
  while (next_ < buffer_.num_rows()) {
    if (out.full()) return Progress::kMore;
    const auto begin = static_cast<uint32_t>(next_);
    const uint32_t n = buffer_.RowsWithinBatch(begin, kTargetBatchRows);
    out.Emit(buffer_.OrderedBatch(begin, n));
    next_ += n;
  }
  return Progress::kDone;
}

}  // namespace millrace
