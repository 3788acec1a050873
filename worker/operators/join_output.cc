#include "worker/operators/join_output.h"

#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/evaluator.h"
#include "worker/kernels/array_output.h"

namespace millrace {

absl::StatusOr<Batch> TakeOrShare(const Batch& batch, const std::vector<int32_t>& rows) {
  const auto n = static_cast<int64_t>(rows.size());
  bool all = n == batch.num_rows();
  for (int64_t i = 0; all && i < n; ++i) all = rows[i] == i;
  if (all) return batch;
  return TakeRows(batch, rows.data(), n);
}

absl::StatusOr<Batch> JoinRows(const Batch& left, const std::vector<int32_t>& left_rows,
                               const ColumnStore& right, const std::vector<uint32_t>& right_rows) {
  MR_ASSIGN_OR_RETURN(const Batch taken, TakeOrShare(left, left_rows));
  std::vector<std::shared_ptr<arrow::Array>> columns = taken.columns();
  for (int c = 0; c < right.num_columns(); ++c) columns.push_back(right.Gather(c, right_rows));
  return taken.WithColumns(std::move(columns));
}

size_t PairRoom::Measure(int32_t row, absl::Span<const uint32_t> stored) {
  const int64_t row_bytes = row_bytes_.at(row);
  size_t n = 0;
  for (; n < stored.size() && bytes_ < kMaxBatchBytes; ++n) {
    bytes_ += row_bytes + stored_->RowBytes(stored[n]);
  }
  return n;
}

std::vector<uint32_t> NextUnmatched(const ColumnStore& stored, const std::vector<uint8_t>& matched,
                                    uint32_t* next) {
  const bool measures = stored.row_bytes_max() * kTargetBatchRows > kMaxBatchBytes;
  std::vector<uint32_t> rows;
  int64_t bytes = 0;
  while (*next < stored.num_rows() && bytes < kMaxBatchBytes &&
         static_cast<int64_t>(rows.size()) < kTargetBatchRows) {
    const uint32_t row = (*next)++;
    if (matched[row] != 0) continue;
    rows.push_back(row);
    if (measures) bytes += stored.RowBytes(row);
  }
  return rows;
}

Batch UnmatchedRight(const Schema& left, const ColumnStore& right,
                     const std::vector<uint32_t>& rows) {
  const auto n = static_cast<int64_t>(rows.size());
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const Field& field : left) columns.push_back(MakeNullArray(field.type, n));
  for (int c = 0; c < right.num_columns(); ++c) columns.push_back(right.Gather(c, rows));
  return Batch(std::move(columns), n);
}

}  // namespace millrace
