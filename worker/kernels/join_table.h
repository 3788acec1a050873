#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/types/batch.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/group_table.h"

namespace millrace {

// The build side of a hash join: rows in flat columns, distinct keys in a GroupTable, and for each
// key the list of its rows. NULL keys are stored (outer joins give their rows out) but never found.
class JoinTable {
 public:
  JoinTable(std::vector<SqlType> row_types, std::vector<int> key_columns);

  void Append(const Batch& batch);
  // After the last Append: makes the lists. Only then look-ups are allowed.
  void Finish();

  // The key of each probe row, kNoGroup if no build row has it.
  void Find(const Batch& probe, absl::Span<const int> key_columns, uint32_t* groups);
  // The build rows of a key.
  absl::Span<const uint32_t> RowsOf(uint32_t group) const {
    if (unique_) return absl::MakeConstSpan(&row_list_[group], 1);
    return absl::MakeConstSpan(&row_list_[starts_[group]], starts_[group + 1] - starts_[group]);
  }
  // Every key has one row only.
  bool unique() const { return unique_; }
  // Some row has a NULL in its key.
  bool has_null_key() const { return has_null_key_; }
  uint32_t num_rows() const { return rows_.num_rows(); }
  const ColumnStore& rows() const { return rows_; }
  int64_t bytes() const;

 private:
  const std::vector<int> key_columns_;
  ColumnStore rows_;
  GroupTable keys_;
  // Key of each row; freed by Finish.
  FlatVector<uint32_t> row_groups_;
  // Rows ordered by key; those of key g at [starts_[g], starts_[g + 1]).
  FlatVector<uint32_t> row_list_;
  FlatVector<uint32_t> starts_;
  bool unique_ = false;
  bool has_null_key_ = false;
};

}  // namespace millrace
