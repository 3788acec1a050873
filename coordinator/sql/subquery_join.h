#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/expression_binder.h"

struct PgQuery__Node;

namespace millrace {

// IN, NOT IN, EXISTS and NOT EXISTS as conjuncts of WHERE or HAVING: a semi or anti join.
struct SemiJoin {
  JoinType type = JoinType::kSemi;
  LogicalPtr right;
  // operands[i], over the row of the query, equals column i of `right`. Empty for EXISTS.
  std::vector<ExprPtr> operands;
  // A further condition over kOuterColumnBase + column of the query and columns of `right`; null
  // for none.
  ExprPtr correlation;
  int32_t position = 0;
};

// A condition: what filters, and what joins.
struct Predicate {
  std::vector<ExprPtr> conjuncts;
  std::vector<SemiJoin> semi_joins;
};

// Binds a condition of WHERE or HAVING; `what` as in "argument of WHERE".
absl::StatusOr<Predicate> BindPredicate(ExpressionBinder& binder, const PgQuery__Node& condition,
                                        absl::string_view what);

// The semi joins on top of `input`. The operands are over its row.
absl::StatusOr<LogicalPtr> ApplySemiJoins(LogicalPtr input, const std::vector<SemiJoin>& joins);

// A correlation over the joined row: outer columns are the left side's, the others come
// `left_width` later.
ExprPtr OverJoinedRow(const ExprPtr& correlation, int left_width);

}  // namespace millrace
