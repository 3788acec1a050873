#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/query_environment.h"
#include "coordinator/sql/scope.h"

struct PgQuery__Alias;
struct PgQuery__JoinExpr;
struct PgQuery__Node;
struct PgQuery__RangeFunction;
struct PgQuery__RangeSubselect;
struct PgQuery__RangeVar;

namespace millrace {

// A relation of FROM: its rows, and the names of their columns.
struct FromPlan {
  LogicalPtr plan;
  Scope scope;
};

// Binds what stands in FROM: tables, files, views, WITH queries, subqueries, window functions over
// them, and joins.
class FromBinder {
 public:
  explicit FromBinder(const QueryEnvironment& environment) : environment_(environment) {}

  // The items between the commas, joined; without items: one row of no columns.
  absl::StatusOr<FromPlan> BindList(PgQuery__Node* const* items, size_t count);
  absl::StatusOr<FromPlan> BindItem(const PgQuery__Node& item);

  // The object that a statement names, as "x", "public.x" or "millrace.x". 42P01 with the nearest
  // name as hint.
  absl::StatusOr<CatalogObjectPtr> FindObject(const PgQuery__RangeVar& name) const;
  // A table, file, view or WITH query by name, without an alias.
  absl::StatusOr<FromPlan> BindRelation(const PgQuery__RangeVar& name);

 private:
  absl::StatusOr<FromPlan> BindTable(const PgQuery__RangeVar& name);
  absl::StatusOr<FromPlan> BindFile(const std::string& path, int32_t position);
  absl::StatusOr<FromPlan> BindView(const CatalogObjectPtr& view, int32_t position);
  absl::StatusOr<FromPlan> BindSubselect(const PgQuery__RangeSubselect& subselect);
  // A query between parentheses, without an alias.
  absl::StatusOr<FromPlan> BindSubquery(const PgQuery__Node& query);

  // join_binder.cc
  absl::StatusOr<FromPlan> BindJoin(const PgQuery__JoinExpr& join);

  // table_function_binder.cc: tumble, hop, cumulate.
  absl::StatusOr<FromPlan> BindFunction(const PgQuery__RangeFunction& function);
  absl::StatusOr<FromPlan> BindFunctionInput(const PgQuery__Node& arg);

  // Gives the relation its alias and the columns new names. `location` is where the item begins.
  absl::StatusOr<FromPlan> ApplyAlias(FromPlan from, const PgQuery__Alias* alias, int32_t location);
  absl::Status CheckAliasWord(absl::string_view alias, int32_t location) const;

  const QueryEnvironment& environment_;
};

// A scope with one item for all columns of `plan`.
Scope ScopeOf(const LogicalNode& plan, absl::string_view name);

}  // namespace millrace
