#include "coordinator/sql/order_and_limit.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/window_definition.h"

namespace millrace {
namespace {

// Absent: no limit.
absl::StatusOr<std::optional<int64_t>> BindCount(const ParseNode* node, Clause clause,
                                                 const QueryEnvironment& environment) {
  if (node == nullptr) return std::optional<int64_t>();
  const int32_t position = environment.PositionOf(LocationOf(node));
  const Scope no_columns;
  ExpressionBinder binder(environment, no_columns, clause, nullptr);
  absl::StatusOr<ExprPtr> bound = binder.Bind(node);
  if (!bound.ok()) {
    if (GetErrorDetail(bound.status()).state != SqlState::kUndefinedColumn) return bound.status();
    return WithPosition(
        MakeError(SqlState::kInvalidColumnReference,
                  absl::StrCat("argument of ", ClauseName(clause), " must not contain variables")),
        position);
  }
  MR_ASSIGN_OR_RETURN(const ExprPtr expr, BuildCast(*std::move(bound), SqlType::Of(TypeId::kInt64),
                                                    CastContext::kAssignment, position));
  MR_ASSIGN_OR_RETURN(const Value value, ConstantValue(*expr, environment));
  if (value.is_null()) return std::optional<int64_t>();
  const int64_t count = std::get<int64_t>(value.value);
  if (count < 0) {
    return WithPosition(MakeError(clause == Clause::kLimit ? SqlState::kInvalidRowCountInLimit
                                                           : SqlState::kInvalidRowCountInOffset,
                                  absl::StrCat(ClauseName(clause), " must not be negative")),
                        position);
  }
  return std::optional<int64_t>(count);
}

// The result column that a bare name means.
absl::StatusOr<std::optional<size_t>> NamedColumn(const LogicalNode& plan, const ParseNode& node,
                                                  int32_t position) {
  std::optional<size_t> found;
  if (!IsNode(&node, PG_QUERY__NODE__NODE_COLUMN_REF) || node.column_ref->n_fields != 1)
    return found;
  const absl::string_view name = StringOf(node.column_ref->fields[0]);
  for (size_t i = 0; i < plan.output.size(); ++i) {
    if (plan.output[i].name != name) continue;
    if (found.has_value()) {
      return WithPosition(MakeError(SqlState::kAmbiguousColumn,
                                    absl::StrCat("ORDER BY \"", name, "\" is ambiguous")),
                          position);
    }
    found = i;
  }
  if (!found.has_value()) {
    return WithPosition(
        MakeError(SqlState::kUndefinedColumn, absl::StrCat("column \"", name, "\" does not exist")),
        position);
  }
  return found;
}

// The first rows of an order, and those behind them that it cannot tell from the last one.
absl::StatusOr<LogicalPtr> LimitWithTies(const LogicalPtr& sorted, int64_t limit, int64_t offset) {
  const SqlType bigint = SqlType::Of(TypeId::kInt64);
  const std::vector<SortKey> keys = static_cast<const LogicalSort&>(*sorted).keys;
  const LogicalPtr& input = sorted->inputs[0];
  OverCall rank;
  rank.ranking = "rank";
  rank.type = bigint;
  const size_t width = input->output.size();
  LogicalPtr ranked = NewOver(input, {}, keys, {rank});
  const int64_t last = offset > std::numeric_limits<int64_t>::max() - limit
                           ? std::numeric_limits<int64_t>::max()
                           : offset + limit;
  MR_ASSIGN_OR_RETURN(
      ExprPtr first_ones,
      BuildOperator(
          "<=", {MakeColumn(static_cast<int>(width), bigint), MakeLiteral(Value{bigint, last})},
          0));
  LogicalPtr kept = NewPrefix(NewFilter(std::move(ranked), std::move(first_ones)), width);
  kept = NewSort(std::move(kept), keys);
  return offset == 0 ? kept
                     : NewLimit(std::move(kept), std::nullopt, static_cast<uint64_t>(offset));
}

}  // namespace

absl::StatusOr<LogicalPtr> BindLimit(LogicalPtr plan, const PgQuery__SelectStmt& select,
                                     const QueryEnvironment& environment) {
  MR_ASSIGN_OR_RETURN(const std::optional<int64_t> offset,
                      BindCount(select.limit_offset, Clause::kOffset, environment));
  MR_ASSIGN_OR_RETURN(const std::optional<int64_t> limit,
                      BindCount(select.limit_count, Clause::kLimit, environment));
  if (!limit.has_value() && offset.value_or(0) == 0) return plan;
  const bool with_ties = select.limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES;
  if (with_ties && limit.has_value() && plan->kind == LogicalKind::kSort) {
    return LimitWithTies(std::move(plan), *limit, offset.value_or(0));
  }
  std::optional<uint64_t> rows;
  if (limit.has_value()) rows = static_cast<uint64_t>(*limit);
  return NewLimit(std::move(plan), rows, static_cast<uint64_t>(offset.value_or(0)));
}

absl::StatusOr<std::optional<size_t>> OrdinalOf(const PgQuery__Node& element, size_t num_targets,
                                                absl::string_view clause, int32_t position) {
  if (element.node_case != PG_QUERY__NODE__NODE_A_CONST) return std::optional<size_t>();
  const PgQuery__AConst& constant = *element.a_const;
  if (constant.val_case != PG_QUERY__A__CONST__VAL_IVAL || constant.isnull) {
    return WithPosition(
        MakeError(SqlState::kSyntaxError, absl::StrCat("non-integer constant in ", clause)),
        position);
  }
  const int64_t ordinal = constant.ival == nullptr ? 0 : constant.ival->ival;
  if (ordinal < 1 || static_cast<uint64_t>(ordinal) > num_targets) {
    return WithPosition(
        MakeError(SqlState::kInvalidColumnReference,
                  absl::StrCat(clause, " position ", ordinal, " is not in select list")),
        position);
  }
  return std::optional<size_t>(ordinal - 1);
}

absl::StatusOr<LogicalPtr> BindResultOrder(LogicalPtr plan, const PgQuery__SelectStmt& select,
                                           const QueryEnvironment& environment) {
  std::vector<SortKey> keys;
  for (const ParseNode* node : Nodes(select.n_sort_clause, select.sort_clause)) {
    const PgQuery__SortBy& sort = *node->sort_by;
    const int32_t position = environment.PositionOf(LocationOf(sort.node));
    MR_ASSIGN_OR_RETURN(std::optional<size_t> column,
                        OrdinalOf(*sort.node, plan->output.size(), "ORDER BY", position));
    if (!column.has_value()) {
      MR_ASSIGN_OR_RETURN(column, NamedColumn(*plan, *sort.node, position));
    }
    if (!column.has_value()) {
      return WithPosition(
          MakeError(SqlState::kFeatureNotSupported,
                    "invalid UNION/INTERSECT/EXCEPT ORDER BY clause",
                    "Only result column names can be used, not expressions or functions. Add the "
                    "expression to every SELECT, or move the UNION into a FROM clause."),
          position);
    }
    ExprPtr expr = MakeColumn(static_cast<int>(*column), plan->output[*column].type, position);
    MR_ASSIGN_OR_RETURN(SortKey key, MakeSortKey(sort, std::move(expr), environment));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return plan;
  return NewSort(std::move(plan), std::move(keys));
}

}  // namespace millrace
