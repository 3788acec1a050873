#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "coordinator/sql/query_environment.h"

namespace millrace {

// True if `expr` uses a column of the query around.
bool UsesOuterColumns(const Expr& expr);

// Conditions with outer columns, taken apart for an aggregating subquery: each is `outer = inner`;
// the subquery is grouped by the inner sides, which become its exported columns, and the equalities
// are checked by the join.
struct CorrelationKeys {
  std::vector<ExprPtr> keys;
  // conjuncts[i] with its inner side replaced by a column placeholder kInputSubqueryBase + i.
  std::vector<ExprPtr> conjuncts;
};
// 0A000 for conditions of another form.
absl::StatusOr<CorrelationKeys> SplitEqualities(const std::vector<ExprPtr>& conjuncts);

// For subqueries that do not aggregate: the inner columns of the conditions, each once; they are
// replaced by columns first_exported, first_exported + 1, … of the subquery's plan.
std::vector<ExprPtr> ExportColumns(std::vector<ExprPtr>* conjuncts, int first_exported);

}  // namespace millrace
