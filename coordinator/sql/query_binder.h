#pragma once

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/query_environment.h"

struct PgQuery__Node;
struct PgQuery__SelectStmt;
struct PgQuery__WithClause;

namespace millrace {

// A query with WITH, set operations, VALUES, ORDER BY and LIMIT. Columns that are text literals
// without a type stay of type unknown, so that INSERT and UNION can give them one: see CastOutput.
absl::StatusOr<LogicalPtr> BindQuery(const PgQuery__SelectStmt& query,
                                     const QueryEnvironment& environment);
// The same for a node; 0A000 if it is no query.
absl::StatusOr<LogicalPtr> BindQueryNode(const PgQuery__Node& node,
                                         const QueryEnvironment& environment);

// Binds WITH queries into `scope`, each in sight of those before it. `environment.with` must be
// what `scope` is inside of.
absl::Status BindWith(const PgQuery__WithClause& with, const QueryEnvironment& environment,
                      WithScope* scope);

// Unknown columns made text: what a query is as a whole, as a subquery, or as a view.
absl::StatusOr<LogicalPtr> ResolveUnknownColumns(LogicalPtr plan);

}  // namespace millrace
