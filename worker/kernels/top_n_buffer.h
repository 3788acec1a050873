#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/types/batch.h"
#include "worker/kernels/sort_buffer.h"

namespace millrace {

// Keeps the first n rows of an order; ties are broken by the whole row. Rows behind the n-th one so
// far are dropped as they come.
class TopNBuffer {
 public:
  TopNBuffer(std::vector<SqlType> row_types, uint64_t n);

  // Appends rows with their encoded keys.
  void Add(const Batch& batch, const EncodedRows& keys);
  // Puts the rows in order and cuts them to n. Nothing may be added afterwards.
  void Finish();

  uint32_t num_rows() const { return buffer_.num_rows(); }
  // After Finish: rows [begin, begin + n) of the order.
  Batch OrderedBatch(uint32_t begin, uint32_t n) const { return buffer_.OrderedBatch(begin, n); }
  uint32_t RowsWithinBatch(uint32_t begin, int64_t rows_max) const {
    return buffer_.RowsWithinBatch(begin, rows_max);
  }
  int64_t bytes() const { return buffer_.bytes(); }

 private:
  void Select(const Batch& batch, const EncodedRows& keys);
  bool BeatsThreshold(const std::vector<ColumnView>& columns, int64_t row) const;
  void Compact();

  const std::vector<SqlType> row_types_;
  const uint64_t n_;
  SortBuffer buffer_;
  // The n-th row so far and its key, once there are n.
  bool has_threshold_ = false;
  Batch threshold_row_;
  std::vector<char> threshold_key_;
  // Scratch: rows of a batch that pass, and their keys.
  std::vector<uint32_t> selected_;
  EncodedRows selected_keys_;
};

}  // namespace millrace
