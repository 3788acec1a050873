#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/operator.h"
#include "worker/operators/sort_key_reader.h"
#include "worker/operators/streaming/ordered_rows.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// The first n rows of each partition, kept up to date: every barrier gives out what changed in them
// since the last one, as rows taken back and rows added. Where rows can be taken back, all of them
// are kept, for one that leaves lets the next one in; else those behind the n-th are forgotten.
// Over bounded input the first rows come out at its end.
class ChangingGroupTopNOperator final : public Operator {
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
  struct Plan {
    Schema input;
    std::vector<int> partition_columns;
    std::vector<SortKey> order_keys;
    uint64_t limit = 0;
    bool with_number = false;
    // The input takes rows back.
    bool changing_input = false;
    // The output does; else rows are given out once, at the end.
    bool changing_output = false;
  };
  // A partition that changed in this epoch; its first rows before that are old_tops_[old_begin,
  // old_end).
  struct Touched {
    uint32_t partition;
    size_t old_begin;
    size_t old_end;
  };
  using Entry = OrderedRows::Entry;

  explicit ChangingGroupTopNOperator(Plan plan);

  // The rows that can be among the first n of their partition.
  void SelectRows(const Batch& batch, std::vector<int32_t>* selected);
  void Touch(uint32_t partition);
  // Forgets the rows behind the n-th.
  void Prune(uint32_t partition, absl::Span<const Entry> top);
  void CollectChanges();
  void CompareByNumber(absl::Span<const Entry> before, absl::Span<const Entry> after);
  void CompareByRow(absl::Span<const Entry> before, absl::Span<const Entry> after);
  void AddChange(uint32_t row, int64_t weight, int64_t number);
  absl::StatusOr<Progress> EmitChanges(Emitter& out);
  // All changes were given out: writes state at a checkpoint, and frees.
  absl::Status FinishEpoch();

  const Plan plan_;
  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
  std::unique_ptr<SortKeyReader> key_reader_;
  OrderedRows rows_;
  // By partition: a row that is certainly not behind the n-th one from now on; kNoRow if unknown.
  // Input that only grows.
  FlatVector<uint32_t> thresholds_;

  std::vector<Touched> touched_;
  FlatVector<uint8_t> is_touched_;
  std::vector<Entry> old_tops_;

  // What is being given out, from position next_ on.
  std::vector<uint32_t> changed_rows_;
  std::vector<int64_t> weights_;
  std::vector<int64_t> numbers_;
  size_t next_ = 0;
  bool emitting_ = false;
  bool at_checkpoint_ = false;
  // Scratch.
  std::vector<uint32_t> partitions_;
  std::vector<Entry> top_;
};

}  // namespace millrace
