#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/correlation.h"
#include "coordinator/sql/expr_rewrite.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/query_binder.h"
#include "coordinator/sql/subquery_join.h"

// Subqueries in expressions: bound here, joined to the plan by SubqueryList and ApplySemiJoins.

namespace millrace {
namespace {

absl::Status Refuse(const ExpressionBinder& binder, absl::string_view what, int32_t location) {
  return WithPosition(NotSupported(what), binder.environment().PositionOf(location));
}

// `correlation` null: outer columns are refused.
absl::StatusOr<LogicalPtr> BindInner(const ExpressionBinder& binder, const ParseNode& query,
                                     Correlation* correlation) {
  const QueryEnvironment& environment = binder.environment();
  const OuterQuery outer{&binder.scope(), environment.outer, correlation};
  const QueryEnvironment inner{environment.session, environment.statement, environment.with,
                               &outer};
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindQueryNode(query, inner));
  return ResolveUnknownColumns(std::move(plan));
}

absl::Status CheckColumns(const ExpressionBinder& binder, const PgQuery__SubLink& link,
                          size_t expected, size_t found) {
  if (found == expected) return absl::OkStatus();
  std::string message = "subquery must return only one column";
  if (link.sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK) {
    message = found > expected ? "subquery has too many columns" : "subquery has too few columns";
  }
  return WithPosition(MakeError(SqlState::kSyntaxError, message),
                      binder.environment().PositionOf(link.location));
}

// "=" for IN, "<>" for <> ALL; empty for every other form.
absl::string_view SetOperator(const PgQuery__SubLink& link) {
  const absl::string_view op = LastName(Nodes(link.n_oper_name, link.oper_name));
  if (link.sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK && (op.empty() || op == "=")) {
    return "=";
  }
  if (link.sub_link_type == PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK && op == "<>") return "<>";
  return "";
}

bool IsRowNode(const ParseNode* node) { return IsNode(node, PG_QUERY__NODE__NODE_ROW_EXPR); }

// A conjunct without the NOTs in front of it.
const ParseNode* WithoutNot(const ParseNode* node, bool* negated) {
  *negated = false;
  while (IsNode(node, PG_QUERY__NODE__NODE_BOOL_EXPR) &&
         node->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR) {
    node = node->bool_expr->args[0];
    *negated = !*negated;
  }
  return node;
}

void CollectConjuncts(const ParseNode* node, std::vector<const ParseNode*>* conjuncts) {
  const bool is_and = IsNode(node, PG_QUERY__NODE__NODE_BOOL_EXPR) &&
                      node->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR;
  if (!is_and) {
    conjuncts->push_back(node);
    return;
  }
  for (const ParseNode* arg : Nodes(node->bool_expr->n_args, node->bool_expr->args)) {
    CollectConjuncts(arg, conjuncts);
  }
}

// Turns conjuncts into semi joins where it can.
class PredicateBinder {
 public:
  PredicateBinder(ExpressionBinder& binder, absl::string_view what)
      : binder_(binder), what_(what) {}

  absl::StatusOr<Predicate> Bind(const ParseNode& condition);

 private:
  absl::Status AddConjunct(const ParseNode* node);
  absl::Status AddExists(const PgQuery__SubLink& link, bool negated);
  absl::Status AddIn(const PgQuery__SubLink& link, bool negated);
  absl::StatusOr<std::vector<ExprPtr>> Operands(const ParseNode& node);

  ExpressionBinder& binder_;
  absl::string_view what_;
  Predicate predicate_;
};

absl::StatusOr<Predicate> PredicateBinder::Bind(const ParseNode& condition) {
  std::vector<const ParseNode*> conjuncts;
  CollectConjuncts(&condition, &conjuncts);
  if (conjuncts.size() > 1) what_ = "argument of AND";
  for (const ParseNode* node : conjuncts) MR_RETURN_IF_ERROR(AddConjunct(node));
  return std::move(predicate_);
}

absl::Status PredicateBinder::AddConjunct(const ParseNode* node) {
  bool negated = false;
  const ParseNode* inner = WithoutNot(node, &negated);
  if (IsNode(inner, PG_QUERY__NODE__NODE_SUB_LINK)) {
    const PgQuery__SubLink& link = *inner->sub_link;
    if (link.sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK) {
      return AddExists(link, negated);
    }
    const absl::string_view op = SetOperator(link);
    if (!op.empty()) return AddIn(link, negated != (op == "<>"));
  }
  MR_ASSIGN_OR_RETURN(ExprPtr conjunct, binder_.BindBoolean(node, what_));
  predicate_.conjuncts.push_back(std::move(conjunct));
  return absl::OkStatus();
}

absl::Status PredicateBinder::AddExists(const PgQuery__SubLink& link, bool negated) {
  Correlation correlation;
  Correlation* allowed = binder_.below_aggregation() ? &correlation : nullptr;
  MR_ASSIGN_OR_RETURN(LogicalPtr plan, BindInner(binder_, *link.subselect, allowed));
  const int32_t position = binder_.environment().PositionOf(link.location);
  if (correlation.one_row_per_key) {
    return Refuse(binder_, "EXISTS over a correlated aggregate", link.location);
  }
  if (!correlation.conjuncts.empty()) {
    SemiJoin join;
    join.type = negated ? JoinType::kAnti : JoinType::kSemi;
    join.right = std::move(plan);
    join.correlation = MakeConjunction(correlation.conjuncts);
    join.position = position;
    predicate_.semi_joins.push_back(std::move(join));
    return absl::OkStatus();
  }
  SubqueryItem item;
  item.kind = SubqueryKind::kExists;
  item.plan = std::move(plan);
  item.position = position;
  SubqueryList& list = binder_.below_aggregation() ? binder_.parts()->input_subqueries
                                                   : binder_.parts()->result_subqueries;
  ExprPtr value = list.Add(std::move(item), SqlType::Of(TypeId::kBoolean));
  if (negated) {
    MR_ASSIGN_OR_RETURN(value, BuildNot(std::move(value), position));
  }
  predicate_.conjuncts.push_back(std::move(value));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ExprPtr>> PredicateBinder::Operands(const ParseNode& node) {
  std::vector<ExprPtr> operands;
  if (!IsRowNode(&node)) {
    MR_ASSIGN_OR_RETURN(ExprPtr operand, binder_.Bind(&node));
    operands.push_back(std::move(operand));
    return operands;
  }
  for (const ParseNode* arg : Nodes(node.row_expr->n_args, node.row_expr->args)) {
    MR_ASSIGN_OR_RETURN(ExprPtr operand, binder_.Bind(arg));
    operands.push_back(std::move(operand));
  }
  return operands;
}

absl::Status PredicateBinder::AddIn(const PgQuery__SubLink& link, bool negated) {
  if (negated && IsRowNode(link.testexpr)) {
    return Refuse(binder_, "NOT IN with row values", link.location);
  }
  SemiJoin join;
  join.position = binder_.environment().PositionOf(link.location);
  MR_ASSIGN_OR_RETURN(join.operands, Operands(*link.testexpr));
  Correlation correlation;
  const bool may_correlate = binder_.below_aggregation() && !negated;
  MR_ASSIGN_OR_RETURN(join.right,
                      BindInner(binder_, *link.subselect, may_correlate ? &correlation : nullptr));
  MR_RETURN_IF_ERROR(CheckColumns(binder_, link, join.operands.size(),
                                  join.right->output.size() - correlation.num_exported));
  if (correlation.value_without_rows != nullptr) {
    return Refuse(binder_, "IN over a correlated count", link.location);
  }
  join.type = negated ? JoinType::kNullAwareAnti : JoinType::kSemi;
  join.correlation = MakeConjunction(correlation.conjuncts);
  predicate_.semi_joins.push_back(std::move(join));
  return absl::OkStatus();
}

// operand op ANY (subquery) and ALL for the operators of order; null for others.
absl::StatusOr<ExprPtr> BindBounds(ExpressionBinder& binder, const PgQuery__SubLink& link,
                                   SubqueryList& list) {
  std::string op(LastName(Nodes(link.n_oper_name, link.oper_name)));
  SubqueryItem item;
  item.for_all = link.sub_link_type == PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK;
  // a <> ANY (…) is NOT a = ALL (…).
  const bool negated = op == "<>" && !item.for_all;
  if (negated) {
    op = "=";
    item.for_all = true;
  }
  const bool by_order = op == "<" || op == "<=" || op == ">" || op == ">=";
  if (!by_order && !(op == "=" && item.for_all)) return ExprPtr();
  item.kind = SubqueryKind::kBounds;
  item.comparison = std::move(op);
  item.position = binder.environment().PositionOf(link.location);
  MR_ASSIGN_OR_RETURN(item.operand, binder.Bind(link.testexpr));
  MR_ASSIGN_OR_RETURN(item.plan, BindInner(binder, *link.subselect, nullptr));
  MR_RETURN_IF_ERROR(CheckColumns(binder, link, 1, item.plan->output.size()));
  const int32_t position = item.position;
  // Whether the two can be compared is to be known now.
  const SqlType type = item.plan->output[0].type;
  MR_RETURN_IF_ERROR(
      BuildOperator(item.comparison, {item.operand, MakeColumn(0, type, position)}, position)
          .status());
  ExprPtr value = list.Add(std::move(item), SqlType::Of(TypeId::kBoolean));
  return negated ? BuildNot(std::move(value), position) : value;
}

absl::StatusOr<ExprPtr> BindMark(ExpressionBinder& binder, const PgQuery__SubLink& link,
                                 SubqueryList& list) {
  const absl::string_view op = SetOperator(link);
  if (op.empty() && !IsRowNode(link.testexpr)) {
    MR_ASSIGN_OR_RETURN(ExprPtr bounds, BindBounds(binder, link, list));
    if (bounds != nullptr) return bounds;
  }
  if (op.empty()) {
    const absl::string_view written = LastName(Nodes(link.n_oper_name, link.oper_name));
    const bool any = link.sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK;
    return Refuse(binder, absl::StrCat(written, any ? " ANY" : " ALL", " (subquery)"),
                  link.location);
  }
  if (IsRowNode(link.testexpr)) {
    return Refuse(binder, "IN with row values at this place", link.location);
  }
  SubqueryItem item;
  item.kind = SubqueryKind::kMark;
  item.position = binder.environment().PositionOf(link.location);
  MR_ASSIGN_OR_RETURN(item.operand, binder.Bind(link.testexpr));
  MR_ASSIGN_OR_RETURN(item.plan, BindInner(binder, *link.subselect, nullptr));
  MR_RETURN_IF_ERROR(CheckColumns(binder, link, 1, item.plan->output.size()));
  const int32_t position = item.position;
  // The plan is read twice: for its values and for its counts.
  MR_RETURN_IF_ERROR(CountSharedPlan(binder.environment().session, NumNodes(*item.plan), position));
  ExprPtr value = list.Add(std::move(item), SqlType::Of(TypeId::kBoolean));
  return op == "<>" ? BuildNot(std::move(value), position) : value;
}

// The inner sides of the correlation's equalities as columns first, first + 1, … of a projection
// whose other columns are `exprs`; sets item->correlation.
absl::StatusOr<LogicalPtr> ProjectKeys(const Correlation& correlation, std::vector<ExprPtr> exprs,
                                       int first, SubqueryItem* item) {
  MR_ASSIGN_OR_RETURN(const CorrelationKeys split, SplitEqualities(correlation.conjuncts));
  std::vector<ExprPtr> columns;
  for (const ExprPtr& key : split.keys) {
    columns.push_back(MakeColumn(first + static_cast<int>(columns.size()), key->type));
    exprs.push_back(key);
  }
  std::vector<ExprPtr> conjuncts;
  for (const ExprPtr& conjunct : split.conjuncts) {
    conjuncts.push_back(ResolvePlaceholders(conjunct, kInputSubqueryBase, columns));
  }
  item->correlation = MakeConjunction(conjuncts);
  std::vector<std::string> names(exprs.size(), "outer_key");
  if (first > 0) names[0] = item->plan->output[0].name;
  return NewProject(item->plan, std::move(exprs), names);
}

// A correlated subquery without an aggregate: one row for each key, with its value and the number
// of rows, of which an outer row may find one only.
absl::Status CountRowsByKey(const Correlation& correlation, SubqueryItem* item) {
  const SqlType type = item->plan->output[0].type;
  constexpr int kFirstKey = 2;
  MR_ASSIGN_OR_RETURN(
      LogicalPtr rows,
      ProjectKeys(correlation, {MakeColumn(0, type, item->position)}, kFirstKey, item));
  const int num_keys = static_cast<int>(rows->output.size()) - 1;
  MR_ASSIGN_OR_RETURN(
      const ResolvedAggregate least,
      ResolveAggregate("min", {MakeColumn(0, type, item->position)}, item->position));
  AggregateCall value;
  value.function = least.function;
  value.args = {0};
  value.type = least.type;
  AggregateCall count;
  count.type = SqlType::Of(TypeId::kInt64);
  std::vector<int> keys;
  for (int i = 0; i < num_keys; ++i) keys.push_back(i + 1);
  LogicalPtr groups = NewAggregate(std::move(rows), keys, {std::move(value), std::move(count)});
  // The value has the type that the subquery gave it.
  MR_ASSIGN_OR_RETURN(ExprPtr first, BuildCast(MakeColumn(num_keys, least.type), type,
                                               CastContext::kExplicit, item->position));
  std::vector<ExprPtr> exprs = {std::move(first),
                                MakeColumn(num_keys + 1, SqlType::Of(TypeId::kInt64))};
  std::vector<std::string> names = {item->plan->output[0].name, "count"};
  for (int i = 0; i < num_keys; ++i) {
    exprs.push_back(MakeColumn(i, groups->output[i].type));
    names.emplace_back("outer_key");
  }
  item->plan = NewProject(std::move(groups), std::move(exprs), names);
  item->counts_rows = true;
  return absl::OkStatus();
}

// EXISTS anywhere in an expression.
absl::StatusOr<ExprPtr> BindExists(ExpressionBinder& binder, const PgQuery__SubLink& link,
                                   SubqueryList& list) {
  Correlation correlation;
  SubqueryItem item;
  item.kind = SubqueryKind::kExists;
  item.position = binder.environment().PositionOf(link.location);
  MR_ASSIGN_OR_RETURN(item.plan, BindInner(binder, *link.subselect,
                                           binder.may_correlate() ? &correlation : nullptr));
  if (correlation.one_row_per_key) {
    return Refuse(binder, "EXISTS over a correlated aggregate", link.location);
  }
  if (!correlation.conjuncts.empty()) {
    MR_ASSIGN_OR_RETURN(LogicalPtr keys, ProjectKeys(correlation, {}, 0, &item));
    item.plan = NewDistinct(std::move(keys));
  }
  return list.Add(std::move(item), SqlType::Of(TypeId::kBoolean));
}

absl::StatusOr<ExprPtr> BindScalarSubquery(ExpressionBinder& binder, const PgQuery__SubLink& link,
                                           SubqueryList& list) {
  Correlation correlation;
  Correlation* allowed = binder.may_correlate() ? &correlation : nullptr;
  SubqueryItem item;
  item.position = binder.environment().PositionOf(link.location);
  MR_ASSIGN_OR_RETURN(item.plan, BindInner(binder, *link.subselect, allowed));
  MR_RETURN_IF_ERROR(
      CheckColumns(binder, link, 1, item.plan->output.size() - correlation.num_exported));
  const SqlType type = item.plan->output[0].type;
  if (!correlation.conjuncts.empty() && !correlation.one_row_per_key) {
    MR_RETURN_IF_ERROR(CountRowsByKey(correlation, &item));
  } else {
    item.correlation = MakeConjunction(correlation.conjuncts);
  }
  item.value_without_rows = correlation.value_without_rows;
  return list.Add(std::move(item), type);
}

}  // namespace

absl::StatusOr<Predicate> BindPredicate(ExpressionBinder& binder, const PgQuery__Node& condition,
                                        absl::string_view what) {
  return PredicateBinder(binder, what).Bind(condition);
}

absl::StatusOr<LogicalPtr> ApplySemiJoins(LogicalPtr input, const std::vector<SemiJoin>& joins) {
  for (const SemiJoin& join : joins) {
    const int width = static_cast<int>(input->output.size());
    std::vector<ExprPtr> conditions;
    for (size_t i = 0; i < join.operands.size(); ++i) {
      const ExprPtr column =
          MakeColumn(width + static_cast<int>(i), join.right->output[i].type, join.position);
      MR_ASSIGN_OR_RETURN(ExprPtr equal,
                          BuildOperator("=", {join.operands[i], column}, join.position));
      conditions.push_back(std::move(equal));
    }
    if (join.correlation != nullptr) {
      conditions.push_back(OverJoinedRow(join.correlation, width));
    }
    input = NewJoin(join.type, std::move(input), join.right, MakeConjunction(conditions));
  }
  return input;
}

absl::StatusOr<ExprPtr> BindSubLink(ExpressionBinder& binder, const PgQuery__SubLink& link) {
  if (binder.parts() == nullptr) {
    return Refuse(binder, "a subquery at this place", link.location);
  }
  SubqueryList& list = binder.below_aggregation() ? binder.parts()->input_subqueries
                                                  : binder.parts()->result_subqueries;
  switch (link.sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
      return BindExists(binder, link, list);
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
      return BindScalarSubquery(binder, link, list);
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK:
    case PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK:
      return BindMark(binder, link, list);
    case PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK:
      return Refuse(binder, "an array", link.location);
    default:
      return Refuse(binder, "this form of a subquery", link.location);
  }
}

}  // namespace millrace
