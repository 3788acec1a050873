#include "common/expr/evaluator.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/expr/program.h"
#include "common/expr/program_runner.h"
#include "common/expr/row_gather.h"
#include "common/expr/truth.h"
#include "common/types/arrow_status.h"
#include "common/types/value_array.h"

namespace millrace {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

class ProgramEvaluator : public Evaluator {
 public:
  // `program` computes the outputs, `filter` the conjuncts of the predicate if there is one.
  ProgramEvaluator(Program program, Program filter, const EvalContext& context)
      : outputs_(std::move(program), context), conjuncts_(std::move(filter), context) {}

  absl::StatusOr<std::vector<ArrayPtr>> Evaluate(const Batch& batch) override {
    Frame frame(batch, outputs_.num_nodes());
    std::vector<ArrayPtr> arrays;
    for (int node : outputs_.program().outputs) {
      MR_ASSIGN_OR_RETURN(ArrayPtr array, EvaluateOutput(node, batch.num_rows(), &frame));
      arrays.push_back(std::move(array));
    }
    return arrays;
  }

  absl::Status Select(const Batch& batch, std::vector<int32_t>* selected) override {
    MR_CHECK(outputs_.program().outputs.size() == 1);
    selected->clear();
    if (batch.num_rows() == 0) return absl::OkStatus();
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

 private:
  absl::StatusOr<ArrayPtr> EvaluateOutput(int node, int64_t num_rows, Frame* frame) {
    if (num_rows == 0) {
      // Nothing to compute, and no error to find.
      MR_ASSIGN_ARROW_OR_RETURN(ArrayPtr empty,
                                arrow::MakeEmptyArray(ToArrowType(outputs_.type(node))));
      return empty;
    }
    MR_ASSIGN_OR_RETURN(const Operand value, outputs_.Evaluate(node, frame));
    return value.is_constant ? RepeatFirstRow(*value.array, num_rows) : value.array;
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
