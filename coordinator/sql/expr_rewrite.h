#pragma once

#include <functional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/expr/expr.h"

namespace millrace {

// `replace` is asked for every part from the top down; what it gives instead of null takes the
// part's place, and is not looked into.
absl::StatusOr<ExprPtr> RewriteExpr(
    const ExprPtr& expr, absl::FunctionRef<absl::StatusOr<ExprPtr>(const ExprPtr&)> replace);

// Column placeholders base + i replaced by columns[i].
ExprPtr ResolvePlaceholders(const ExprPtr& expr, int base, const std::vector<ExprPtr>& columns);

// True if a column in [begin, end) occurs.
bool UsesColumns(const Expr& expr, int begin, int end);

// A copy of `expr` as a kCall with other arguments.
ExprPtr WithArguments(const Expr& expr, std::vector<ExprPtr> args);

}  // namespace millrace
