#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/scope.h"
#include "coordinator/sql/select_parts.h"

namespace millrace {

// GROUP BY and the aggregates of a SELECT: a projection of keys and arguments, and the aggregation
// over it.
class AggregatePlan {
 public:
  // `keys` and the aggregates are over `input`'s row. `used` are the expressions that Rewrite will
  // be asked for: of tables that are grouped by their primary key, the columns in them become keys
  // too.
  AggregatePlan(LogicalPtr input, const Scope& scope, std::vector<ExprPtr> keys,
                const std::vector<AggregateItem>& aggregates, const std::vector<ExprPtr>& used);

  const LogicalPtr& plan() const { return plan_; }
  const std::vector<ExprPtr>& keys() const { return keys_; }

  // An expression of the result over the aggregation's row. 42803 for a column that is neither
  // grouped by nor inside an aggregate.
  absl::StatusOr<ExprPtr> Rewrite(const ExprPtr& expr) const;

 private:
  // The projected column of `expr`, added unless it is there.
  int Project(const ExprPtr& expr);
  AggregateCall MakeCall(const AggregateItem& item);
  void AddDependentKeys(const std::vector<ExprPtr>& used);
  bool IsGroupedByPrimaryKey(const ScopeItem& item) const;
  bool IsKey(const Expr& expr) const;

  const Scope& scope_;
  std::vector<ExprPtr> keys_;
  std::vector<ExprPtr> projected_;
  LogicalPtr plan_;
};

}  // namespace millrace
