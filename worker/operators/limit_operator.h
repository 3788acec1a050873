#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "worker/operators/operator.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// The rows [offset, offset + limit) of its input, in the order in which they come. Closes its input
// when it has them.
class LimitOperator final : public StatelessOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  uint32_t open_inputs() const override { return left_ == 0 ? 0 : ~uint32_t{0}; }

 private:
  LimitOperator(uint64_t skip, uint64_t limit) : skip_(skip), left_(limit) {}

  uint64_t skip_;
  uint64_t left_;
};

}  // namespace millrace
