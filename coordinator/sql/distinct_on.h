#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/select_list.h"

// DISTINCT ON (…): the first row, in the order of ORDER BY, for each value of the expressions.

namespace millrace {

// The expressions, read as those of ORDER BY are: output names, ordinals, expressions.
absl::StatusOr<std::vector<OrderItem>> BindDistinctOn(ExpressionBinder& binder,
                                                      const PgQuery__SelectStmt& select,
                                                      std::vector<SelectTarget>* targets);

// 42P10 unless ORDER BY begins with the expressions, in any order.
absl::Status CheckDistinctOn(const std::vector<OrderItem>& expressions,
                             const std::vector<OrderItem>& order);

// The plan's first row, by `order`, for each value of `columns`; has a column more at the end.
absl::StatusOr<LogicalPtr> KeepFirstRows(LogicalPtr plan, std::vector<int> columns,
                                         std::vector<SortKey> order);

}  // namespace millrace
