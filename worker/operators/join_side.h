#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/row_codec.h"
#include "worker/state/state_entries.h"

namespace millrace {

// One side of a symmetric join: its distinct rows with multiplicities, linked by join key. Rows
// with a NULL in their key never match; they are stored only where the join gives out rows without
// a match (their matches then stay 0).
//
// In the store: side, hash of the key, row → multiplicity, number of matches.
class JoinSide {
 public:
  // `window_column`: timestamp column with the end of each row's window, −1 if there is none.
  JoinSide(int side, std::vector<SqlType> types, std::vector<int> keys, int window_column);

  // Key of each row of a batch of the other side, which has it in `columns`; kNoGroup if no row
  // here has it.
  void FindKeys(const Batch& other, const std::vector<int>& columns, uint32_t* groups);
  // First row of a key and the row after another one; kNoRow at the end. Rows of multiplicity 0 are
  // skipped.
  uint32_t FirstRow(uint32_t group) const { return SkipDead(heads_[group]); }
  uint32_t NextRow(uint32_t row) const { return SkipDead(next_[row]); }

  // Adds the rows of a batch by weight. rows[i] becomes the stored row of batch row i.
  void Store(const Batch& batch, std::vector<uint32_t>* rows);

  const ColumnStore& rows() const { return rows_; }
  int64_t multiplicity(uint32_t row) const { return multiplicities_[row]; }
  // Rows on the other side that match, by weight.
  int64_t matches(uint32_t row) const { return matches_[row]; }
  void SetMatches(uint32_t row, int64_t matches);

  // Forgets all rows whose window ends at `micros` or before.
  void DropWindowsUntil(int64_t micros);

  void AppendEntries(uint32_t num_shards, StateEntries* entries);
  // Enters rows that are not here yet, keys from the row on; those that are here are newer.
  absl::Status Restore(const StateEntries& stored);
  // Frees what dead rows hold, once they are many. Row numbers change.
  void Compact();

  int64_t num_rows() const { return int64_t{rows_.num_rows()} - num_dead_; }
  int64_t bytes() const;

 private:
  uint32_t SkipDead(uint32_t row) const {
    while (row != kNoRow && multiplicities_[row] == 0) row = next_[row];
    return row;
  }
  // The stored rows of a batch, new ones appended with multiplicity 0.
  void FindRows(const Batch& batch, std::vector<uint32_t>* rows);
  void Change(uint32_t row, int64_t weight);
  void MarkDirty(uint32_t row);
  // Appends distinct rows that were not stored before, with multiplicity 0.
  void AppendRows(const Batch& rows);
  // Enters rows [begin, num_rows) under their key and window.
  void LinkRows(const Batch& rows, uint32_t begin);

  const int side_;
  const std::vector<SqlType> types_;
  const std::vector<int> keys_;
  const int window_column_;
  const std::vector<int> all_columns_;
  const RowCodec codec_;
  // Row → number of the row; the same numbers as in rows_.
  GroupTable row_table_;
  ColumnStore rows_;
  GroupTable key_table_;
  // By key: newest row; by row: the next older one of the same key.
  FlatVector<uint32_t> heads_;
  FlatVector<uint32_t> next_;
  FlatVector<int64_t> multiplicities_;
  FlatVector<int64_t> matches_;
  FlatVector<uint8_t> dirty_flags_;
  std::vector<uint32_t> dirty_;
  // Rows by the end of their window.
  std::map<int64_t, std::vector<uint32_t>> windows_;
  int64_t num_dead_ = 0;
  std::vector<uint32_t> scratch_;
};

}  // namespace millrace
