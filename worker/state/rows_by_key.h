#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/flat_vector.h"
#include "worker/kernels/group_table.h"

namespace millrace {

// The rows of a relation with a key, folded over epochs: of each key the row that it has in the
// end. Only keys are looked up, never whole rows. Not thread-safe.
class RowsByKey {
 public:
  // `key_columns`: at least one; no two rows that are there at a barrier agree in them.
  RowsByKey(std::vector<SqlType> types, std::vector<int> key_columns);

  // Room for so many keys, before the first change.
  void Reserve(int64_t num_keys) { keys_.Reserve(num_keys); }
  // What has changed in one epoch, in any order: of each key at most one row is taken back and at
  // most one is added.
  void Apply(absl::Span<const Batch> changes);

  // The row of each key that has one, with weight +1, and of each other key a row that it had, with
  // weight −1.
  std::vector<Batch> Changes() const;
  // The keys' rows only, without weights.
  std::vector<Batch> Rows() const;

  int64_t bytes() const;

 private:
  enum class Last : uint8_t { kNone, kAdded, kRemoved };

  void ApplyBatch(const Batch& batch, uint32_t first_of_epoch);
  // Frees the rows that were replaced, once they are many.
  void Compact();

  std::vector<int> key_columns_;
  GroupTable keys_;
  // What was added or taken back, in order.
  ColumnStore rows_;
  // By key: the last change, and its row.
  FlatVector<Last> last_;
  FlatVector<uint32_t> last_rows_;
  // Scratch.
  FlatVector<uint32_t> groups_;
};

}  // namespace millrace
