#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// Computes what does not depend on rows: constant parts of expressions become literals, AND, OR,
// CASE and COALESCE with constant arguments shrink, filters that are always true go, those that are
// never true leave no rows. A constant whose evaluation fails stays as it is: the error belongs to
// the row that reaches it, if any does.
LogicalPtr FoldConstants(const LogicalPtr& node);

// The same for one expression.
ExprPtr FoldConstantsInExpr(const ExprPtr& expr);

}  // namespace millrace
