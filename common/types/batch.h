#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "arrow/type_fwd.h"

namespace millrace {

// Rows of a relation: immutable Arrow arrays of equal length, and for changing relations one weight
// a row (+1 adds the row, −1 takes it back; an update is −old, +new; other values are
// multiplicities; never 0). No weights = all +1. Columns follow the plan's schema, which a batch
// does not carry: column i has ToArrowType(field i), or a dictionary of utf8 with int32 indices
// where the field is a string. Cheap to copy; safe to share between threads.
class Batch {
 public:
  Batch() = default;
  Batch(std::vector<std::shared_ptr<arrow::Array>> columns, int64_t num_rows,
        std::shared_ptr<arrow::Int64Array> weights = nullptr)
      : columns_(std::move(columns)), num_rows_(num_rows), weights_(std::move(weights)) {}

  int64_t num_rows() const { return num_rows_; }
  int num_columns() const { return static_cast<int>(columns_.size()); }
  const std::shared_ptr<arrow::Array>& column(int i) const { return columns_[i]; }
  const std::vector<std::shared_ptr<arrow::Array>>& columns() const { return columns_; }

  // Null = all +1.
  const std::shared_ptr<arrow::Int64Array>& weights() const { return weights_; }
  // The weights' values, or null for all +1.
  const int64_t* raw_weights() const;

  // Rows [offset, offset + length), without a copy.
  Batch Slice(int64_t offset, int64_t length) const;
  // The same rows with other columns.
  Batch WithColumns(std::vector<std::shared_ptr<arrow::Array>> columns) const {
    return Batch(std::move(columns), num_rows_, weights_);
  }
  Batch WithWeights(std::shared_ptr<arrow::Int64Array> weights) const {
    return Batch(columns_, num_rows_, std::move(weights));
  }

  // Bytes of all buffers that the rows refer to (slices count their share).
  int64_t ByteSize() const;

 private:
  std::vector<std::shared_ptr<arrow::Array>> columns_;
  int64_t num_rows_ = 0;
  std::shared_ptr<arrow::Int64Array> weights_;
};

// What operators aim at when they build batches.
inline constexpr int64_t kTargetBatchRows = 8192;
inline constexpr int64_t kMaxBatchBytes = int64_t{16} << 20;

}  // namespace millrace
