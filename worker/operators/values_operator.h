#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/row_pacer.h"
#include "worker/operators/operator.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// Constant rows. It has no input: the runtime calls Resume after Open until it is done. Where a
// fragment has several tasks, only the first one gives the rows out.
class ValuesOperator final : public StatelessOperator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;

 private:
  ValuesOperator(std::vector<ExprPtr> exprs, int64_t num_rows, std::vector<SqlType> types)
      : exprs_(std::move(exprs)), num_rows_(num_rows), types_(std::move(types)) {}

  absl::StatusOr<Batch> MakeRows(int64_t begin, int64_t n) const;

  // Row by row.
  const std::vector<ExprPtr> exprs_;
  const int64_t num_rows_;
  const std::vector<SqlType> types_;
  EvalContext eval_;
  int64_t next_row_ = 0;
  RowPacer rows_at_once_{1};
};

}  // namespace millrace
