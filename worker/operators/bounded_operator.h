#pragma once

#include <optional>

#include "absl/status/status.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/operator.h"

namespace millrace {

// Base of operators that hold rows until their bounded input ends: there are no barriers, and time
// means nothing.
class BoundedOperator : public Operator {
 public:
  // `name` is what an error about memory calls the operator; it lives on.
  explicit BoundedOperator(absl::string_view name) : name_(name) {}

  absl::Status Open(OperatorContext& context) override {
    context_ = &context;
    memory_.emplace(*context.memory, name_);
    return absl::OkStatus();
  }
  absl::StatusOr<Progress> ProcessWatermark(Watermark, Emitter&) override {
    return Progress::kDone;
  }
  absl::StatusOr<Progress> ProcessBarrier(const Barrier&, Emitter&) override {
    return Progress::kDone;
  }
  absl::Status Close() override {
    memory_.reset();
    return absl::OkStatus();
  }

 protected:
  OperatorContext& context() const { return *context_; }
  // Tells the query's budget how much the operator holds now.
  absl::Status HoldBytes(int64_t bytes) { return memory_->Update(bytes); }

 private:
  const absl::string_view name_;
  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
};

}  // namespace millrace
