#include "common/expr/evaluator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/expr/program.h"
#include "common/expr/program_runner.h"
#include "common/expr/truth.h"
#include "common/types/arrow_status.h"
#include "common/types/row_pacer.h"
#include "common/types/value_array.h"

namespace millrace {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

// Bytes of a row in what a program makes, text itself left out.
int64_t FixedRowBytes(const Program& program) {
  int64_t bytes = 0;
  for (const int node : program.outputs) {
    if (program.nodes[node].kind == NodeKind::kColumn) continue;
    const int width = ToArrowType(program.nodes[node].type)->byte_width();
    bytes += width > 0 ? width : static_cast<int64_t>(sizeof(int32_t));
  }
  return bytes;
}

// With fewer rows the text may fit.
bool IsTooMuchText(const absl::Status& status) {
  return GetErrorDetail(status).state == SqlState::kProgramLimitExceeded;
}

class ProgramEvaluator : public Evaluator {
 public:
  // `program` computes the outputs, `filter` the conjuncts of the predicate if there is one.
  ProgramEvaluator(Program program, Program filter, const EvalContext& context)
      : outputs_(std::move(program), context),
        conjuncts_(std::move(filter), context),
        rows_max_(kMaxBatchBytes / std::max<int64_t>(1, FixedRowBytes(outputs_.program()))) {}

  absl::StatusOr<std::vector<ArrayPtr>> Evaluate(const Batch& batch) override {
    outputs_.AllowText(INT64_MAX);
    return EvaluateAll(batch);
  }

  absl::StatusOr<std::vector<ArrayPtr>> EvaluateSome(const Batch& batch, int64_t begin,
                                                     int64_t* num_rows) override {
    while (true) {
      const int64_t n =
          std::max<int64_t>(1, std::min(pacer_.Next(batch.num_rows() - begin), rows_max_));
      outputs_.AllowText(TextAllowed(n));
      auto arrays = EvaluateAll(n == batch.num_rows() ? batch : batch.Slice(begin, n));
      if (IsRefused(outputs_, arrays.status(), n)) continue;
      pacer_.Made(n, outputs_.text_made());
      *num_rows = n;
      return arrays;
    }
  }

  absl::Status Select(const Batch& batch, std::vector<int32_t>* selected) override {
    MR_CHECK(outputs_.program().outputs.size() == 1);
    selected->clear();
    for (int64_t begin = 0; begin < batch.num_rows();) {
      const int64_t n = pacer_.Next(batch.num_rows() - begin);
      conjuncts_.AllowText(TextAllowed(n));
      const absl::Status status =
          SelectAll(n == batch.num_rows() ? batch : batch.Slice(begin, n), &selected_);
      if (IsRefused(conjuncts_, status, n)) continue;
      MR_RETURN_IF_ERROR(status);
      pacer_.Made(n, conjuncts_.text_made());
      if (begin == 0) {
        selected->swap(selected_);
      } else {
        for (const int32_t row : selected_) selected->push_back(static_cast<int32_t>(begin) + row);
      }
      begin += n;
    }
    return absl::OkStatus();
  }

 private:
  // One row may make as much as it must.
  static int64_t TextAllowed(int64_t num_rows) { return num_rows > 1 ? kMaxBatchBytes : INT64_MAX; }

  // True if the work is to be done again, with fewer rows.
  bool IsRefused(const ProgramRunner& runner, const absl::Status& status, int64_t num_rows) {
    if (status.ok() || num_rows == 1 || !IsTooMuchText(status)) return false;
    if (runner.constant_failed()) return false;
    pacer_.Refused(num_rows);
    return true;
  }

  absl::StatusOr<std::vector<ArrayPtr>> EvaluateAll(const Batch& batch) {
    Frame frame(batch, outputs_.num_nodes());
    std::vector<ArrayPtr> arrays;
    for (int node : outputs_.program().outputs) {
      MR_ASSIGN_OR_RETURN(ArrayPtr array, EvaluateOutput(node, batch.num_rows(), &frame));
      arrays.push_back(std::move(array));
    }
    return arrays;
  }

  absl::Status SelectAll(const Batch& batch, std::vector<int32_t>* selected) {
    selected->clear();
    Frame frame(batch, conjuncts_.num_nodes());
    bool first = true;
    for (int node : conjuncts_.program().outputs) {
      if (first) {
        MR_ASSIGN_OR_RETURN(const Operand value, conjuncts_.Evaluate(node, &frame));
        TruthColumn::FromOperand(value, batch.num_rows()).AppendTrueRows(selected);
      } else {
        MR_RETURN_IF_ERROR(Narrow(node, &frame, selected));
      }
      first = false;
      if (selected->empty()) break;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ArrayPtr> EvaluateOutput(int node, int64_t num_rows, Frame* frame) {
    if (num_rows == 0) {
      // Nothing to compute, and no error to find.
      MR_ASSIGN_ARROW_OR_RETURN(ArrayPtr empty,
                                arrow::MakeEmptyArray(ToArrowType(outputs_.type(node))));
      return empty;
    }
    MR_ASSIGN_OR_RETURN(const Operand value, outputs_.Evaluate(node, frame));
    return value.is_constant ? outputs_.Repeat(value, num_rows) : value.array;
  }

  // Keeps those of `selected` where the conjunct is true.
  absl::Status Narrow(int node, Frame* frame, std::vector<int32_t>* selected) {
    MR_ASSIGN_OR_RETURN(const RowValues values, conjuncts_.EvaluateRows(node, *selected, frame));
    const int64_t num_values =
        values.dense ? static_cast<int64_t>(selected->size()) : frame->num_rows();
    const TruthColumn truth = TruthColumn::FromOperand(values.operand, num_values);
    size_t kept = 0;
    for (size_t i = 0; i < selected->size(); ++i) {
      const int32_t row = (*selected)[i];
      (*selected)[kept] = row;
      kept += truth.IsTrue(values.dense ? static_cast<int64_t>(i) : row) ? 1 : 0;
    }
    selected->resize(kept);
    return absl::OkStatus();
  }

  ProgramRunner outputs_;
  ProgramRunner conjuncts_;
  const int64_t rows_max_;
  RowPacer pacer_{INT32_MAX};
  std::vector<int32_t> selected_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Evaluator>> Evaluator::Create(std::vector<ExprPtr> exprs,
                                                             const Schema& input,
                                                             const EvalContext& context) {
  MR_ASSIGN_OR_RETURN(Program program, CompileProgram(exprs, input));
  Program filter;
  if (exprs.size() == 1 && exprs[0]->type.id == TypeId::kBoolean) {
    MR_ASSIGN_OR_RETURN(filter, CompileProgram(SplitConjunction(exprs[0]), input));
  }
  return std::unique_ptr<Evaluator>(
      std::make_unique<ProgramEvaluator>(std::move(program), std::move(filter), context));
}

absl::StatusOr<Value> EvaluateConstant(const Expr& expr, const EvalContext& context) {
  MR_ASSIGN_OR_RETURN(auto evaluator,
                      Evaluator::Create({std::make_shared<Expr>(expr)}, Schema(), context));
  MR_ASSIGN_OR_RETURN(const auto arrays, evaluator->Evaluate(Batch({}, 1)));
  return ValueAt(*arrays[0], 0, expr.type);
}

absl::StatusOr<Value> EvaluateConstant(const Expr& expr) {
  return EvaluateConstant(expr, EvalContext());
}

}  // namespace millrace
