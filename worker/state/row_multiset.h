#pragma once

#include <cstdint>
#include <vector>

#include "common/types/batch.h"
#include "common/types/sql_type.h"
#include "worker/kernels/group_table.h"

namespace millrace {

// Rows with a weight each: the sum of everything added. Equality is that of keys: NULL equals NULL.
// Not thread-safe.
class RowMultiset {
 public:
  explicit RowMultiset(std::vector<SqlType> types);

  // Room for so many distinct rows, before the first is added.
  void Reserve(int64_t num_rows) { table_.Reserve(num_rows); }
  // Adds the weights of the batch's rows (no weights: +1 each).
  void Add(const Batch& batch);

  // The rows whose weight is not 0, with their weights, in batches of at most kTargetBatchRows.
  std::vector<Batch> WeightedRows() const;
  // The rows whose weight is positive, each that many times, without weights.
  std::vector<Batch> ExpandedRows() const;
  // True if some row's weight is below 0, which no view may have at a barrier.
  bool has_negative() const;
  // Distinct rows ever added; an upper bound of what the outputs hold.
  uint32_t num_groups() const { return table_.size(); }
  int64_t bytes() const;

 private:
  GroupTable table_;
  std::vector<int> columns_;
  std::vector<int64_t> weights_;
  // Scratch.
  std::vector<uint32_t> groups_;
};

}  // namespace millrace
