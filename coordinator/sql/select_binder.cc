#include "coordinator/sql/select_binder.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/aggregate_plan.h"
#include "coordinator/sql/correlation.h"
#include "coordinator/sql/distinct_on.h"
#include "coordinator/sql/expr_rewrite.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/from_binder.h"
#include "coordinator/sql/order_and_limit.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/select_list.h"
#include "coordinator/sql/subquery_join.h"
#include "coordinator/sql/window_definition.h"
#include "coordinator/sql/window_plan.h"

namespace millrace {
namespace {

// Binds one SELECT. First every clause becomes expressions over the row of FROM, with placeholders
// for what needs an operator of its own; then the plan is built from the bottom up, and the
// placeholders are replaced step by step:
//
//   FROM → subqueries of WHERE → WHERE → subqueries in GROUP BY and aggregates → aggregation
//        → subqueries of the result → HAVING → windows → SELECT list → DISTINCT → ORDER BY → LIMIT
class SelectBinder {
 public:
  SelectBinder(const QueryEnvironment& environment, const PgQuery__SelectStmt& select)
      : environment_(environment), select_(select) {}

  absl::StatusOr<LogicalPtr> Bind();

 private:
  absl::Status CheckSupported() const;
  absl::Status BindClauses();
  void ReadDistinct();

  absl::Status BuildWhere();
  absl::Status TakeCorrelated(std::vector<ExprPtr>* conjuncts);
  absl::Status BuildAggregation();
  absl::Status GroupByCorrelation();
  absl::Status BuildHaving();
  absl::Status BuildWindows();
  absl::Status ExportForCorrelation();
  absl::StatusOr<LogicalPtr> BuildResult();

  // Calls `visit` for every expression that is needed above the aggregation.
  template <typename Visit>
  absl::Status ForEachResultExpr(const Visit& visit);
  absl::Status ResolveResultPlaceholders(int base, const std::vector<ExprPtr>& columns);
  bool aggregates() const {
    return !parts_.aggregates.empty() || select_.n_group_clause > 0 ||
           select_.having_clause != nullptr;
  }
  bool correlated() const { return !correlated_.empty(); }

  const QueryEnvironment& environment_;
  const PgQuery__SelectStmt& select_;
  FromPlan from_;
  SelectParts where_parts_;
  SelectParts parts_;
  Predicate where_;
  Predicate having_;
  std::vector<SelectTarget> targets_;
  std::vector<ExprPtr> group_keys_;
  std::vector<OrderItem> order_;
  bool distinct_ = false;
  // DISTINCT ON and its expressions.
  bool has_distinct_on_ = false;
  std::vector<OrderItem> distinct_on_;

  LogicalPtr plan_;
  // Conditions of WHERE with columns of the query around, and the columns that the plan exports for
  // them.
  std::vector<ExprPtr> correlated_;
  std::vector<ExprPtr> exported_;
};

absl::StatusOr<LogicalPtr> SelectBinder::Bind() {
  MR_RETURN_IF_ERROR(CheckSupported());
  ReadDistinct();
  MR_RETURN_IF_ERROR(BindClauses());
  plan_ = from_.plan;
  MR_RETURN_IF_ERROR(BuildWhere());
  MR_RETURN_IF_ERROR(BuildAggregation());
  MR_RETURN_IF_ERROR(BuildHaving());
  MR_RETURN_IF_ERROR(BuildWindows());
  MR_RETURN_IF_ERROR(ExportForCorrelation());
  return BuildResult();
}

absl::Status SelectBinder::CheckSupported() const {
  if (select_.into_clause != nullptr) {
    const PgQuery__RangeVar* target = select_.into_clause->rel;
    return WithPosition(WithHint(NotSupported("SELECT INTO"), "Write CREATE TABLE … AS SELECT."),
                        environment_.PositionOf(target == nullptr ? -1 : target->location));
  }
  return absl::OkStatus();
}

void SelectBinder::ReadDistinct() {
  if (select_.n_distinct_clause == 0) return;
  const ParseNode* first = select_.distinct_clause[0];
  const bool plain = first == nullptr || first->node_case == PG_QUERY__NODE__NODE__NOT_SET;
  (plain ? distinct_ : has_distinct_on_) = true;
}

absl::Status SelectBinder::BindClauses() {
  OuterQuery outer;
  QueryEnvironment from_environment = environment_;
  if (environment_.outer != nullptr) {
    outer = *environment_.outer;
    outer.correlation = nullptr;
    from_environment.outer = &outer;
  }
  MR_ASSIGN_OR_RETURN(
      from_, FromBinder(from_environment).BindList(select_.from_clause, select_.n_from_clause));
  for (const ParseNode* node : Nodes(select_.n_window_clause, select_.window_clause)) {
    parts_.named_windows.push_back(node->window_def);
  }
  MR_RETURN_IF_ERROR(CheckWindowNames(environment_, parts_.named_windows));

  ExpressionBinder select_binder(environment_, from_.scope, Clause::kSelect, &parts_);
  MR_ASSIGN_OR_RETURN(targets_, BindSelectList(select_binder, select_));
  if (select_.where_clause != nullptr) {
    ExpressionBinder binder(environment_, from_.scope, Clause::kWhere, &where_parts_);
    MR_ASSIGN_OR_RETURN(where_, BindPredicate(binder, *select_.where_clause, "argument of WHERE"));
  }
  if (select_.having_clause != nullptr) {
    ExpressionBinder binder(environment_, from_.scope, Clause::kHaving, &parts_);
    MR_ASSIGN_OR_RETURN(having_,
                        BindPredicate(binder, *select_.having_clause, "argument of HAVING"));
  }
  ExpressionBinder order_binder(environment_, from_.scope, Clause::kOrderBy, &parts_);
  MR_ASSIGN_OR_RETURN(order_, BindOrderBy(order_binder, select_, distinct_, &targets_));
  if (has_distinct_on_) {
    MR_ASSIGN_OR_RETURN(distinct_on_, BindDistinctOn(order_binder, select_, &targets_));
    MR_RETURN_IF_ERROR(CheckDistinctOn(distinct_on_, order_));
  }
  ExpressionBinder group_binder(environment_, from_.scope, Clause::kGroupBy, &parts_);
  MR_ASSIGN_OR_RETURN(group_keys_, BindGroupBy(group_binder, select_, &targets_));
  return absl::OkStatus();
}

absl::Status SelectBinder::BuildWhere() {
  std::vector<ExprPtr> values;
  MR_ASSIGN_OR_RETURN(plan_, where_parts_.input_subqueries.Attach(std::move(plan_), &values));
  for (ExprPtr& conjunct : where_.conjuncts) {
    conjunct = ResolvePlaceholders(conjunct, kInputSubqueryBase, values);
  }
  for (SemiJoin& join : where_.semi_joins) {
    for (ExprPtr& operand : join.operands) {
      operand = ResolvePlaceholders(operand, kInputSubqueryBase, values);
      if (UsesOuterColumns(*operand)) {
        return WithPosition(NotSupported("a column of the query around as operand of IN"),
                            operand->position);
      }
    }
  }
  MR_RETURN_IF_ERROR(TakeCorrelated(&where_.conjuncts));
  plan_ = NewFilter(std::move(plan_), MakeConjunction(where_.conjuncts));
  MR_ASSIGN_OR_RETURN(plan_, ApplySemiJoins(std::move(plan_), where_.semi_joins));
  return absl::OkStatus();
}

// Moves the conditions with outer columns out of WHERE.
absl::Status SelectBinder::TakeCorrelated(std::vector<ExprPtr>* conjuncts) {
  std::vector<ExprPtr> own;
  for (ExprPtr& conjunct : *conjuncts) {
    (UsesOuterColumns(*conjunct) ? correlated_ : own).push_back(std::move(conjunct));
  }
  *conjuncts = std::move(own);
  if (!correlated()) return absl::OkStatus();
  const bool simple = select_.n_group_clause == 0 && select_.having_clause == nullptr &&
                      select_.limit_count == nullptr && select_.limit_offset == nullptr &&
                      parts_.windows.empty() && !has_distinct_on_ && !(distinct_ && aggregates());
  if (simple) return absl::OkStatus();
  return WithPosition(
      NotSupported("a correlated subquery with GROUP BY, HAVING, LIMIT or window functions"),
      correlated_[0]->position);
}

template <typename Visit>
absl::Status SelectBinder::ForEachResultExpr(const Visit& visit) {
  for (SelectTarget& target : targets_) MR_RETURN_IF_ERROR(visit(&target.expr));
  for (OrderItem& item : order_) MR_RETURN_IF_ERROR(visit(&item.key.expr));
  for (OrderItem& item : distinct_on_) MR_RETURN_IF_ERROR(visit(&item.key.expr));
  for (ExprPtr& conjunct : having_.conjuncts) MR_RETURN_IF_ERROR(visit(&conjunct));
  for (SemiJoin& join : having_.semi_joins) {
    for (ExprPtr& operand : join.operands) MR_RETURN_IF_ERROR(visit(&operand));
  }
  for (SubqueryItem& item : parts_.result_subqueries.items()) {
    if (item.operand != nullptr) MR_RETURN_IF_ERROR(visit(&item.operand));
  }
  for (WindowItem& window : parts_.windows) {
    std::vector<ExprPtr>& args =
        window.aggregate.has_value() ? window.aggregate->resolved.args : window.ranking.args;
    for (ExprPtr& arg : args) MR_RETURN_IF_ERROR(visit(&arg));
    if (window.aggregate.has_value() && window.aggregate->filter != nullptr) {
      MR_RETURN_IF_ERROR(visit(&window.aggregate->filter));
    }
    for (ExprPtr& key : window.window.partition) MR_RETURN_IF_ERROR(visit(&key));
    for (SortKey& key : window.window.order) MR_RETURN_IF_ERROR(visit(&key.expr));
  }
  return absl::OkStatus();
}

absl::Status SelectBinder::ResolveResultPlaceholders(int base,
                                                     const std::vector<ExprPtr>& columns) {
  return ForEachResultExpr([&](ExprPtr* expr) {
    *expr = ResolvePlaceholders(*expr, base, columns);
    return absl::OkStatus();
  });
}

// The join condition of a subquery in the result: its columns of this query become group keys.
absl::StatusOr<ExprPtr> AboveAggregation(const ExprPtr& correlation,
                                         const AggregatePlan& aggregation) {
  const auto replace = [&](const ExprPtr& part) -> absl::StatusOr<ExprPtr> {
    const bool outer = part->kind == ExprKind::kColumn && UsesOuterColumns(*part);
    if (!outer) return ExprPtr();
    const ExprPtr own =
        MakeColumn(part->column_index - kOuterColumnBase, part->type, part->position);
    MR_ASSIGN_OR_RETURN(const ExprPtr key, aggregation.Rewrite(own));
    return MakeColumn(kOuterColumnBase + key->column_index, key->type, part->position);
  };
  return RewriteExpr(correlation, replace);
}

absl::Status SelectBinder::BuildAggregation() {
  std::vector<ExprPtr> values;
  MR_ASSIGN_OR_RETURN(plan_, parts_.input_subqueries.Attach(std::move(plan_), &values));
  MR_RETURN_IF_ERROR(ResolveResultPlaceholders(kInputSubqueryBase, values));
  if (!aggregates()) return absl::OkStatus();
  for (AggregateItem& item : parts_.aggregates) {
    for (ExprPtr& arg : item.resolved.args) {
      arg = ResolvePlaceholders(arg, kInputSubqueryBase, values);
    }
    if (item.filter != nullptr) {
      item.filter = ResolvePlaceholders(item.filter, kInputSubqueryBase, values);
    }
  }
  for (ExprPtr& key : group_keys_) key = ResolvePlaceholders(key, kInputSubqueryBase, values);
  if (correlated()) MR_RETURN_IF_ERROR(GroupByCorrelation());
  std::vector<ExprPtr> used;
  MR_RETURN_IF_ERROR(ForEachResultExpr([&](ExprPtr* expr) {
    used.push_back(*expr);
    return absl::OkStatus();
  }));
  // The row of the plan may be longer than that of FROM, by the values of subqueries; titles and
  // keys are those of FROM.
  const AggregatePlan aggregation(std::move(plan_), from_.scope, group_keys_, parts_.aggregates,
                                  used);
  MR_RETURN_IF_ERROR(ForEachResultExpr([&](ExprPtr* expr) {
    MR_ASSIGN_OR_RETURN(*expr, aggregation.Rewrite(*expr));
    return absl::OkStatus();
  }));
  for (SubqueryItem& item : parts_.result_subqueries.items()) {
    if (item.correlation == nullptr) continue;
    MR_ASSIGN_OR_RETURN(item.correlation, AboveAggregation(item.correlation, aggregation));
  }
  plan_ = aggregation.plan();
  return absl::OkStatus();
}

// A correlated aggregate becomes one group for each value of the inner sides of its equalities.
absl::Status SelectBinder::GroupByCorrelation() {
  MR_ASSIGN_OR_RETURN(CorrelationKeys split, SplitEqualities(correlated_));
  group_keys_ = split.keys;
  std::vector<ExprPtr> columns;
  for (size_t i = 0; i < split.keys.size(); ++i) {
    exported_.push_back(MakeColumn(static_cast<int>(i), split.keys[i]->type));
    columns.push_back(MakeColumn(static_cast<int>(targets_.size() + i), split.keys[i]->type));
  }
  correlated_.clear();
  for (const ExprPtr& conjunct : split.conjuncts) {
    correlated_.push_back(ResolvePlaceholders(conjunct, kInputSubqueryBase, columns));
  }
  Correlation& correlation = *environment_.outer->correlation;
  correlation.one_row_per_key = true;
  const bool counts = std::any_of(parts_.aggregates.begin(), parts_.aggregates.end(),
                                  [](const AggregateItem& item) {
                                    return item.resolved.function == AggregateFunction::kCount ||
                                           item.resolved.function == AggregateFunction::kCountStar;
                                  });
  if (!counts || targets_.empty()) return absl::OkStatus();
  std::vector<ExprPtr> empty_values;
  for (const AggregateItem& item : parts_.aggregates) {
    const bool count = item.resolved.function == AggregateFunction::kCount ||
                       item.resolved.function == AggregateFunction::kCountStar;
    empty_values.push_back(MakeLiteral(count ? Value{item.resolved.type, int64_t{0}}
                                             : Value::Null(item.resolved.type)));
  }
  correlation.value_without_rows =
      ResolvePlaceholders(targets_[0].expr, kAggregateBase, empty_values);
  return absl::OkStatus();
}

absl::Status SelectBinder::BuildHaving() {
  std::vector<ExprPtr> values;
  MR_ASSIGN_OR_RETURN(plan_, parts_.result_subqueries.Attach(std::move(plan_), &values));
  MR_RETURN_IF_ERROR(ResolveResultPlaceholders(kResultSubqueryBase, values));
  plan_ = NewFilter(std::move(plan_), MakeConjunction(having_.conjuncts));
  MR_ASSIGN_OR_RETURN(plan_, ApplySemiJoins(std::move(plan_), having_.semi_joins));
  return absl::OkStatus();
}

absl::Status SelectBinder::BuildWindows() {
  if (parts_.windows.empty()) return absl::OkStatus();
  std::vector<ExprPtr> columns;
  MR_ASSIGN_OR_RETURN(plan_, AddWindowNodes(std::move(plan_), parts_.windows, &columns));
  return ResolveResultPlaceholders(kWindowBase, columns);
}

absl::Status SelectBinder::ExportForCorrelation() {
  if (!correlated()) return absl::OkStatus();
  // The order of a subquery that is joined does not matter.
  order_.clear();
  if (exported_.empty()) {
    exported_ = ExportColumns(&correlated_, static_cast<int>(targets_.size()));
  }
  Correlation& correlation = *environment_.outer->correlation;
  correlation.conjuncts = correlated_;
  correlation.num_exported = exported_.size();
  return absl::OkStatus();
}

absl::StatusOr<LogicalPtr> SelectBinder::BuildResult() {
  std::vector<ExprPtr> exprs;
  std::vector<std::string> names;
  for (SelectTarget& target : targets_) {
    exprs.push_back(target.expr);
    names.push_back(target.name);
  }
  for (const ExprPtr& column : exported_) {
    exprs.push_back(column);
    names.emplace_back("outer_key");
  }
  const size_t num_visible = exprs.size();
  const auto column_of = [&](const OrderItem& item, absl::string_view name, size_t number) {
    if (item.target >= 0) return item.target;
    exprs.push_back(item.key.expr);
    names.push_back(absl::StrCat(name, number));
    return static_cast<int>(exprs.size()) - 1;
  };
  std::vector<SortKey> sort_keys;
  for (const OrderItem& item : order_) {
    const int column = column_of(item, "order", sort_keys.size() + 1);
    SortKey key = item.key;
    key.expr = MakeColumn(column, exprs[column]->type);
    sort_keys.push_back(std::move(key));
  }
  std::vector<int> first_by;
  for (const OrderItem& item : distinct_on_) {
    first_by.push_back(column_of(item, "first_by", first_by.size() + 1));
  }
  if (distinct_) {
    for (ExprPtr& expr : exprs) {
      if (expr->type.id != TypeId::kUnknown) continue;
      MR_ASSIGN_OR_RETURN(expr, BuildCast(expr, SqlType::Of(TypeId::kText), CastContext::kImplicit,
                                          expr->position));
    }
  }
  plan_ = NewProject(std::move(plan_), std::move(exprs), names);
  if (distinct_) plan_ = NewDistinct(std::move(plan_));
  if (has_distinct_on_) {
    MR_ASSIGN_OR_RETURN(plan_, KeepFirstRows(std::move(plan_), std::move(first_by), sort_keys));
  }
  if (!sort_keys.empty()) plan_ = NewSort(std::move(plan_), std::move(sort_keys));
  MR_ASSIGN_OR_RETURN(plan_, BindLimit(std::move(plan_), select_, environment_));
  return NewPrefix(std::move(plan_), num_visible);
}

}  // namespace

absl::StatusOr<LogicalPtr> BindSelect(const PgQuery__SelectStmt& select,
                                      const QueryEnvironment& environment) {
  return SelectBinder(environment, select).Bind();
}

}  // namespace millrace
