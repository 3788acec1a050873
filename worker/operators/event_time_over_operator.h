#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "worker/kernels/aggregate_set.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/row_codec.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/operator.h"
#include "worker/operators/over_plan.h"
#include "worker/operators/over_retention.h"
#include "worker/operators/sort_key_reader.h"
#include "worker/state/task_state_store.h"

namespace millrace {

// Functions over windows of an unbounded input that are ordered by event time: rows wait until the
// watermark has passed their time; then they and all before them are known, and they come out with
// their results, in order of partition and time. The output only grows.
//
// Of each partition it keeps running totals (for what reaches from the first row to the current
// one), and the last rows as far as frames and lag look back. In the store: 'w' row → how often it
// waits; 'h' row → how often it is kept as history; 'p' partition → rows so far, groups of peers so
// far, running accumulator columns.
class EventTimeOverOperator final : public Operator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(OverPlan plan);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;

 private:
  // Rows that are evaluated together: kept history and new ones, in order.
  struct Firing;

  EventTimeOverOperator(OverPlan plan, OverRetention retention);

  absl::Status AddWaiting(const Batch& batch);
  // Takes the rows with a time before the watermark out of those that wait.
  std::vector<uint32_t> TakeDueRows();
  void CompactWaiting();
  absl::Status Fire(const std::vector<uint32_t>& due);
  absl::Status OrderRows(const Batch& due, Firing* firing);
  absl::Status EvaluateCalls(Firing* firing);
  absl::StatusOr<std::shared_ptr<arrow::Array>> RunningNumbers(const WindowCall& call,
                                                               const Firing& firing) const;
  absl::StatusOr<std::shared_ptr<arrow::Array>> RunningAggregate(size_t index,
                                                                 const Firing& firing) const;
  absl::Status AddToTotals(const Firing& firing);
  absl::Status KeepHistory(const Firing& firing);
  void CompactHistory();

  enum class RowKind : char { kWaiting = 'w', kHistory = 'h' };
  void CountRows(RowKind kind, const Batch& rows, int64_t weight);
  absl::Status WriteState();
  absl::Status AppendRowEntries(std::vector<StateEntry>* entries);
  absl::Status AppendPartitionEntries(std::vector<StateEntry>* entries);
  absl::Status RestoreRows(RowKind kind, const std::vector<std::string>& rows,
                           const std::vector<int64_t>& counts);
  absl::Status RestorePartitions(const std::vector<std::string>& keys,
                                 const std::vector<std::string>& values);
  void GrowPartitions();

  const OverPlan plan_;
  const OverRetention retention_;
  const int time_column_;
  const std::vector<int> all_columns_;
  const std::vector<int> key_positions_;
  const RowCodec row_codec_;
  const RowCodec key_codec_;
  // Rows and peers so far, then the accumulator columns of all totals.
  std::unique_ptr<RowCodec> totals_codec_;
  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
  std::unique_ptr<SortKeyReader> reader_;
  int64_t watermark_ = Watermark::kMinWatermark;

  // Rows that wait, and a heap of (time, row) over them.
  ColumnStore waiting_;
  std::vector<std::pair<int64_t, uint32_t>> due_heap_;

  // By partition.
  GroupTable partitions_;
  std::vector<std::vector<uint32_t>> history_rows_;
  FlatVector<int64_t> row_counts_;
  FlatVector<int64_t> peer_counts_;
  FlatVector<uint8_t> is_dirty_;
  std::vector<uint32_t> dirty_;
  ColumnStore history_;
  int64_t num_history_rows_ = 0;
  // Accumulators of the calls that run over all rows so far, by call; null for the others.
  std::vector<std::unique_ptr<AggregateSet>> totals_;

  // How often each row waits or is history, for the store; only with one. The flag says that it
  // changed.
  struct StoredCount {
    int64_t count = 0;
    bool dirty = false;
  };
  absl::flat_hash_map<std::string, StoredCount> stored_rows_;

  // Evaluated rows that are still to be given out.
  Batch output_;
  EncodedRows encoded_;
};

}  // namespace millrace
