#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/sql/expression_binder.h"

struct PgQuery__SelectStmt;
struct PgQuery__Node;

namespace millrace {

// One column of a SELECT list.
struct SelectTarget {
  ExprPtr expr;
  std::string name;
};

// The SELECT list with every "*" written out.
absl::StatusOr<std::vector<SelectTarget>> BindSelectList(ExpressionBinder& binder,
                                                         const PgQuery__SelectStmt& select);

// One key of ORDER BY: a column of the SELECT list, or an expression of its own (target < 0).
struct OrderItem {
  int target = -1;
  SortKey key;
};

// ORDER BY of a SELECT: output names come before input columns, ordinals, expressions. Targets
// without a type that are ordered by become text. `distinct`: only targets are allowed (42P10).
absl::StatusOr<std::vector<OrderItem>> BindOrderBy(ExpressionBinder& binder,
                                                   const PgQuery__SelectStmt& select, bool distinct,
                                                   std::vector<SelectTarget>* targets);

// GROUP BY: input columns come before output names, ordinals, expressions. `binder` is for
// Clause::kGroupBy.
absl::StatusOr<std::vector<ExprPtr>> BindGroupBy(ExpressionBinder& binder,
                                                 const PgQuery__SelectStmt& select,
                                                 std::vector<SelectTarget>* targets);

}  // namespace millrace
