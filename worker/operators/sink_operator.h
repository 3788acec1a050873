#pragma once

#include <memory>
#include <variant>

#include "absl/status/statusor.h"
#include "worker/connectors/sink.h"
#include "worker/operators/operator.h"

namespace millrace {

// Writes its input to a connector's sink. Bounded: prepares the files at the end of the input and
// emits one row, the number of rows written (bigint). Unbounded: prepares at each checkpoint
// barrier, and emits nothing. What was prepared goes to OperatorContext::staged_files; the
// coordinator commits it. While the sink is not ready, the operator waits and looks again after a
// while.
class SinkOperator final : public Operator {
 public:
  SinkOperator(std::unique_ptr<Sink> sink, bool streaming)
      : sink_(std::move(sink)), streaming_(streaming) {}
  ~SinkOperator() override;

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;
  absl::string_view waiting_for() const override { return sink_->waiting_for(); }

 private:
  // The end of bounded input.
  struct End {};

  // Does what is pending, once the sink is ready for it. A sink copies what it writes, so a batch
  // of more than kMaxBatchBytes is written in parts.
  absl::StatusOr<Progress> Advance(Emitter& out);
  absl::Status Prepare(uint64_t epoch);
  void EmitCount(Emitter& out) const;

  const std::unique_ptr<Sink> sink_;
  const bool streaming_;
  OperatorContext* context_ = nullptr;
  std::variant<std::monostate, Batch, Barrier, End> pending_;
  int64_t rows_ = 0;
  bool prepared_all_ = true;
};

}  // namespace millrace
