#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "common/expr/expr.h"
#include "common/types/batch.h"

namespace millrace {

// Values of a statement that are fixed when it starts.
struct EvalContext {
  // now(), current_date …: microseconds since 1970 UTC.
  int64_t statement_time_micros = 0;
  // Offset for timestamptz ↔ text and timestamp; UTC is the only zone that a cluster has by
  // default.
  int32_t zone_offset_seconds = 0;
};

// A compiled set of expressions over one input schema. Evaluates whole batches with typed loops; no
// per-row dispatch. Not thread-safe (it keeps scratch memory): one for each operator.
class Evaluator {
 public:
  // Fails if a function is unknown to this version (plans travel between processes).
  static absl::StatusOr<std::unique_ptr<Evaluator>> Create(std::vector<ExprPtr> exprs,
                                                           const Schema& input,
                                                           const EvalContext& context);
  virtual ~Evaluator() = default;

  // One array for each expression, batch.num_rows() long. Column references are passed through
  // without a copy. Fails with the first row's error (22012 division by zero, 22003 overflow, …),
  // with the expression's position.
  virtual absl::StatusOr<std::vector<std::shared_ptr<arrow::Array>>> Evaluate(
      const Batch& batch) = 0;

  // As Evaluate, for the rows from `begin` on, of which there is at least one: for so many of them
  // that what is made has about kMaxBatchBytes, results in between counted too. A row that alone
  // makes more comes alone. *num_rows becomes their number. A batch of which little is made is
  // evaluated as a whole.
  virtual absl::StatusOr<std::vector<std::shared_ptr<arrow::Array>>> EvaluateSome(
      const Batch& batch, int64_t begin, int64_t* num_rows) = 0;

  // For a single boolean expression: fills `selected` with the indices of the rows where it is
  // true, ascending. ANDs are evaluated conjunct by conjunct over the rows that are left; what they
  // make in between is bounded as in EvaluateSome.
  virtual absl::Status Select(const Batch& batch, std::vector<int32_t>* selected) = 0;
};

// The value of an expression without columns at the statement's moment; now() and its like are
// allowed.
absl::StatusOr<Value> EvaluateConstant(const Expr& expr, const EvalContext& context);

// The rows `indices` of each column, in that order (weights too). Typed gathers; indices must be in
// range.
absl::StatusOr<Batch> TakeRows(const Batch& batch, const int32_t* indices, int64_t num_indices);

}  // namespace millrace
