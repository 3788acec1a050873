#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/column_store.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/aggregate_plan.h"
#include "worker/operators/aggregate_state.h"
#include "worker/operators/operator.h"

namespace millrace {

// GROUP BY over unbounded input, with state. Either every barrier gives out what changed since the
// last one, as the old row taken back and the new row added; or each group comes out once, when the
// watermark has passed its window_end. With a window_end key, groups whose window is over are
// forgotten; rows that come for them later are counted and dropped.
class StreamingAggregateOperator final : public Operator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(AggregatePlan plan);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;

 private:
  explicit StreamingAggregateOperator(AggregatePlan plan);

  bool emits_changes() const { return plan_.emit == AggregatePlan::Emit::kChanges; }
  // The rows whose window is still open; counts the others.
  absl::StatusOr<Batch> WithoutLateRows(const Batch& batch);
  // Remembers what the groups of these rows were before the rows change them.
  absl::Status Touch(const Batch& batch, uint32_t groups_before);
  // Enters groups [begin, end) under the end of their window.
  void TrackWindows(uint32_t begin, uint32_t end);
  // Takes the groups whose window ends at `micros` or before out of the list of open ones.
  std::vector<uint32_t> TakeEndedGroups(int64_t micros);
  // The next chunk of what is to be given out.
  absl::Status EmitChangedGroups(Emitter& out);
  absl::Status EmitClosedGroups(Emitter& out);
  // After all has been given out: writes state at a checkpoint, and frees.
  absl::Status FinishEpoch();
  // The changes were given out: groups are again what they were last known as.
  void ForgetChanges();

  const AggregatePlan plan_;
  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
  std::unique_ptr<AggregateState> state_;
  int64_t watermark_ = Watermark::kMinWatermark;
  // Open groups by the end of their window, if there is a window_end key.
  std::map<int64_t, std::vector<uint32_t>> open_windows_;

  // Groups that changed in this epoch, with the row of old_results_ that holds what they were
  // (kNoRow: they were not).
  std::vector<uint32_t> touched_;
  std::vector<uint32_t> old_rows_;
  FlatVector<uint8_t> is_touched_;
  std::unique_ptr<ColumnStore> old_results_;
  std::vector<uint32_t> row_groups_;

  // What is being given out, from position next_ on.
  enum class Emitting { kNothing, kChanges, kClosed };
  Emitting emitting_ = Emitting::kNothing;
  size_t next_ = 0;
  std::vector<uint32_t> closing_;
  bool at_barrier_ = false;
  bool at_checkpoint_ = false;
};

}  // namespace millrace
