#include "coordinator/sql/values_binder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/expr_rewrite.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/parse_tree.h"

namespace millrace {
namespace {

// The rows of one VALUES; a row with subqueries has parts of its own.
struct ValuesRow {
  std::vector<ExprPtr> exprs;
  SelectParts parts;
};

class ValuesBinder {
 public:
  explicit ValuesBinder(const QueryEnvironment& environment) : environment_(environment) {}

  // `defaults`: what DEFAULT means in each place; null: it is not allowed.
  absl::Status BindRows(const PgQuery__SelectStmt& query, const std::vector<ExprPtr>* defaults);
  std::vector<ValuesRow>& rows() { return rows_; }
  // The rows as one relation. Their expressions have the columns' types.
  absl::StatusOr<LogicalPtr> Build(const Schema& columns);

 private:
  absl::StatusOr<LogicalPtr> BuildRow(ValuesRow& row, const Schema& columns);

  const QueryEnvironment& environment_;
  std::vector<ValuesRow> rows_;
};

absl::Status ValuesBinder::BindRows(const PgQuery__SelectStmt& query,
                                    const std::vector<ExprPtr>* defaults) {
  const Scope no_columns;
  for (const ParseNode* list : Nodes(query.n_values_lists, query.values_lists)) {
    ValuesRow row;
    ExpressionBinder binder(environment_, no_columns, Clause::kValues, &row.parts);
    for (const ParseNode* item : ItemsOf(list)) {
      const size_t column = row.exprs.size();
      if (defaults != nullptr && column < defaults->size() &&
          IsNode(item, PG_QUERY__NODE__NODE_SET_TO_DEFAULT)) {
        row.exprs.push_back((*defaults)[column]);
        continue;
      }
      MR_ASSIGN_OR_RETURN(ExprPtr expr, binder.Bind(item));
      row.exprs.push_back(std::move(expr));
    }
    if (!rows_.empty() && rows_[0].exprs.size() != row.exprs.size()) {
      return WithPosition(
          MakeError(SqlState::kSyntaxError, "VALUES lists must all be the same length"),
          environment_.PositionOf(LocationOf(list)));
    }
    rows_.push_back(std::move(row));
  }
  return absl::OkStatus();
}

absl::StatusOr<LogicalPtr> ValuesBinder::BuildRow(ValuesRow& row, const Schema& columns) {
  std::vector<ExprPtr> values;
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, row.parts.input_subqueries.Attach(NewOneRow(), &values));
  std::vector<std::string> names;
  for (size_t i = 0; i < columns.size(); ++i) {
    row.exprs[i] = ResolvePlaceholders(row.exprs[i], kInputSubqueryBase, values);
    names.push_back(columns[i].name);
  }
  return NewProject(std::move(plan), std::move(row.exprs), names);
}

absl::StatusOr<LogicalPtr> ValuesBinder::Build(const Schema& columns) {
  std::vector<std::vector<ExprPtr>> plain;
  std::vector<LogicalPtr> members;
  for (ValuesRow& row : rows_) {
    if (row.parts.input_subqueries.empty()) {
      plain.push_back(std::move(row.exprs));
      continue;
    }
    MR_ASSIGN_OR_RETURN(LogicalPtr member, BuildRow(row, columns));
    members.push_back(std::move(member));
  }
  if (!plain.empty()) members.insert(members.begin(), NewValues(columns, std::move(plain)));
  return members.size() == 1 ? members[0] : NewUnionAll(std::move(members));
}

}  // namespace

absl::StatusOr<LogicalPtr> BindValues(const PgQuery__SelectStmt& query,
                                      const QueryEnvironment& environment) {
  ValuesBinder binder(environment);
  MR_RETURN_IF_ERROR(binder.BindRows(query, /*defaults=*/nullptr));
  Schema columns;
  std::vector<ValuesRow>& rows = binder.rows();
  for (size_t i = 0; i < rows[0].exprs.size(); ++i) {
    std::vector<ExprPtr> column;
    bool known = false;
    for (const ValuesRow& row : rows) {
      column.push_back(row.exprs[i]);
      known |= row.exprs[i]->type.id != TypeId::kUnknown;
    }
    SqlType type;
    if (known) {
      MR_ASSIGN_OR_RETURN(type, CommonType(column, "VALUES", column[0]->position));
      for (ValuesRow& row : rows) {
        MR_ASSIGN_OR_RETURN(row.exprs[i], BuildCast(row.exprs[i], type, CastContext::kImplicit,
                                                    row.exprs[i]->position));
      }
    }
    columns.push_back(Field{absl::StrCat("column", i + 1), type});
  }
  return binder.Build(columns);
}

absl::Status ExplainAssignment(absl::Status status, const Field& column, const SqlType& found) {
  const ErrorDetail detail = GetErrorDetail(status);
  const bool no_cast =
      detail.state == SqlState::kCannotCoerce || detail.state == SqlState::kDatatypeMismatch;
  if (status.ok() || !no_cast) return status;
  return WithPosition(
      MakeError(SqlState::kDatatypeMismatch,
                absl::StrCat("column \"", column.name, "\" is of type ", TypeName(column.type),
                             " but expression is of type ", TypeName(found)),
                "You will need to rewrite or cast the expression."),
      detail.position);
}

absl::StatusOr<LogicalPtr> BindInsertValues(const PgQuery__SelectStmt& query,
                                            const QueryEnvironment& environment,
                                            const Schema& columns,
                                            const std::vector<ExprPtr>& defaults) {
  ValuesBinder binder(environment);
  MR_RETURN_IF_ERROR(binder.BindRows(query, &defaults));
  const size_t width = binder.rows()[0].exprs.size();
  for (ValuesRow& row : binder.rows()) {
    for (size_t i = 0; i < width && i < columns.size(); ++i) {
      const SqlType found = row.exprs[i]->type;
      absl::StatusOr<ExprPtr> cast = BuildCast(row.exprs[i], columns[i].type,
                                               CastContext::kAssignment, row.exprs[i]->position);
      if (!cast.ok()) return ExplainAssignment(cast.status(), columns[i], found);
      row.exprs[i] = *std::move(cast);
    }
  }
  Schema output(columns.begin(),
                columns.begin() + static_cast<int64_t>(std::min(width, columns.size())));
  return binder.Build(output);
}

}  // namespace millrace
