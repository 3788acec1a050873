#pragma once

#include "absl/status/statusor.h"
#include "coordinator/sql/expression_binder.h"

struct PgQuery__AExpr;
struct PgQuery__Node;

// Comparisons of several values at once, as conditions on single ones.

namespace millrace {

// (a, b) = (c, d), and the other comparisons, from left to right. 42601 for rows of different
// length.
absl::StatusOr<ExprPtr> BindRowComparison(ExpressionBinder& binder, const PgQuery__AExpr& expr);

// (a, b) IN ((c, d), …).
absl::StatusOr<ExprPtr> BindRowInList(ExpressionBinder& binder, const PgQuery__AExpr& expr);

// (a, b) IS [NOT] NULL: all values are NULL, or none is.
absl::StatusOr<ExprPtr> BindRowNullTest(ExpressionBinder& binder, const PgQuery__Node& row,
                                        bool is_null, int32_t position);

// x op ANY (ARRAY[…]) and x op ALL ('{…}'), for arrays that are written out.
absl::StatusOr<ExprPtr> BindArrayComparison(ExpressionBinder& binder, const PgQuery__AExpr& expr);

}  // namespace millrace
