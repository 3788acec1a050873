#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/operator.h"
#include "worker/operators/over_plan.h"
#include "worker/operators/sort_key_reader.h"
#include "worker/operators/streaming/ordered_rows.h"
#include "worker/state/row_multiset.h"

namespace millrace {

// Functions over windows of rows that may come in any order and be taken back. All rows are kept.
// Every barrier evaluates the partitions that changed, as they were and as they are, and gives out
// the difference: an epoch costs by the size of the partitions that it touches. (WatermarkOver,
// where it can be used, costs by the rows that came.) Over bounded input the rows come out at its
// end.
class ChangingOverOperator final : public Operator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;

 private:
  using Entry = OrderedRows::Entry;
  // A partition that changed in this epoch; its rows before that are old_rows_[old_begin, old_end).
  struct Touched {
    uint32_t partition;
    size_t old_begin;
    size_t old_end;
  };
  // Whole partitions to be evaluated together.
  struct Chunk {
    std::vector<uint32_t> rows;
    FlatVector<uint8_t> new_partition;
    FlatVector<uint8_t> new_peer;
  };

  explicit ChangingOverOperator(OverPlan plan);

  void Touch(uint32_t partition);
  // Appends the rows of a partition, each as often as it counts.
  void AppendPartition(absl::Span<const Entry> entries, Chunk* chunk) const;
  // Adds the evaluated rows of a chunk, times `weight`, and empties it.
  absl::Status Evaluate(int64_t weight, Chunk* chunk, RowMultiset* changes);
  // Accounts for a copy of the rows, texts of dictionaries written out, unless it is little.
  absl::Status HoldMore(const Batch& evaluated);
  // Computes the changes of the next touched partitions, about a batch of rows.
  absl::Status CollectChanges();
  absl::StatusOr<Progress> EmitChanges(Emitter& out);
  // All changes were given out: writes state at a checkpoint, and frees.
  absl::Status FinishEpoch();

  const OverPlan plan_;
  const std::vector<SqlType> output_types_;
  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
  std::unique_ptr<SortKeyReader> key_reader_;
  OrderedRows rows_;

  std::vector<Touched> touched_;
  FlatVector<uint8_t> is_touched_;
  std::vector<Entry> old_rows_;

  // What is being given out: partitions from next_ on, and what was computed of those before.
  size_t next_ = 0;
  std::vector<Batch> changes_;
  bool emitting_ = false;
  bool at_checkpoint_ = false;
  // Scratch.
  std::vector<uint32_t> partitions_;
};

}  // namespace millrace
