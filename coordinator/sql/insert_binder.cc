#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/cast_output.h"
#include "coordinator/sql/from_binder.h"
#include "coordinator/sql/not_null_check.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/query_binder.h"
#include "coordinator/sql/statement_binder.h"
#include "coordinator/sql/values_binder.h"
#include "millrace/v1/catalog.pb.h"

// StatementBinder::BindInsert, and what COPY shares with it.

namespace millrace {
namespace {

Schema ColumnsOf(const v1::CatalogObject& table, const std::vector<int>& columns) {
  Schema schema;
  for (const int column : columns) schema.push_back(FromProto(table.columns(column)));
  return schema;
}

absl::Status TooMany(absl::string_view message, int32_t position) {
  return WithPosition(MakeError(SqlState::kSyntaxError, message), position);
}

// What a column gets that an INSERT leaves out.
absl::StatusOr<std::vector<ExprPtr>> DefaultsOf(const v1::CatalogObject& table,
                                                const std::vector<int>& columns) {
  std::vector<ExprPtr> defaults;
  for (const int column : columns) {
    const auto found = table.column_defaults().find(static_cast<uint32_t>(column));
    if (found == table.column_defaults().end()) {
      defaults.push_back(MakeLiteral(Value::Null(FromProto(table.columns(column)).type)));
      continue;
    }
    MR_ASSIGN_OR_RETURN(ExprPtr expr, FromProto(found->second));
    defaults.push_back(std::move(expr));
  }
  return defaults;
}

std::vector<int> AllColumns(const v1::CatalogObject& table) {
  std::vector<int> columns(static_cast<size_t>(table.columns_size()));
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

// Rows of constants for some columns as rows for all of them.
LogicalPtr FillValues(const LogicalValues& values, const Schema& all,
                      const std::vector<ExprPtr>& defaults, const std::vector<int>& columns) {
  std::vector<std::vector<ExprPtr>> rows;
  for (const std::vector<ExprPtr>& row : values.rows) {
    std::vector<ExprPtr> filled = defaults;
    for (size_t i = 0; i < columns.size(); ++i) filled[columns[i]] = row[i];
    rows.push_back(std::move(filled));
  }
  return NewValues(all, std::move(rows));
}

// What is inserted: VALUES row by row for their columns, or a query.
absl::StatusOr<LogicalPtr> BindSource(const PgQuery__SelectStmt& select,
                                      const QueryEnvironment& environment, const Schema& columns,
                                      const std::vector<ExprPtr>& defaults) {
  const bool plain_values = select.n_values_lists > 0 && select.n_sort_clause == 0 &&
                            select.limit_count == nullptr && select.limit_offset == nullptr &&
                            select.with_clause == nullptr;
  if (!plain_values) return BindQuery(select, environment);
  for (const ParseNode* row : Nodes(select.n_values_lists, select.values_lists)) {
    const ParseNodes items = ItemsOf(row);
    if (items.size() <= columns.size()) continue;
    return TooMany("INSERT has more expressions than target columns",
                   environment.PositionOf(LocationOf(items[columns.size()])));
  }
  return BindInsertValues(select, environment, columns, defaults);
}

}  // namespace

absl::StatusOr<CatalogObjectPtr> StatementBinder::WritableTable(
    const PgQuery__RangeVar& name) const {
  MR_ASSIGN_OR_RETURN(CatalogObjectPtr object, FromBinder(environment_).FindObject(name));
  const auto refuse = [&](absl::string_view message) {
    return WithPosition(MakeError(SqlState::kWrongObjectType, message), PositionOf(name.location));
  };
  if (object->kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW) {
    return refuse(absl::StrCat("cannot change materialized view \"", object->name(), "\""));
  }
  if (object->kind() == v1::OBJECT_KIND_VIEW) {
    return refuse(absl::StrCat("cannot insert into view \"", object->name(), "\""));
  }
  if (object->connector() == kSystemConnector) {
    return refuse(absl::StrCat("cannot change system view \"", object->name(), "\""));
  }
  return object;
}

absl::StatusOr<std::vector<int>> StatementBinder::TargetColumns(
    const v1::CatalogObject& table, const std::vector<std::string>& names,
    const std::vector<int32_t>& positions) const {
  std::vector<std::string> known;
  for (const v1::Field& field : table.columns()) known.push_back(field.name());
  std::vector<int> columns;
  if (names.empty()) {
    for (size_t i = 0; i < known.size(); ++i) columns.push_back(static_cast<int>(i));
    return columns;
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const auto found = std::find(known.begin(), known.end(), names[i]);
    if (found == known.end()) {
      const std::string nearest = NearestName(names[i], known);
      return WithPosition(
          MakeError(SqlState::kUndefinedColumn,
                    absl::StrCat("column \"", names[i], "\" of relation \"", table.name(),
                                 "\" does not exist"),
                    nearest.empty() ? "" : absl::StrCat("Perhaps you meant \"", nearest, "\".")),
          positions[i]);
    }
    const int column = static_cast<int>(found - known.begin());
    if (std::find(columns.begin(), columns.end(), column) != columns.end()) {
      return WithPosition(
          MakeError(SqlState::kDuplicateColumn,
                    absl::StrCat("column \"", names[i], "\" specified more than once")),
          positions[i]);
    }
    columns.push_back(column);
  }
  return columns;
}

absl::StatusOr<LogicalPtr> StatementBinder::FillColumns(LogicalPtr plan,
                                                        const v1::CatalogObject& table,
                                                        const std::vector<int>& columns) const {
  Schema all;
  for (const v1::Field& field : table.columns()) all.push_back(FromProto(field));
  const bool identity =
      columns.size() == all.size() && std::is_sorted(columns.begin(), columns.end());
  if (identity) return plan;
  MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> exprs, DefaultsOf(table, AllColumns(table)));
  if (plan->kind == LogicalKind::kValues) {
    return FillValues(static_cast<const LogicalValues&>(*plan), all, exprs, columns);
  }
  std::vector<std::string> names;
  for (const Field& field : all) names.push_back(field.name);
  for (size_t i = 0; i < columns.size(); ++i) {
    exprs[columns[i]] = MakeColumn(static_cast<int>(i), plan->output[i].type);
  }
  return NewProject(std::move(plan), std::move(exprs), names);
}

// INSERT INTO t DEFAULT VALUES.
absl::StatusOr<BoundInsert> StatementBinder::BindDefaultRow(BoundInsert bound,
                                                            int32_t location) const {
  const std::vector<int> columns = AllColumns(*bound.target);
  if (columns.empty()) {
    return WithPosition(NotSupported("DEFAULT VALUES for a table without columns"),
                        PositionOf(location));
  }
  MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> row, DefaultsOf(*bound.target, columns));
  MR_ASSIGN_OR_RETURN(
      bound.plan, WithNotNullChecks(NewValues(ColumnsOf(*bound.target, columns), {std::move(row)}),
                                    *bound.target, PositionOf(location)));
  return bound;
}

absl::StatusOr<BoundInsert> StatementBinder::BindInsert(const PgQuery__InsertStmt& insert) {
  const int32_t location = insert.relation->location;
  if (insert.on_conflict_clause != nullptr) {
    return Refuse("ON CONFLICT", insert.on_conflict_clause->location);
  }
  if (insert.n_returning_list > 0) {
    return Refuse("RETURNING", LocationOf(insert.returning_list[0]));
  }
  BoundInsert bound;
  bound.name_position = PositionOf(location);
  if (const auto& begin = statement_.prepass().emit_begin; begin.has_value()) {
    bound.emit_on_window_close = true;
    bound.emit_position = PositionOf(*begin);
  }
  MR_ASSIGN_OR_RETURN(bound.target, WritableTable(*insert.relation));
  std::vector<std::string> names;
  std::vector<int32_t> positions;
  for (const ParseNode* node : Nodes(insert.n_cols, insert.cols)) {
    const PgQuery__ResTarget& column = *node->res_target;
    if (column.n_indirection > 0) return Refuse("INSERT into a part of a column", column.location);
    names.emplace_back(column.name);
    positions.push_back(PositionOf(column.location));
  }
  WithScope scope;
  QueryEnvironment environment = environment_;
  if (insert.with_clause != nullptr) {
    MR_RETURN_IF_ERROR(BindWith(*insert.with_clause, environment, &scope));
    environment.with = &scope;
  }
  if (insert.select_stmt == nullptr) return BindDefaultRow(std::move(bound), location);
  const PgQuery__SelectStmt& select = *insert.select_stmt->select_stmt;
  if (bound.target->columns().empty()) {
    // Files whose columns are those of what is written.
    MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindQuery(select, environment));
    MR_ASSIGN_OR_RETURN(plan, ResolveUnknownColumns(std::move(plan)));
    MR_ASSIGN_OR_RETURN(bound.plan,
                        WithColumnNames(std::move(plan), nullptr, 0, PositionOf(location)));
    return bound;
  }
  MR_ASSIGN_OR_RETURN(const std::vector<int> columns,
                      TargetColumns(*bound.target, names, positions));
  const Schema schema = ColumnsOf(*bound.target, columns);
  MR_ASSIGN_OR_RETURN(const std::vector<ExprPtr> defaults, DefaultsOf(*bound.target, columns));
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindSource(select, environment, schema, defaults));
  const size_t width = plan->output.size();
  if (width > schema.size()) {
    const ExprPtr extra = OutputExpr(*plan, schema.size());
    return TooMany("INSERT has more expressions than target columns",
                   extra == nullptr ? PositionOf(location) : extra->position);
  }
  if (width < schema.size() && !names.empty()) {
    return TooMany("INSERT has more target columns than expressions", positions[width]);
  }
  std::vector<SqlType> types;
  for (size_t i = 0; i < width; ++i) types.push_back(schema[i].type);
  const auto explain = [&](size_t i, absl::Status status) {
    return ExplainAssignment(std::move(status), schema[i], plan->output[i].type);
  };
  MR_ASSIGN_OR_RETURN(LogicalPtr cast, CastOutput(plan, types, CastContext::kAssignment, explain));
  const std::vector<int> filled(columns.begin(), columns.begin() + static_cast<int64_t>(width));
  MR_ASSIGN_OR_RETURN(LogicalPtr rows, FillColumns(std::move(cast), *bound.target, filled));
  MR_ASSIGN_OR_RETURN(bound.plan,
                      WithNotNullChecks(std::move(rows), *bound.target, PositionOf(location)));
  return bound;
}

}  // namespace millrace
