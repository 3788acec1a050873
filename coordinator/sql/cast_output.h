#pragma once

#include <functional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// The plan with its columns cast to `types` (as many). Text literals without a type get the type
// themselves, so that 'abc' for an integer column fails at its place, and '1' works. `explain` may
// word the error of column i anew.
absl::StatusOr<LogicalPtr> CastOutput(
    LogicalPtr plan, const std::vector<SqlType>& types, CastContext context,
    absl::FunctionRef<absl::Status(size_t, absl::Status)> explain);
absl::StatusOr<LogicalPtr> CastOutput(LogicalPtr plan, const std::vector<SqlType>& types,
                                      CastContext context);

// The expression that computes column `index`, as far as it is at hand; for messages and positions.
// Null if not.
ExprPtr OutputExpr(const LogicalNode& plan, size_t index);

}  // namespace millrace
