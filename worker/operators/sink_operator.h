#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "worker/connectors/sink.h"
#include "worker/operators/operator.h"

namespace millrace {

// Writes its input to a connector's sink. Bounded: prepares the files at the end of the input and
// emits one row, the number of rows written (bigint). Unbounded: prepares at each checkpoint
// barrier, and emits nothing. What was prepared goes to OperatorContext::staged_files; the
// coordinator commits it.
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

 private:
  absl::Status Prepare(uint64_t epoch);

  const std::unique_ptr<Sink> sink_;
  const bool streaming_;
  OperatorContext* context_ = nullptr;
  int64_t rows_ = 0;
  bool prepared_all_ = true;
};

}  // namespace millrace
