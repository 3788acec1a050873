#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/row_codec.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/operator.h"
#include "worker/operators/view_loading.h"
#include "worker/state/folded_changes.h"
#include "worker/state/row_multiset.h"
#include "worker/state/task_state_store.h"
#include "worker/state/view_store.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// Keeps one task's part of a materialized view: consolidates the changes of an epoch and seals them
// in the view store at its barrier; at checkpoint barriers it writes what has changed since the
// last one to the state store. After a restore it goes on at once, while the rows that the view had
// are read in the background; the job's last barrier waits for them. The rows count against the
// job's memory as long as the task runs, and against the worker's as long as the store has them.
//
// In the state store a view with a key is key → row; one without is row → how often it occurs.
class ViewSinkOperator final : public Operator {
 public:
  // The node's input 0 gives the column types.
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;

 private:
  // What the input of an epoch is: any changes, or changes of each row once at most.
  enum class Input : uint8_t { kChanges, kEachRowOnce };

  ViewSinkOperator(ObjectId view, ViewColumns columns, std::vector<int> shard_columns, Input input);
  // Begins to read the restored rows, if that has not been done.
  void StartLoading();
  // The view has the restored rows, and stored_rows_ counts them.
  absl::Status TakeLoaded();
  absl::Status WriteState();
  absl::Status UpdateMemory();
  // The epoch's changes, each row once; none are left.
  std::vector<Batch> TakeEpochChanges();
  void AppendEntries(const Batch& rows, StateEntries* entries);

  const ObjectId view_;
  const ViewColumns columns_;
  const std::vector<int> shard_columns_;
  const Input input_;
  const std::vector<int> all_columns_;
  const RowCodec row_codec_;
  const RowCodec key_codec_;

  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
  ViewPart part_;
  // The rows of the restored checkpoint: to be read, then being read; null without.
  std::unique_ptr<StateCursor> stored_;
  std::unique_ptr<ViewLoading> loading_;
  // Rows of this part of the view, without those that are being read.
  int64_t stored_rows_ = 0;
  // What the view store holds of them.
  int64_t view_bytes_ = 0;
  // kChanges: the epoch's changes so far.
  RowMultiset epoch_changes_;
  // kEachRowOnce: the same, as they came.
  std::vector<Batch> epoch_batches_;
  int64_t epoch_batch_bytes_ = 0;
  FoldedChanges changes_since_checkpoint_;
  // Scratch.
  EncodedRows encoded_rows_;
  EncodedRows encoded_keys_;
  std::vector<uint64_t> hashes_;
};

}  // namespace millrace
