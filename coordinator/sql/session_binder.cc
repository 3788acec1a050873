#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/sql/from_binder.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/settings.h"
#include "coordinator/sql/statement_binder.h"

// The members of StatementBinder for SHOW, SET, RESET and DESCRIBE.

namespace millrace {

absl::StatusOr<BoundShow> StatementBinder::BindShow(const PgQuery__VariableShowStmt& show) {
  BoundShow bound;
  bound.what = absl::AsciiStrToLower(show.name);
  for (const char* known : {"tables", "views", "sinks", "jobs", "functions", "all"}) {
    if (bound.what == known) return bound;
  }
  const absl::Status found = FindSetting(bound.what).status();
  if (!found.ok()) return WithPosition(found, PositionOfName(bound.what));
  return bound;
}

absl::StatusOr<BoundSet> StatementBinder::BindSet(const PgQuery__VariableSetStmt& set) {
  BoundSet bound;
  bound.name = absl::AsciiStrToLower(set.name);
  if (set.is_local) return Refuse("SET LOCAL", 0);
  if (set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL) {
    bound.name = "all";
    return bound;
  }
  const bool one_variable = set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE ||
                            set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT ||
                            set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET;
  if (!one_variable) return Refuse("this form of SET", 0);
  const int32_t position = PositionOfName(bound.name == "timezone" ? "time" : bound.name);
  const absl::Status found = FindSetting(bound.name).status();
  if (!found.ok()) return WithPosition(found, position);
  if (set.kind != PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE) return bound;
  if (set.n_args != 1) {
    return WithPosition(MakeError(SqlState::kInvalidParameterValue,
                                  absl::StrCat("SET ", bound.name, " takes only one argument")),
                        position);
  }
  const std::optional<std::string> value = OptionText(*set.args[0]);
  if (!value.has_value()) return Refuse("this value in SET", LocationOf(set.args[0]));
  absl::StatusOr<std::string> normalized = NormalizeSetting(bound.name, *value);
  if (!normalized.ok()) {
    return WithPosition(normalized.status(), PositionOf(LocationOf(set.args[0])));
  }
  bound.value = *std::move(normalized);
  return bound;
}

absl::StatusOr<CatalogObjectPtr> StatementBinder::OneName(const PgQuery__SelectStmt& table,
                                                          absl::string_view what) const {
  const bool one_name =
      table.n_from_clause == 1 && table.n_sort_clause == 0 && table.limit_count == nullptr &&
      table.limit_offset == nullptr && table.op == PG_QUERY__SET_OPERATION__SETOP_NONE &&
      table.n_locking_clause == 0 && IsNode(table.from_clause[0], PG_QUERY__NODE__NODE_RANGE_VAR) &&
      table.from_clause[0]->range_var->alias == nullptr;
  if (!one_name) {
    return WithPosition(MakeError(SqlState::kSyntaxError, absl::StrCat(what, " takes one name")),
                        PositionOf(statement_.prepass().tokens[0].begin));
  }
  return FromBinder(environment_).FindObject(*table.from_clause[0]->range_var);
}

absl::StatusOr<BoundDescribe> StatementBinder::BindDescribe(const PgQuery__SelectStmt& table) {
  BoundDescribe bound;
  MR_ASSIGN_OR_RETURN(bound.object, OneName(table, "DESCRIBE"));
  return bound;
}

}  // namespace millrace
