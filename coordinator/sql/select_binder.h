#pragma once

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/query_environment.h"

struct PgQuery__SelectStmt;

namespace millrace {

// A SELECT without set operations, with its ORDER BY, DISTINCT and LIMIT.
absl::StatusOr<LogicalPtr> BindSelect(const PgQuery__SelectStmt& select,
                                      const QueryEnvironment& environment);

}  // namespace millrace
