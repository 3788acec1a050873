#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/select_parts.h"

struct PgQuery__WindowDef;
struct PgQuery__Node;
struct PgQuery__SortBy;

namespace millrace {

// Resolves the definition behind OVER, with the WINDOW clause's that it builds on (`parts` of the
// binder). The binder is for Clause::kWindow.
absl::StatusOr<WindowDefinition> BindWindowDefinition(ExpressionBinder& binder,
                                                      const PgQuery__WindowDef& definition);

// Refuses a WINDOW clause that names two windows alike (42P20).
absl::Status CheckWindowNames(const QueryEnvironment& environment,
                              const std::vector<const PgQuery__WindowDef*>& definitions);

// Direction and place of NULLs of one element of ORDER BY; `expr` is its bound expression. ORDER BY
// … USING is refused.
absl::StatusOr<SortKey> MakeSortKey(const PgQuery__SortBy& sort, ExprPtr expr,
                                    const QueryEnvironment& environment);

}  // namespace millrace
