#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/row_codec.h"
#include "worker/operators/streaming/over_function.h"
#include "worker/operators/streaming/over_slice.h"
#include "worker/state/task_state_store.h"

namespace millrace {

// How far back the rows of a partition are kept: those among the last `rows`, and those not older
// than `micros` before the watermark (−1: none by time).
struct OverReach {
  int64_t rows = 0;
  int64_t micros = -1;

  bool any() const { return rows > 0 || micros >= 0; }
};

// What an OVER in event time knows of the rows that it has given out: for each partition how many
// there were, and the last of them, by the columns that calls look at. Partitions are never
// forgotten: a running total has no end.
//
// In the store: 'k', hash of the partition, partition → number of rows and peer groups, state of
// the calls; 't', hash, partition, number of the row → time and columns of a row.
class OverHistory {
 public:
  static constexpr char kKeyEntry = 'k';
  static constexpr char kRowEntry = 't';
  using Functions = std::vector<std::unique_ptr<OverFunction>>;

  OverHistory(std::vector<SqlType> partition_types, std::vector<SqlType> row_types);

  // The partition of each row, new ones included.
  void FindKeys(const Batch& batch, const std::vector<int>& columns, std::vector<uint32_t>* keys);
  uint32_t num_keys() const { return static_cast<uint32_t>(row_counts_.size()); }

  // Completes `slice`, whose starts_peers is set, for new rows of the columns kept, in order. They
  // count as given out from now on.
  void BuildSlice(const Batch& rows, const FlatVector<int64_t>& times,
                  const std::vector<uint32_t>& keys, const OverReach& reach, OverSlice* slice);

  // What changed since the last call. `watermark`: as for Compact.
  absl::Status AppendEntries(uint32_t num_shards, const Functions& functions,
                             const OverReach& reach, int64_t watermark, StateEntries* entries);
  // Entries from the store, keys from the partition on. Partitions before their rows, rows in order
  // of their keys. What is here already stays as it is.
  absl::Status RestoreKeys(const StateEntries& stored, const Functions& functions);
  absl::Status RestoreRows(const StateEntries& stored);

  // Frees rows that no frame of a row at or behind the watermark can reach, once they are many.
  // Only between slices.
  void Compact(const OverReach& reach, int64_t watermark);

  int64_t num_rows() const { return rows_.num_rows(); }
  int64_t bytes() const;

 private:
  struct DeadRow {
    uint32_t key;
    int64_t number;
  };

  // Makes room for partitions that keys_ has numbered.
  void Grow();
  void AppendRow(uint32_t key, int64_t time, int64_t number);
  // The rows of a partition that must be kept, latest first.
  void KeptRows(uint32_t key, const OverReach& reach, int64_t time,
                std::vector<uint32_t>* rows) const;
  void EncodeKeys(absl::Span<const uint32_t> keys, uint32_t num_shards);
  absl::Status AppendKeyEntries(const Functions& functions, StateEntries* entries);
  void AppendRowEntries(const OverReach& reach, int64_t watermark, StateEntries* entries);
  // The key of the entry of a row.
  std::string RowKey(int64_t encoded_key, int64_t number) const;

  const bool has_keys_;
  const std::vector<int> key_positions_;
  const std::vector<int> row_positions_;
  const RowCodec key_codec_;
  const RowCodec row_codec_;
  GroupTable keys_;
  // By partition.
  FlatVector<int64_t> row_counts_;
  FlatVector<int64_t> peer_counts_;
  FlatVector<uint32_t> newest_rows_;
  FlatVector<uint8_t> is_dirty_;
  std::vector<uint32_t> dirty_;
  // By row: columns, time, number within the partition (from 1), the row before, and whether the
  // store has it.
  ColumnStore rows_;
  FlatVector<int64_t> times_;
  FlatVector<int64_t> numbers_;
  FlatVector<uint32_t> earlier_rows_;
  FlatVector<uint8_t> is_stored_;
  FlatVector<uint32_t> row_keys_;
  // Rows that are not here any more, but in the store.
  std::vector<DeadRow> dead_;
  int64_t rows_after_compaction_ = 0;
  // Scratch.
  std::vector<uint32_t> kept_;
  EncodedRows encoded_keys_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> shards_;
};

}  // namespace millrace
