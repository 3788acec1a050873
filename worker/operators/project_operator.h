#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/operators/operator.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// Computes expressions over each row; weights pass through. A batch of which much is made comes out
// in several parts.
class ProjectOperator final : public StatelessOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;

 private:
  ProjectOperator(std::vector<ExprPtr> exprs, Schema input)
      : exprs_(std::move(exprs)), input_(std::move(input)) {}

  const std::vector<ExprPtr> exprs_;
  const Schema input_;
  std::unique_ptr<Evaluator> evaluator_;
  // The batch at work, from row next_row_ on.
  Batch batch_;
  int64_t next_row_ = 0;
};

}  // namespace millrace
