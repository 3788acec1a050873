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
  if (context.task_index != 0) next_row_ = num_rows_;
  return absl::OkStatus();
}

absl::StatusOr<Batch> ValuesOperator::MakeRows(int64_t begin, int64_t n) const {
  if (types_.empty()) return Batch({}, n);
  const auto width = static_cast<int64_t>(types_.size());
  const auto first = exprs_.begin() + begin * width;
  MR_ASSIGN_OR_RETURN(auto evaluator,
                      Evaluator::Create({first, first + n * width}, Schema(), eval_));
  MR_ASSIGN_OR_RETURN(const auto cells, evaluator->Evaluate(Batch({}, 1)));
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (size_t c = 0; c < types_.size(); ++c) {
    arrow::ArrayVector column;
    for (size_t cell = c; cell < cells.size(); cell += types_.size()) column.push_back(cells[cell]);
    MR_ASSIGN_ARROW_OR_RETURN(auto array, arrow::Concatenate(column));
    columns.push_back(std::move(array));
  }
  return Batch(std::move(columns), n);
}

absl::StatusOr<Progress> ValuesOperator::ProcessBatch(InputIndex, Batch, Emitter&) {
  return InternalError("VALUES has no input");
}

absl::StatusOr<Progress> ValuesOperator::Resume(Emitter& out) {
  while (next_row_ < num_rows_) {
    if (out.full()) return Progress::kMore;
    const int64_t n = rows_at_once_.Next(std::min(num_rows_ - next_row_, kTargetBatchRows));
    MR_ASSIGN_OR_RETURN(Batch rows, MakeRows(next_row_, n));
    rows_at_once_.Made(n, rows.ByteSize());
    out.Emit(std::move(rows));
    next_row_ += n;
  }
  return Progress::kDone;
}

}  // namespace millrace
