#include "worker/operators/group_top_n_operator.h"

#include <algorithm>

#include "arrow/array.h"
#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/kernels/array_output.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> GroupTopNOperator::Create(const v1::PlanNode& node) {
  MR_ASSIGN_OR_RETURN(GroupTopNPlan plan, GroupTopNPlan::From(node));
  if (plan.streaming) return InternalError("a top-n that changes needs an operator with state");
  return std::unique_ptr<Operator>(new GroupTopNOperator(std::move(plan)));
}

absl::Status GroupTopNOperator::Open(OperatorContext& op_context) {
  MR_RETURN_IF_ERROR(BoundedOperator::Open(op_context));
  MR_ASSIGN_OR_RETURN(reader_, SortKeyReader::Create(plan_.partition_keys, plan_.order_keys,
                                                     plan_.input, op_context.eval));
  return absl::OkStatus();
}

absl::StatusOr<Progress> GroupTopNOperator::ProcessBatch(InputIndex, Batch batch, Emitter&) {
  MR_RETURN_IF_ERROR(reader_->Read(batch));
  buffer_.Append(batch, reader_->keys(), &reader_->split());
  if (buffer_.num_rows() >= prune_rows_) {
    Prune();
    // Sorting again and again what cannot be thrown away must not cost more than it saves.
    prune_rows_ = std::max(prune_rows_, 2 * buffer_.num_rows());
  }
  MR_RETURN_IF_ERROR(HoldBytes(buffer_.bytes()));
  return Progress::kDone;
}

void GroupTopNOperator::Prune() {
  const absl::Span<const uint32_t> order = buffer_.Sort();
  std::vector<uint32_t> kept;
  numbers_.Clear();
  int64_t number = 0;
  for (uint32_t i = 0; i < order.size(); ++i) {
    const bool starts = i == 0 || buffer_.LeadingKey(order[i]) != buffer_.LeadingKey(order[i - 1]);
    number = starts ? 1 : number + 1;
    if (number > static_cast<int64_t>(std::min<uint64_t>(plan_.limit, INT64_MAX))) continue;
    kept.push_back(i);
    numbers_.PushBack(number);
  }
  buffer_.Keep(kept);
}

absl::StatusOr<Progress> GroupTopNOperator::ProcessEnd(InputIndex, Emitter& out) {
  Prune();
  // The kept rows are stored in order; sorting them again tells the buffer so.
  buffer_.Sort();
  return Resume(out);
}

absl::StatusOr<Progress> GroupTopNOperator::Resume(Emitter& out) {
  while (next_row_ < numbers_.size()) {
    if (out.full()) return Progress::kMore;
    const uint32_t n = buffer_.RowsWithinBatch(next_row_, kTargetBatchRows);
    const Batch rows = buffer_.OrderedBatch(next_row_, n);
    auto columns = rows.columns();
    if (plan_.with_number) {
      FlatVector<int64_t> numbers;
      numbers.Append(numbers_.data() + next_row_, n);
      columns.push_back(MakeInt64Array(std::move(numbers)));
    }
    out.Emit(Batch(std::move(columns), n));
    next_row_ += n;
  }
  return Progress::kDone;
}

}  // namespace millrace
