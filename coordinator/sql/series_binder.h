#pragma once

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/query_environment.h"

struct PgQuery__FuncCall;

namespace millrace {

// generate_series(start, stop [, step]) in FROM, of constants: integers, or times and an interval.
// One column, in order as far as the plan keeps it.
absl::StatusOr<LogicalPtr> BindSeries(const PgQuery__FuncCall& call,
                                      const QueryEnvironment& environment);

}  // namespace millrace
