#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "common/types/batch.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/sort_keys.h"

namespace millrace {

// What decides between rows of equal keys: nothing but the order of arrival, or the whole row
// (I10).
enum class TieBreak { kArrival, kWholeRow };

// Rows held in memory with their encoded keys, put in order on demand.
class SortBuffer {
 public:
  // kKeep: keys can be asked for after Sort.
  enum class KeyUse { kSortOnly, kKeep };
  SortBuffer(std::vector<SqlType> row_types, TieBreak ties, KeyUse key_use = KeyUse::kSortOnly)
      : ties_(ties), key_use_(key_use), rows_(std::move(row_types)) {}

  // Appends rows with the keys that a SortKeyEncoder made of them; `split` as there (may be null).
  void Append(const Batch& batch, const EncodedRows& keys,
              const FlatVector<uint32_t>* split = nullptr);
  // The rows in order; valid until the next change. Keep must come before the next Append.
  absl::Span<const uint32_t> Sort();
  // After Sort: keeps the rows at the positions `kept` of the order, in that order.
  void Keep(absl::Span<const uint32_t> kept);

  uint32_t num_rows() const { return rows_.num_rows(); }
  const ColumnStore& rows() const { return rows_; }
  // Rows [begin, begin + n) of the order, after Sort.
  Batch OrderedBatch(uint32_t begin, uint32_t n) const;
  // How many rows of the order, from `begin` on and of `rows_max` at most, make a batch: about
  // kMaxBatchBytes, at least one row.
  uint32_t RowsWithinBatch(uint32_t begin, int64_t rows_max) const;
  // KeyUse::kKeep: the key of a row, and its leading part.
  std::string_view Key(uint32_t row) const {
    return {key_bytes_.data() + key_offsets_[row],
            static_cast<size_t>(key_offsets_[row + 1] - key_offsets_[row])};
  }
  std::string_view LeadingKey(uint32_t row) const { return Key(row).substr(0, splits_[row]); }
  int64_t bytes() const;

 private:
  void SortRange(SortItem* begin, SortItem* end, int64_t depth);
  void SortByWholeKey(SortItem* begin, SortItem* end);
  void BreakTies(SortItem* begin, SortItem* end);
  void StoreKeys(const EncodedRows& keys);

  const TieBreak ties_;
  const KeyUse key_use_;
  ColumnStore rows_;
  FlatVector<SortItem> items_;
  FlatVector<uint32_t> order_;
  // The encoded keys; empty while all of them fit into the prefix of an item.
  FlatVector<char> key_bytes_;
  FlatVector<int64_t> key_offsets_;
  FlatVector<uint32_t> splits_;
  bool stores_keys_ = false;
};

}  // namespace millrace
