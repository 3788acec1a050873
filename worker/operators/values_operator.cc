#include "worker/operators/values_operator.h"

#include <algorithm>

#include "arrow/array.h"
#include "arrow/array/concatenate.h"
#include "common/base/status.h"
#include "common/types/arrow_status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> ValuesOperator::Create(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 0));
  std::vector<ExprPtr> exprs;
  for (const v1::ValuesRow& row : node.values().rows()) {
    if (row.columns_size() != node.output_size()) {
      return InternalError("a row of VALUES has the wrong number of columns");
    }
    MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> columns, ExprsOf(row.columns()));
    exprs.insert(exprs.end(), columns.begin(), columns.end());
  }
  return std::unique_ptr<Operator>(
      new ValuesOperator(std::move(exprs), node.values().rows_size(), OutputTypes(node)));
}

absl::Status ValuesOperator::Open(OperatorContext& context) {
  eval_ = context.eval;
  if (context.task_index != 0) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(rest_, MakeRows());
  return absl::OkStatus();
}

absl::StatusOr<Batch> ValuesOperator::MakeRows() const {
  if (num_rows_ == 0 || types_.empty()) return Batch({}, num_rows_);
  MR_ASSIGN_OR_RETURN(auto evaluator, Evaluator::Create(exprs_, Schema(), eval_));
  MR_ASSIGN_OR_RETURN(const auto cells, evaluator->Evaluate(Batch({}, 1)));
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (size_t c = 0; c < types_.size(); ++c) {
    arrow::ArrayVector column;
    for (size_t cell = c; cell < cells.size(); cell += types_.size()) column.push_back(cells[cell]);
    MR_ASSIGN_ARROW_OR_RETURN(auto array, arrow::Concatenate(column));
    columns.push_back(std::move(array));
  }
  return Batch(std::move(columns), num_rows_);
}

absl::StatusOr<Progress> ValuesOperator::ProcessBatch(InputIndex, Batch, Emitter&) {
  return InternalError("VALUES has no input");
}

absl::StatusOr<Progress> ValuesOperator::Resume(Emitter& out) {
  while (rest_.num_rows() > 0) {
    if (out.full()) return Progress::kMore;
    const int64_t n = std::min(rest_.num_rows(), kTargetBatchRows);
    out.Emit(rest_.Slice(0, n));
    rest_ = rest_.Slice(n, rest_.num_rows() - n);
  }
  return Progress::kDone;
}

}  // namespace millrace
