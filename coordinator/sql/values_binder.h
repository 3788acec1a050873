#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/query_environment.h"

struct PgQuery__SelectStmt;

namespace millrace {

// VALUES (…), (…) as a query: columns column1, column2, …, each of the common type of its
// expressions (unknown if all are).
absl::StatusOr<LogicalPtr> BindValues(const PgQuery__SelectStmt& query,
                                      const QueryEnvironment& environment);

// VALUES of an INSERT: every expression is cast to its column's type by itself. `columns` are the
// target columns in the order of the lists, at least as many as each list has expressions;
// defaults[i] is what DEFAULT means for columns[i].
absl::StatusOr<LogicalPtr> BindInsertValues(const PgQuery__SelectStmt& query,
                                            const QueryEnvironment& environment,
                                            const Schema& columns,
                                            const std::vector<ExprPtr>& defaults);

// 42804 in PostgreSQL's words for an expression that cannot be stored in `column`; other errors
// stay as they are.
absl::Status ExplainAssignment(absl::Status status, const Field& column, const SqlType& found);

}  // namespace millrace
