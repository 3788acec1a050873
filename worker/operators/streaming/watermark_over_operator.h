#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/kernels/sort_buffer.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/operator.h"
#include "worker/operators/sort_key_reader.h"
#include "worker/operators/streaming/event_time_over_plan.h"
#include "worker/operators/streaming/over_function.h"
#include "worker/operators/streaming/over_history.h"
#include "worker/operators/streaming/pending_rows.h"
#include "worker/state/cold_state.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// Functions over windows of unbounded input that only grows. Rows wait until the watermark passes
// their time; then they come out with their values, ordered by partition, order keys and, among
// peers, the whole row, so the result depends neither on the order of arrival nor on where
// watermarks fall. Rows of a time that the watermark has passed are counted as late and dropped.
class WatermarkOverOperator final : public Operator {
 public:
  // 0A000 for frames and functions that look at later rows, and for another order than event time.
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;

 private:
  static constexpr char kPendingEntry = 'p';

  WatermarkOverOperator(EventTimeOverPlan plan, OverHistory::Functions functions);

  // What the store has: pending rows at once, since any of them may be the next to come out.
  absl::Status Restore();
  absl::Status RestorePending();
  absl::StatusOr<Batch> WithoutLateRows(const Batch& batch);
  absl::StatusOr<Progress> EmitReady(Emitter& out);
  // The next rows in order, up to a change of peers.
  absl::StatusOr<Batch> NextSlice();
  // Keeps as many rows as lag() looks back in these rows.
  void ReachBack(const Batch& rows);
  absl::Status UpdateMemory();

  const EventTimeOverPlan plan_;
  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
  std::unique_ptr<SortKeyReader> key_reader_;
  OverHistory::Functions functions_;
  OverReach reach_;
  PendingRows pending_;
  OverHistory history_;
  int64_t watermark_ = Watermark::kMinWatermark;

  // The partitions that are still to come from the store.
  ColdState cold_;

  // What is being given out: rows in order from position next_ on.
  std::unique_ptr<SortBuffer> ready_;
  absl::Span<const uint32_t> order_;
  uint32_t next_ = 0;
  // Scratch.
  OverSlice slice_;
  std::vector<uint32_t> keys_;
};

}  // namespace millrace
