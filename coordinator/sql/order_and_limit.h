#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/query_environment.h"

struct PgQuery__Node;
struct PgQuery__SelectStmt;

namespace millrace {

// LIMIT and OFFSET of `select` on top of `plan`: constants, NULL, ALL.
absl::StatusOr<LogicalPtr> BindLimit(LogicalPtr plan, const PgQuery__SelectStmt& select,
                                     const QueryEnvironment& environment);

// The number that an element of ORDER BY or GROUP BY is, as a position in the SELECT list from 0;
// absent if it is no constant. 42P10 beyond the list, 42601 for a constant that is no integer.
// `clause` for messages.
absl::StatusOr<std::optional<size_t>> OrdinalOf(const PgQuery__Node& element, size_t num_targets,
                                                absl::string_view clause, int32_t position);

// ORDER BY of a set operation: names of result columns or ordinals.
absl::StatusOr<LogicalPtr> BindResultOrder(LogicalPtr plan, const PgQuery__SelectStmt& select,
                                           const QueryEnvironment& environment);

}  // namespace millrace
