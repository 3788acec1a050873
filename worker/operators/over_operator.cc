#include "worker/operators/over_operator.h"

#include <algorithm>
#include <optional>

#include "arrow/array.h"
#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/kernels/row_bytes.h"
#include "worker/operators/over_evaluation.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> OverOperator::Create(const v1::PlanNode& node) {
  MR_ASSIGN_OR_RETURN(OverPlan plan, OverPlan::From(node));
  if (plan.event_time) return InternalError("OVER in event time waits for watermarks");
  if (node.inputs(0).changing()) return NotSupported("OVER on rows that may be taken back");
  return std::unique_ptr<Operator>(new OverOperator(std::move(plan)));
}

absl::Status OverOperator::Open(OperatorContext& op_context) {
  MR_RETURN_IF_ERROR(BoundedOperator::Open(op_context));
  MR_ASSIGN_OR_RETURN(reader_, SortKeyReader::Create(plan_.partition_keys, plan_.order_keys,
                                                     plan_.input, op_context.eval));
  return absl::OkStatus();
}

absl::StatusOr<Progress> OverOperator::ProcessBatch(InputIndex, Batch batch, Emitter&) {
  MR_RETURN_IF_ERROR(reader_->Read(batch));
  buffer_.Append(batch, reader_->keys(), &reader_->split());
  MR_RETURN_IF_ERROR(HoldBytes(buffer_.bytes()));
  return Progress::kDone;
}

absl::StatusOr<Progress> OverOperator::ProcessEnd(InputIndex, Emitter& out) {
  order_ = buffer_.Sort();
  return Resume(out);
}

absl::StatusOr<Progress> OverOperator::Resume(Emitter& out) {
  while (results_.num_rows() > 0 || next_row_ < order_.size()) {
    if (out.full()) return Progress::kMore;
    if (results_.num_rows() == 0) MR_RETURN_IF_ERROR(EvaluateNextPartitions());
    const int64_t rest = results_.num_rows();
    const int64_t rows_max = RowsWithinBatch(results_, 0, std::min(kTargetBatchRows, rest));
    const uint32_t n = buffer_.RowsWithinBatch(next_out_, rows_max);
    auto columns = buffer_.OrderedBatch(next_out_, n).columns();
    const Batch results = results_.Slice(0, n);
    columns.insert(columns.end(), results.columns().begin(), results.columns().end());
    out.Emit(Batch(std::move(columns), n));
    results_ = results_.Slice(n, rest - n);
    next_out_ += n;
    if (n == rest) MR_RETURN_IF_ERROR(HoldWithResults(0));
  }
  return Progress::kDone;
}

absl::Status OverOperator::EvaluateNextPartitions() {
  FlatVector<uint8_t> new_partition;
  FlatVector<uint8_t> new_peer;
  const uint32_t begin = next_row_;
  const bool measures = buffer_.rows().row_bytes_max() * kTargetBatchRows > kMaxBatchBytes;
  int64_t bytes = 0;
  for (; next_row_ < order_.size(); ++next_row_) {
    const uint32_t row = order_[next_row_];
    const bool first = next_row_ == begin;
    const uint32_t before = first ? row : order_[next_row_ - 1];
    const bool starts = first || buffer_.LeadingKey(row) != buffer_.LeadingKey(before);
    // Partitions are not torn apart.
    if (starts && (next_row_ - begin >= kTargetBatchRows || bytes > kMaxBatchBytes)) break;
    if (measures) bytes += buffer_.rows().RowBytes(row);
    new_partition.PushBack(starts ? 1 : 0);
    new_peer.PushBack(starts || buffer_.Key(row) != buffer_.Key(before) ? 1 : 0);
  }
  const absl::Span<const uint32_t> order = order_.subspan(begin, next_row_ - begin);
  const std::vector<bool> is_needed = ColumnsOfCalls(plan_);
  const auto num_rows = static_cast<int64_t>(order.size());
  int64_t text_bytes = 0;
  for (int c = 0; c < buffer_.rows().num_columns(); ++c) {
    if (is_needed[c]) text_bytes += buffer_.rows().TextBytes(c, order);
  }
  MR_RETURN_IF_ERROR(HoldWithResults(text_bytes));
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (int c = 0; c < buffer_.rows().num_columns(); ++c) {
    columns.push_back(is_needed[c] ? buffer_.rows().Gather(c, order)
                                   : std::make_shared<arrow::NullArray>(num_rows));
  }
  const Batch rows(std::move(columns), num_rows);
  MR_ASSIGN_OR_RETURN(
      const Batch all,
      EvaluateOver(plan_, rows, WindowChunk::Of(new_partition, new_peer), reader_.get()));
  const auto first_result = all.columns().begin() + rows.num_columns();
  results_ = Batch({first_result, all.columns().end()}, rows.num_rows());
  return HoldWithResults(results_.ByteSize());
}

absl::Status OverOperator::HoldWithResults(int64_t bytes) {
  return HoldBytes(buffer_.bytes() + (bytes > kMaxBatchBytes ? bytes : 0));
}

}  // namespace millrace
