#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/types/calendar.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/statement_binder.h"
#include "coordinator/sql/statement_limits.h"

// StatementBinder::BindCreateTable: CREATE TABLE and CREATE SOURCE.

namespace millrace {
namespace {

class TableDefinition {
 public:
  TableDefinition(const QueryEnvironment& environment, const PgQuery__CreateStmt& create,
                  BoundCreateTable& table)
      : environment_(environment), create_(create), table_(table) {}

  absl::Status CheckClauses() const;
  absl::Status AddElements();
  absl::Status AddWatermark();

 private:
  absl::Status AddColumn(const PgQuery__ColumnDef& column);
  absl::Status AddColumnConstraint(const PgQuery__Constraint& constraint, int column);
  absl::Status AddDefault(const PgQuery__Node& node, int column);
  absl::Status AddTableConstraint(const PgQuery__Constraint& constraint);
  absl::Status SetPrimaryKey(const std::vector<int>& columns, int32_t location);
  absl::Status RefuseConstraint(const PgQuery__Constraint& constraint) const;
  int ColumnNamed(absl::string_view name) const;
  absl::StatusOr<int64_t> WatermarkDelay(const PgQuery__Node& expr) const;
  absl::Status BadWatermark(int32_t location) const;
  absl::Status Refuse(absl::string_view what, int32_t location) const {
    return WithPosition(NotSupported(what), environment_.PositionOf(location));
  }

  const QueryEnvironment& environment_;
  const PgQuery__CreateStmt& create_;
  BoundCreateTable& table_;
  std::vector<int> nullable_;
};

absl::Status TableDefinition::CheckClauses() const {
  const int32_t location = create_.relation->location;
  if (create_.n_inh_relations > 0) return Refuse("INHERITS", location);
  if (create_.partspec != nullptr || create_.partbound != nullptr) {
    return Refuse("PARTITION", location);
  }
  if (create_.of_typename != nullptr) return Refuse("CREATE TABLE … OF", location);
  if (create_.tablespacename[0] != '\0') return Refuse("TABLESPACE", location);
  if (create_.access_method[0] != '\0') return Refuse("USING", location);
  return absl::OkStatus();
}

int TableDefinition::ColumnNamed(absl::string_view name) const {
  for (size_t i = 0; i < table_.columns.size(); ++i) {
    if (table_.columns[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

absl::Status TableDefinition::AddElements() {
  // Constraints of the table may name columns that stand behind them.
  for (const ParseNode* element : Nodes(create_.n_table_elts, create_.table_elts)) {
    if (IsNode(element, PG_QUERY__NODE__NODE_COLUMN_DEF)) {
      MR_RETURN_IF_ERROR(AddColumn(*element->column_def));
    } else if (!IsNode(element, PG_QUERY__NODE__NODE_CONSTRAINT)) {
      return Refuse("LIKE in CREATE TABLE", create_.relation->location);
    }
  }
  for (const ParseNode* element : Nodes(create_.n_table_elts, create_.table_elts)) {
    if (IsNode(element, PG_QUERY__NODE__NODE_CONSTRAINT)) {
      MR_RETURN_IF_ERROR(AddTableConstraint(*element->constraint));
    }
  }
  std::sort(table_.not_null_columns.begin(), table_.not_null_columns.end());
  table_.not_null_columns.erase(
      std::unique(table_.not_null_columns.begin(), table_.not_null_columns.end()),
      table_.not_null_columns.end());
  table_.has_columns = !table_.columns.empty();
  return absl::OkStatus();
}

absl::Status TableDefinition::AddColumn(const PgQuery__ColumnDef& column) {
  const int32_t position = environment_.PositionOf(column.location);
  if (table_.columns.size() >= kMaxTableColumns) {
    return WithPosition(
        MakeError(SqlState::kTooManyColumns,
                  absl::StrCat("tables can have at most ", kMaxTableColumns, " columns")),
        position);
  }
  if (ColumnNamed(column.colname) >= 0) {
    return WithPosition(
        MakeError(SqlState::kDuplicateColumn,
                  absl::StrCat("column \"", column.colname, "\" specified more than once")),
        position);
  }
  if (column.coll_clause != nullptr) return Refuse("COLLATE of a column", column.location);
  if (column.compression[0] != '\0') return Refuse("COMPRESSION of a column", column.location);
  MR_ASSIGN_OR_RETURN(const SqlType type, BindTypeName(*column.type_name, environment_));
  const int index = static_cast<int>(table_.columns.size());
  table_.columns.push_back(Field{column.colname, type});
  for (const ParseNode* node : Nodes(column.n_constraints, column.constraints)) {
    MR_RETURN_IF_ERROR(AddColumnConstraint(*node->constraint, index));
  }
  return absl::OkStatus();
}

absl::Status TableDefinition::RefuseConstraint(const PgQuery__Constraint& constraint) const {
  switch (constraint.contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
      return Refuse("CHECK", constraint.location);
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
      return Refuse("UNIQUE", constraint.location);
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
      return Refuse("a foreign key", constraint.location);
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
      return Refuse("an identity column", constraint.location);
    case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
      return Refuse("a generated column", constraint.location);
    case PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION:
      return Refuse("EXCLUDE", constraint.location);
    default:
      return Refuse("a deferrable constraint", constraint.location);
  }
}

absl::Status TableDefinition::AddColumnConstraint(const PgQuery__Constraint& constraint,
                                                  int column) {
  const auto contains = [&](const std::vector<int>& columns) {
    return std::find(columns.begin(), columns.end(), column) != columns.end();
  };
  switch (constraint.contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_NULL:
      nullable_.push_back(column);
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
      table_.not_null_columns.push_back(column);
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
      MR_RETURN_IF_ERROR(SetPrimaryKey({column}, constraint.location));
      break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
      MR_RETURN_IF_ERROR(AddDefault(*constraint.raw_expr, column));
      break;
    default:
      return RefuseConstraint(constraint);
  }
  if (!contains(nullable_) || !contains(table_.not_null_columns)) return absl::OkStatus();
  return WithPosition(
      MakeError(SqlState::kSyntaxError,
                absl::StrCat("conflicting NULL/NOT NULL declarations for column \"",
                             table_.columns[column].name, "\" of table \"", table_.name, "\"")),
      environment_.PositionOf(constraint.location));
}

absl::Status TableDefinition::AddDefault(const PgQuery__Node& node, int column) {
  const Field& field = table_.columns[column];
  const int32_t position = environment_.PositionOf(LocationOf(&node));
  if (table_.defaults.contains(column)) {
    return WithPosition(MakeError(SqlState::kSyntaxError,
                                  absl::StrCat("multiple default values specified for column \"",
                                               field.name, "\" of table \"", table_.name, "\"")),
                        position);
  }
  const Scope no_columns;
  ExpressionBinder binder(environment_, no_columns, Clause::kDefault, nullptr);
  absl::StatusOr<ExprPtr> expr = binder.Bind(&node);
  if (GetErrorDetail(expr.status()).state == SqlState::kUndefinedColumn) {
    return WithPosition(NotSupported("a column in a DEFAULT expression"),
                        GetErrorDetail(expr.status()).position);
  }
  MR_RETURN_IF_ERROR(expr.status());
  const SqlType found = (*expr)->type;
  absl::StatusOr<ExprPtr> cast =
      BuildCast(*std::move(expr), field.type, CastContext::kAssignment, position);
  if (!cast.ok() && GetErrorDetail(cast.status()).state == SqlState::kCannotCoerce) {
    return WithPosition(
        MakeError(SqlState::kDatatypeMismatch,
                  absl::StrCat("column \"", field.name, "\" is of type ", TypeName(field.type),
                               " but default expression is of type ", TypeName(found)),
                  "You will need to rewrite or cast the expression."),
        position);
  }
  MR_RETURN_IF_ERROR(cast.status());
  table_.defaults[column] = *std::move(cast);
  return absl::OkStatus();
}

absl::Status TableDefinition::AddTableConstraint(const PgQuery__Constraint& constraint) {
  if (constraint.contype != PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY) {
    return RefuseConstraint(constraint);
  }
  const int32_t position = environment_.PositionOf(constraint.location);
  std::vector<int> columns;
  for (const ParseNode* key : Nodes(constraint.n_keys, constraint.keys)) {
    const int column = ColumnNamed(StringOf(key));
    if (column < 0) {
      return WithPosition(
          MakeError(SqlState::kUndefinedColumn,
                    absl::StrCat("column \"", StringOf(key), "\" named in key does not exist")),
          position);
    }
    if (std::find(columns.begin(), columns.end(), column) != columns.end()) {
      return WithPosition(MakeError(SqlState::kDuplicateColumn,
                                    absl::StrCat("column \"", StringOf(key),
                                                 "\" appears twice in primary key constraint")),
                          position);
    }
    columns.push_back(column);
  }
  return SetPrimaryKey(columns, constraint.location);
}

absl::Status TableDefinition::SetPrimaryKey(const std::vector<int>& columns, int32_t location) {
  if (!table_.primary_key.empty()) {
    return WithPosition(MakeError(SqlState::kInvalidTableDefinition,
                                  absl::StrCat("multiple primary keys for table \"", table_.name,
                                               "\" are not allowed")),
                        environment_.PositionOf(location));
  }
  table_.primary_key = columns;
  table_.not_null_columns.insert(table_.not_null_columns.end(), columns.begin(), columns.end());
  return absl::OkStatus();
}

absl::Status TableDefinition::BadWatermark(int32_t location) const {
  return WithPosition(MakeError(SqlState::kFeatureNotSupported,
                                "a watermark must be its column, minus a constant interval",
                                "Write WATERMARK FOR ts AS ts - INTERVAL '5' SECOND."),
                      environment_.PositionOf(location));
}

// The delay of "column - interval", or of the column alone.
absl::StatusOr<int64_t> TableDefinition::WatermarkDelay(const PgQuery__Node& expr) const {
  const std::string& column = *table_.watermark_column;
  const auto is_column = [&](const ParseNode* node) {
    return IsNode(node, PG_QUERY__NODE__NODE_COLUMN_REF) && node->column_ref->n_fields == 1 &&
           StringOf(node->column_ref->fields[0]) == column;
  };
  if (is_column(&expr)) return 0;
  const bool difference = IsNode(&expr, PG_QUERY__NODE__NODE_A_EXPR) &&
                          LastName(Nodes(expr.a_expr->n_name, expr.a_expr->name)) == "-" &&
                          is_column(expr.a_expr->lexpr);
  if (!difference) return BadWatermark(LocationOf(&expr));
  const int32_t location = LocationOf(expr.a_expr->rexpr);
  const int32_t position = environment_.PositionOf(location);
  const Scope no_columns;
  ExpressionBinder binder(environment_, no_columns, Clause::kWatermark, nullptr);
  MR_ASSIGN_OR_RETURN(ExprPtr delay, binder.Bind(expr.a_expr->rexpr));
  MR_ASSIGN_OR_RETURN(delay, BuildCast(std::move(delay), SqlType::Of(TypeId::kInterval),
                                       CastContext::kImplicit, position));
  MR_ASSIGN_OR_RETURN(const Value value, ConstantValue(*delay, environment_));
  const auto* parts = std::get_if<IntervalParts>(&value.value);
  int64_t micros = 0;
  if (parts == nullptr || parts->months != 0 ||
      __builtin_mul_overflow(int64_t{parts->days}, kMicrosPerDay, &micros) ||
      __builtin_add_overflow(micros, parts->micros, &micros) || micros < 0) {
    return WithPosition(
        MakeError(SqlState::kInvalidParameterValue,
                  "the delay of a watermark must be a positive interval without months"),
        position);
  }
  return micros;
}

absl::Status TableDefinition::AddWatermark() {
  const std::optional<WatermarkClause>& clause = environment_.statement.prepass().watermark;
  if (!clause.has_value()) return absl::OkStatus();
  table_.watermark_column = clause->column;
  const int32_t position = environment_.PositionOf(clause->column_begin);
  if (!table_.columns.empty()) {
    const int column = ColumnNamed(clause->column);
    if (column < 0) {
      return WithPosition(MakeError(SqlState::kUndefinedColumn,
                                    absl::StrCat("column \"", clause->column, "\" does not exist")),
                          position);
    }
    const SqlType type = table_.columns[column].type;
    if (!type.is_timestamp()) {
      return WithPosition(
          MakeError(
              SqlState::kDatatypeMismatch,
              absl::StrCat("the column of a watermark must be a timestamp, not ", TypeName(type))),
          position);
    }
  }
  MR_ASSIGN_OR_RETURN(table_.watermark_delay_micros,
                      WatermarkDelay(*environment_.statement.watermark_expr()));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BoundCreateTable> StatementBinder::BindCreateTable(
    const PgQuery__CreateStmt& create) {
  BoundCreateTable table;
  table.if_not_exists = create.if_not_exists;
  table.name_position = PositionOf(create.relation->location);
  MR_ASSIGN_OR_RETURN(table.name, NewObjectName(*create.relation, create.if_not_exists));
  TableDefinition definition(environment_, create, table);
  MR_RETURN_IF_ERROR(definition.CheckClauses());
  MR_RETURN_IF_ERROR(definition.AddElements());
  MR_RETURN_IF_ERROR(definition.AddWatermark());
  MR_ASSIGN_OR_RETURN(BoundOptions options, ReadOptions(create.options, create.n_options));
  table.options = std::move(options.values);
  table.options_position = options.position;
  const bool outside = table.options.contains("connector");
  if (outside && !table.defaults.empty()) {
    return WithPosition(NotSupported("DEFAULT of a column of outside data"), table.name_position);
  }
  if (outside) return table;
  const auto error = [&](absl::string_view message, absl::string_view hint, int32_t position) {
    return WithPosition(MakeError(SqlState::kInvalidTableDefinition, message, hint), position);
  };
  if (statement_.prepass().head == StatementHead::kSource) {
    return error("a source needs a connector", "Write WITH (connector = 'file', path = '…').",
                 table.name_position);
  }
  if (!table.options.empty()) {
    return error("a stored table has no options",
                 "For outside data write WITH (connector = '…', …).", table.options_position);
  }
  if (table.watermark_column.has_value()) {
    return error("a stored table has no watermark",
                 "For outside data write WITH (connector = '…', …).",
                 PositionOf(statement_.prepass().watermark->column_begin));
  }
  if (!table.has_columns) {
    return error("a stored table needs at least one column",
                 "For outside data write WITH (connector = '…', …).", table.name_position);
  }
  return table;
}

}  // namespace millrace
