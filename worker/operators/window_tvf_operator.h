#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/flat_vector.h"
#include "worker/operators/operator.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// tumble, hop, cumulate: each row once for each window that its time falls into, with the window's
// start and end (exclusive) as last columns. Windows align to the Unix epoch plus an offset. Rows
// without a time are in no window.
class WindowTvfOperator final : public StatelessOperator {
 public:
  enum class Kind { kTumble, kHop, kCumulate };

  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;

 private:
  WindowTvfOperator() = default;
  // Appends the windows of row `row` with time `micros`; error 22008 if one leaves the range of
  // timestamps.
  absl::Status AppendWindows(int32_t row, int64_t micros);
  // The next of the pending rows, as many as make a batch.
  absl::StatusOr<Batch> TakePending();
  int64_t PendingWithinBatch() const;

  Kind kind_ = Kind::kTumble;
  int time_column_ = 0;
  int64_t size_micros_ = 0;
  int64_t slide_micros_ = 0;
  int64_t offset_micros_ = 0;
  std::shared_ptr<arrow::DataType> time_type_;

  // The batch at work, from row next_row_ on.
  Batch batch_;
  int64_t next_row_ = 0;
  FlatVector<int32_t> rows_;
  FlatVector<int64_t> starts_;
  FlatVector<int64_t> ends_;
  // Of those: the next to give out.
  int64_t next_pending_ = 0;
};

}  // namespace millrace
