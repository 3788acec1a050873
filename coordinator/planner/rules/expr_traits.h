#pragma once

#include <set>

#include "absl/strings/string_view.h"
#include "common/expr/expr.h"

// What the rules need to know of an expression before they move, copy or drop it.

namespace millrace {

// The name of a call's function without the argument types: "add" of "add(int4,int4)".
absl::string_view FunctionName(const Expr& call);

// True if evaluating it twice, or for other rows, can be noticed: random() and its kin. Not now(),
// which is fixed for a statement.
bool IsVolatile(const Expr& expr);

// How an evaluation can fail. kNever: comparisons, logic, tests, widening casts, … kOverflow: only
// for values at the end of the type's range (+, -, *): PostgreSQL moves these freely, and so do we.
// kData: for data that a query may well guard against with another condition (division, casts from
// text, …).
enum class Failure { kNever, kOverflow, kData };
Failure FailureOf(const Expr& expr);

// Columns that cannot be NULL in a row for which the boolean expression is true. For such a column
// the expression "rejects NULL".
std::set<int> ColumnsNotNullIfTrue(const Expr& expr);
// Columns that cannot be NULL in a row for which the expression's value is not NULL.
std::set<int> ColumnsNotNullIfNotNull(const Expr& expr);

// True for "a = b".
bool IsEquality(const Expr& expr);
// True for a comparison (=, <>, <, <=, >, >=) of two expressions.
bool IsComparison(const Expr& expr);

// A literal's truth value.
bool IsTrueLiteral(const Expr& expr);
// The literal FALSE or NULL: as a condition it lets no row pass.
bool IsFalseOrNullLiteral(const Expr& expr);

// Work of an evaluation worth sharing: anything but a column or a literal.
inline bool IsTrivial(const Expr& expr) {
  return expr.kind == ExprKind::kColumn || expr.kind == ExprKind::kLiteral;
}

}  // namespace millrace
