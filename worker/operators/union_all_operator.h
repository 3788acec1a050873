#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "worker/operators/operator.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// All rows of all inputs, as they come.
class UnionAllOperator final : public StatelessOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
};

}  // namespace millrace
