#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/row_bytes.h"

namespace millrace {

// The rows `rows` of a batch, which shares its columns if they are all of them in order.
absl::StatusOr<Batch> TakeOrShare(const Batch& batch, const std::vector<int32_t>& rows);

// Rows of `left` beside stored rows (kNoRow: NULLs). Weights of `left` pass through.
absl::StatusOr<Batch> JoinRows(const Batch& left, const std::vector<int32_t>& left_rows,
                               const ColumnStore& right, const std::vector<uint32_t>& right_rows);

// Counts pairs (row of a batch, stored row) until they are enough for one batch of output:
// kTargetBatchRows, or about kMaxBatchBytes. Rows that are small are not measured. Borrows both
// sides; rows that are stored later do not count.
class PairRoom {
 public:
  PairRoom(const Batch& batch, const ColumnStore& stored)
      : stored_(&stored),
        row_bytes_(batch, DictionaryBytes::kCodes),
        measures_((row_bytes_.max() + stored.row_bytes_max()) * kTargetBatchRows > kMaxBatchBytes) {
  }

  // Another batch of output begins.
  void Clear() { num_pairs_ = bytes_ = 0; }
  bool full() const { return num_pairs_ >= kTargetBatchRows || bytes_ >= kMaxBatchBytes; }
  // Takes pairs of `row` with the first of `stored` until it is full; how many it took.
  size_t Take(int32_t row, absl::Span<const uint32_t> stored) {
    const auto room = static_cast<size_t>(kTargetBatchRows - num_pairs_);
    size_t n = std::min(room, stored.size());
    if (measures_) n = Measure(row, stored.first(n));
    num_pairs_ += static_cast<int64_t>(n);
    return n;
  }

 private:
  size_t Measure(int32_t row, absl::Span<const uint32_t> stored);

  const ColumnStore* stored_;
  RowBytes row_bytes_;
  bool measures_;
  int64_t num_pairs_ = 0;
  int64_t bytes_ = 0;
};

// The stored rows from *next on that are not marked in `matched`, as many as make a batch of
// output; *next goes behind them.
std::vector<uint32_t> NextUnmatched(const ColumnStore& stored, const std::vector<uint8_t>& matched,
                                    uint32_t* next);

// Stored rows beside NULLs for the columns of `left`.
Batch UnmatchedRight(const Schema& left, const ColumnStore& right,
                     const std::vector<uint32_t>& rows);

}  // namespace millrace
