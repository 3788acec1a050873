#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "millrace/v1/split.pb.h"
#include "worker/connectors/source.h"
#include "worker/operators/operator.h"

namespace millrace {

// An operator without input (VALUES) as a source with one split: what Resume emits is what Poll
// returns. Its rows are not given out again when a job is restored, because they always come before
// the first barrier.
class OperatorSource final : public Source {
 public:
  OperatorSource(std::unique_ptr<Operator> op, OperatorContext context);
  ~OperatorSource() override;

  absl::Status Open(const v1::Split& split) override;
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override;
  v1::SplitPosition Position() const override { return position_; }
  absl::Status Close() override { return op_->Close(); }

 private:
  const std::unique_ptr<Operator> op_;
  OperatorContext context_;
  OperatorCounters counters_;
  v1::SplitPosition position_;
};

}  // namespace millrace
