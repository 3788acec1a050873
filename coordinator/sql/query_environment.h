#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/binder.h"
#include "coordinator/sql/parsed_statement.h"
#include "coordinator/sql/scope.h"

namespace millrace {

// What everything that is bound for one statement shares.
struct BindSession {
  const CatalogSnapshot& catalog;
  const BindContext& context;
  // Levels of recursion at this moment, and plan nodes made of WITH queries and views so far.
  int depth = 0;
  int64_t shared_plan_nodes = 0;
  int64_t num_operators = 0;
  int64_t num_columns = 0;
  // Ids of the catalog's objects that were named so far, by the statement or by views that it
  // names; without system views.
  std::set<uint64_t> named_objects = {};
  // The AS OF EPOCH clauses that a relation of FROM has taken, by their offset; those of views
  // apart.
  std::set<int32_t> used_epochs = {};
};

// One WITH query: bound once, shared by all who name it.
struct WithQuery {
  LogicalPtr plan;
  int64_t num_nodes = 0;
};

// WITH queries by name; an inner scope hides names of the outer one.
struct WithScope {
  const WithScope* outer = nullptr;
  std::map<std::string, WithQuery, std::less<>> queries;

  const WithQuery* Find(absl::string_view name) const {
    for (const WithScope* scope = this; scope != nullptr; scope = scope->outer) {
      const auto it = scope->queries.find(name);
      if (it != scope->queries.end()) return &it->second;
    }
    return nullptr;
  }
};

// What ties a subquery to the query around it.
struct Correlation {
  // Conditions of the subquery's WHERE that use outer columns: kOuterColumnBase + i is column i of
  // the outer row, all other columns are those of the subquery's plan, which has `num_exported`
  // columns for them behind its own.
  std::vector<ExprPtr> conjuncts;
  size_t num_exported = 0;
  // The conjuncts are equalities, and the plan has at most one row for each value of the exported
  // columns.
  bool one_row_per_key = false;
  // The value of an aggregating subquery for an outer row without any row in the subquery; null for
  // NULL.
  ExprPtr value_without_rows;
};

// The query around a subquery.
struct OuterQuery {
  const Scope* scope = nullptr;
  const OuterQuery* next = nullptr;
  // Where outer columns may be used; null: nowhere.
  Correlation* correlation = nullptr;
};

// The surroundings of a query.
struct QueryEnvironment {
  BindSession& session;
  const ParsedStatement& statement;
  const WithScope* with = nullptr;
  const OuterQuery* outer = nullptr;

  int32_t PositionOf(int32_t location) const { return statement.PositionOf(location); }
};

// Placeholders in expressions, until the columns behind them have a place in a row.
inline constexpr int kPlaceholderBase = 1 << 20;
inline constexpr int kAggregateBase = kPlaceholderBase;
inline constexpr int kWindowBase = 2 << 20;
// Subqueries whose value is needed below the aggregation, and above it.
inline constexpr int kInputSubqueryBase = 3 << 20;
inline constexpr int kResultSubqueryBase = 4 << 20;
inline constexpr int kOuterColumnBase = 5 << 20;
inline constexpr int kPlaceholderStep = 1 << 20;

// Counts a level of recursion for as long as it lives.
class DepthGuard {
 public:
  explicit DepthGuard(BindSession& session) : session_(session) { ++session_.depth; }
  ~DepthGuard() { --session_.depth; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

  // 54001 when it is too deep.
  absl::Status Check() const;

 private:
  BindSession& session_;
};

// Counts an operator and its columns; 54001 when there are too many.
absl::Status CountOperator(BindSession& session, size_t num_columns, int32_t position);
// Counts the nodes of a plan that is used once more; 54001 when there are too many.
absl::Status CountSharedPlan(BindSession& session, int64_t num_nodes, int32_t position);
int64_t NumNodes(const LogicalNode& node);

}  // namespace millrace
