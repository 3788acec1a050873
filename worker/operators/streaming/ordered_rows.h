#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/row_codec.h"
#include "worker/operators/sort_key_reader.h"
#include "worker/state/cold_state.h"
#include "worker/state/task_state_store.h"

namespace millrace {

// Distinct rows with multiplicities, in order within each partition. Equal order keys are told
// apart by the whole row.
//
// In the store: 'r', hash of the partition, row → multiplicity.
class OrderedRows {
 public:
  // A row of a partition's order, with how many times it counts.
  struct Entry {
    uint32_t row;
    int64_t count;
  };

  OrderedRows(std::vector<SqlType> types, std::vector<int> partition_columns);
  OrderedRows(const OrderedRows&) = delete;
  OrderedRows& operator=(const OrderedRows&) = delete;

  // The partition of each row of a batch, new ones included.
  void FindPartitions(const Batch& batch, std::vector<uint32_t>* partitions);
  uint32_t num_partitions() const { return static_cast<uint32_t>(orders_.size()); }
  // The stored row of each row of a batch; new ones are stored with multiplicity 0. `keys`: the
  // encoded order keys of rows key_rows[i].
  void FindRows(const Batch& batch, const std::vector<uint32_t>& partitions,
                const EncodedRows& keys, absl::Span<const int32_t> key_rows,
                std::vector<uint32_t>* rows);
  // Adds to a row's multiplicity.
  void Change(uint32_t row, int64_t weight);

  // Appends the first rows of a partition whose counts make up `limit`, or all.
  void AppendTop(uint32_t partition, uint64_t limit, std::vector<Entry>* top) const;
  // Forgets the rows of a partition behind `last`.
  void DropBehind(uint32_t partition, uint32_t last);
  uint64_t num_rows_in(uint32_t partition) const { return orders_[partition].size(); }
  std::string_view key(uint32_t row) const {
    return {key_bytes_.data() + key_offsets_[row],
            static_cast<size_t>(key_offsets_[row + 1] - key_offsets_[row])};
  }
  bool Less(uint32_t a, uint32_t b) const;
  const ColumnStore& rows() const { return rows_; }

  // What changed since the last call.
  void AppendEntries(uint32_t num_shards, StateEntries* entries);
  // Takes over what was written; `reader` encodes the order keys and outlives this. Only before any
  // other row. Most partitions are still in the store afterwards: a batch's own come by LoadFor,
  // which is to be called before anything is asked of them, the others in time by LoadFor and
  // LoadMore. Without partitions all is there at once. What `reader` has read before such a call is
  // gone.
  absl::Status Restore(TaskStateStore& state, uint32_t node_id, SortKeyReader& reader);
  absl::Status LoadFor(const Batch& batch) { return cold_.LoadFor(batch, partition_columns_); }
  absl::Status LoadMore() { return cold_.LoadMore(ColdState::kEntriesAtBarrier); }

  // Frees what dead rows hold, once they are many. Row r then becomes (*new_rows)[r]; false if
  // nothing changed.
  bool Compact(FlatVector<uint32_t>* new_rows);

  int64_t num_rows() const { return int64_t{rows_.num_rows()} - num_dead_; }
  int64_t bytes() const;

 private:
  struct RowLess {
    const OrderedRows* rows;
    bool operator()(uint32_t a, uint32_t b) const { return rows->Less(a, b); }
  };
  using Order = absl::btree_set<uint32_t, RowLess>;

  void MarkDirty(uint32_t row);
  // Enters rows of the store, without those that are here already.
  absl::Status Enter(const StateEntries& stored, SortKeyReader& reader);

  const std::vector<int> partition_columns_;
  const std::vector<int> all_columns_;
  const RowCodec codec_;
  GroupTable partition_table_;
  // Row → number of the row; the same numbers as in rows_.
  GroupTable row_table_;
  ColumnStore rows_;
  // By row. key_offsets_ has one more.
  FlatVector<char> key_bytes_;
  FlatVector<int64_t> key_offsets_;
  FlatVector<uint32_t> partitions_;
  FlatVector<int64_t> multiplicities_;
  FlatVector<uint8_t> is_dirty_;
  FlatVector<uint8_t> is_stored_;
  std::vector<uint32_t> dirty_;
  // By partition: its rows of positive multiplicity.
  std::vector<Order> orders_;
  int64_t num_dead_ = 0;
  // What is still to come from the store.
  ColdState cold_;
  // Scratch.
  std::vector<uint64_t> hashes_;
};

}  // namespace millrace
