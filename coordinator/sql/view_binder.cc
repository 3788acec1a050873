#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/statement_binder.h"

// The members of StatementBinder for CREATE VIEW, CREATE MATERIALIZED VIEW and CREATE TABLE AS.

namespace millrace {
namespace {

// 'on_window_close' or 'changes'.
absl::StatusOr<bool> EmitsOnWindowClose(const BoundOptions& options) {
  for (const auto& [key, value] : options.values) {
    if (key == "emit") continue;
    return WithPosition(
        MakeError(SqlState::kInvalidParameterValue,
                  absl::StrCat("unknown option \"", key, "\" of a materialized view"),
                  NearestNameHint(key, {"emit"})),
        options.positions.at(key));
  }
  const auto emit = options.values.find("emit");
  if (emit == options.values.end()) return false;
  const std::string value = absl::AsciiStrToLower(emit->second);
  if (value == "on_window_close") return true;
  if (value == "changes") return false;
  return WithPosition(
      MakeError(SqlState::kInvalidParameterValue,
                absl::StrCat("invalid value for option \"emit\": \"", emit->second, "\""),
                "It takes 'on_window_close' or 'changes'."),
      options.positions.at("emit"));
}

}  // namespace

absl::StatusOr<BoundCreateView> StatementBinder::BindCreateView(const PgQuery__ViewStmt& create) {
  BoundCreateView view;
  const int32_t location = create.view->location;
  view.name_position = PositionOf(location);
  view.or_replace = create.replace;
  if (create.n_options > 0) return Refuse("an option of a view", location);
  const bool checks =
      create.with_check_option == PG_QUERY__VIEW_CHECK_OPTION__LOCAL_CHECK_OPTION ||
      create.with_check_option == PG_QUERY__VIEW_CHECK_OPTION__CASCADED_CHECK_OPTION;
  if (checks) return Refuse("WITH CHECK OPTION", location);
  MR_ASSIGN_OR_RETURN(view.name, NewObjectName(*create.view, create.replace));
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindWholeQuery(*create.query));
  MR_ASSIGN_OR_RETURN(view.plan, WithColumnNames(std::move(plan), create.aliases, create.n_aliases,
                                                 view.name_position));
  view.query = QueryText();
  view.depends_on.assign(session_.named_objects.begin(), session_.named_objects.end());
  return view;
}

absl::StatusOr<BoundCreateView> StatementBinder::BindMaterializedView(
    const PgQuery__CreateTableAsStmt& create) {
  BoundCreateView view;
  const PgQuery__IntoClause& into = *create.into;
  const int32_t location = into.rel->location;
  view.name_position = PositionOf(location);
  view.materialized = true;
  view.if_not_exists = create.if_not_exists;
  if (into.skip_data) return Refuse("WITH NO DATA", location);
  if (into.table_space_name[0] != '\0') return Refuse("TABLESPACE", location);
  if (into.access_method[0] != '\0') return Refuse("USING", location);
  MR_ASSIGN_OR_RETURN(view.name, NewObjectName(*into.rel, create.if_not_exists));
  MR_ASSIGN_OR_RETURN(const BoundOptions options, ReadOptions(into.options, into.n_options));
  MR_ASSIGN_OR_RETURN(view.emit_on_window_close, EmitsOnWindowClose(options));
  if (view.emit_on_window_close) view.emit_position = options.positions.at("emit");
  if (const auto& begin = statement_.prepass().emit_begin; begin.has_value()) {
    view.emit_on_window_close = true;
    view.emit_position = PositionOf(*begin);
  }
  view.options = options.values;
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindWholeQuery(*create.query));
  MR_ASSIGN_OR_RETURN(view.plan, WithColumnNames(std::move(plan), into.col_names, into.n_col_names,
                                                 view.name_position));
  view.query = QueryText();
  view.depends_on.assign(session_.named_objects.begin(), session_.named_objects.end());
  return view;
}

absl::StatusOr<BoundCreateTableAs> StatementBinder::BindCreateTableAs(
    const PgQuery__CreateTableAsStmt& create) {
  BoundCreateTableAs table;
  const PgQuery__IntoClause& into = *create.into;
  const int32_t location = into.rel->location;
  table.name_position = PositionOf(location);
  table.if_not_exists = create.if_not_exists;
  if (into.skip_data) return Refuse("WITH NO DATA", location);
  if (into.n_options > 0) {
    return WithHint(Refuse("CREATE TABLE AS with options", into.options[0]->def_elem->location),
                    "Create the outside table first, then INSERT into it.");
  }
  if (into.table_space_name[0] != '\0') return Refuse("TABLESPACE", location);
  if (into.access_method[0] != '\0') return Refuse("USING", location);
  MR_ASSIGN_OR_RETURN(table.name, NewObjectName(*into.rel, create.if_not_exists));
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindWholeQuery(*create.query));
  MR_ASSIGN_OR_RETURN(table.plan, WithColumnNames(std::move(plan), into.col_names, into.n_col_names,
                                                  table.name_position));
  return table;
}

}  // namespace millrace
