#pragma once

#include <cstdint>
#include <vector>

#include "common/types/batch.h"
#include "worker/kernels/column_view.h"

namespace millrace {

// What a dictionary column counts: its codes, or the text that they stand for.
enum class DictionaryBytes { kCodes, kText };

// How many bytes the rows of a batch have when they are copied. Borrows the batch's columns.
class RowBytes {
 public:
  RowBytes(const Batch& batch, DictionaryBytes dictionaries);

  int64_t at(int64_t row) const {
    int64_t bytes = fixed_;
    for (const ColumnView& text : texts_) bytes += text.offsets[row + 1] - text.offsets[row];
    for (const ColumnView& text : encoded_) {
      if (!text.IsNull(row)) bytes += static_cast<int64_t>(text.Text(row).size());
    }
    return bytes;
  }
  // No row has more; found without a look at codes.
  int64_t max() const;
  // `num_rows` rows from `begin` on have no more together; costs nothing for a row.
  int64_t total_max(int64_t begin, int64_t num_rows) const;

 private:
  const int64_t num_rows_;
  // Of a row, without text.
  int64_t fixed_ = 0;
  std::vector<ColumnView> texts_;
  std::vector<ColumnView> encoded_;
};

// How many of the batch's rows from `begin` on have about kMaxBatchBytes at most, dictionaries
// counted as text; at least one if there is one.
int64_t RowsWithinBatch(const Batch& batch, int64_t begin, int64_t rows_max);

}  // namespace millrace
