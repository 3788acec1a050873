#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/operators/operator.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// Passes on the rows for which a predicate is true.
class FilterOperator final : public StatelessOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;

 private:
  FilterOperator(ExprPtr predicate, Schema input)
      : predicate_(std::move(predicate)), input_(std::move(input)) {}

  const ExprPtr predicate_;
  const Schema input_;
  std::unique_ptr<Evaluator> evaluator_;
  std::vector<int32_t> selected_;
};

}  // namespace millrace
