#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/special_functions.h"
#include "coordinator/sql/statement_limits.h"
#include "coordinator/sql/window_definition.h"

namespace millrace {

// Binds one function call; the flags of the binder say what surrounds it.
class FunctionBinder {
 public:
  FunctionBinder(ExpressionBinder& binder, const PgQuery__FuncCall& call)
      : binder_(binder),
        environment_(binder.environment_),
        call_(call),
        name_(LastName(Nodes(call.n_funcname, call.funcname))),
        position_(environment_.PositionOf(call.location)) {}

  absl::StatusOr<ExprPtr> Bind();

 private:
  absl::Status CheckName() const;
  // What only aggregates or window functions may have.
  absl::Status CheckPlain() const;
  absl::StatusOr<ExprPtr> BindScalar();
  absl::StatusOr<ExprPtr> BindAggregate();
  absl::StatusOr<ExprPtr> BindWindow();
  absl::Status CheckAggregatePlace() const;
  absl::Status CheckWindowPlace() const;
  absl::StatusOr<AggregateItem> ReadAggregate();
  absl::Status CheckAggregateOrder(const AggregateItem& item);
  absl::StatusOr<std::vector<ExprPtr>> BindArguments();
  absl::Status WrongType(absl::string_view what) const {
    return WithPosition(MakeError(SqlState::kWrongObjectType, what), position_);
  }
  absl::Status Refuse(absl::string_view what) const {
    return WithPosition(NotSupported(what), position_);
  }

  ExpressionBinder& binder_;
  const QueryEnvironment& environment_;
  const PgQuery__FuncCall& call_;
  const std::string name_;
  const int32_t position_;
};

absl::StatusOr<ExprPtr> FunctionBinder::Bind() {
  MR_RETURN_IF_ERROR(CheckName());
  if (call_.func_variadic) return Refuse("VARIADIC");
  if (IsMissingFunction(name_)) return Refuse(absl::StrCat("function ", name_));
  if (call_.agg_within_group) return Refuse("WITHIN GROUP");
  const bool aggregate = IsAggregateName(name_);
  const bool ranking = IsRankingName(name_);
  if (call_.over != nullptr) {
    if (aggregate || ranking) return BindWindow();
    return WrongType(absl::StrCat("OVER specified, but ", name_,
                                  " is not a window function nor an aggregate function"));
  }
  if (aggregate) return BindAggregate();
  if (ranking) {
    return WrongType(absl::StrCat("window function ", name_, " requires an OVER clause"));
  }
  return BindScalar();
}

absl::Status FunctionBinder::CheckName() const {
  const ParseNodes names = Nodes(call_.n_funcname, call_.funcname);
  const bool known =
      names.size() == 1 ||
      (names.size() == 2 && (StringOf(names[0]) == "pg_catalog" || StringOf(names[0]) == "public"));
  if (known) return absl::OkStatus();
  return WithPosition(
      MakeError(SqlState::kUndefinedFunction,
                absl::StrCat("function ", absl::StrJoin(StringsOf(names), "."), " does not exist")),
      position_);
}

absl::Status FunctionBinder::CheckPlain() const {
  const auto not_aggregate = [&](absl::string_view what) {
    return WrongType(
        absl::StrCat(what, " specified, but ", name_, " is not an aggregate function"));
  };
  if (call_.agg_star) {
    return WrongType(
        absl::StrCat(name_, "(*) specified, but ", name_, " is not an aggregate function"));
  }
  if (call_.agg_distinct) return not_aggregate("DISTINCT");
  if (call_.n_agg_order > 0) return not_aggregate("ORDER BY");
  if (call_.agg_filter != nullptr) return not_aggregate("FILTER");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ExprPtr>> FunctionBinder::BindArguments() {
  const ParseNodes nodes = Nodes(call_.n_args, call_.args);
  const bool named = std::any_of(nodes.begin(), nodes.end(), [](const ParseNode* node) {
    return IsNode(node, PG_QUERY__NODE__NODE_NAMED_ARG_EXPR);
  });
  if (!named) return binder_.BindAll(call_.args, call_.n_args);
  std::vector<ExprPtr> args;
  std::vector<std::string> names;
  for (const ParseNode* node : nodes) {
    const bool has_name = IsNode(node, PG_QUERY__NODE__NODE_NAMED_ARG_EXPR);
    names.emplace_back(has_name ? node->named_arg_expr->name : "");
    MR_ASSIGN_OR_RETURN(ExprPtr arg, binder_.Bind(has_name ? node->named_arg_expr->arg : node));
    args.push_back(std::move(arg));
  }
  return OrderNamedArguments(name_, std::move(args), names, position_);
}

absl::StatusOr<ExprPtr> FunctionBinder::BindScalar() {
  MR_RETURN_IF_ERROR(CheckPlain());
  MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> args, BindArguments());
  MR_ASSIGN_OR_RETURN(ExprPtr special, BuildSpecialFunction(name_, args, position_));
  if (special != nullptr) return special;
  return BuildFunctionCall(name_, std::move(args), position_);
}

absl::Status FunctionBinder::CheckAggregatePlace() const {
  const auto error = [&](absl::string_view message) {
    return WithPosition(MakeError(SqlState::kGroupingError, message), position_);
  };
  if (binder_.inside_aggregate_) return error("aggregate function calls cannot be nested");
  switch (binder_.clause_) {
    case Clause::kSelect:
    case Clause::kHaving:
    case Clause::kOrderBy:
    case Clause::kWindow:
      return absl::OkStatus();
    default:
      return error(
          absl::StrCat("aggregate functions are not allowed in ", ClauseName(binder_.clause_)));
  }
}

absl::Status FunctionBinder::CheckWindowPlace() const {
  const auto error = [&](absl::string_view message, SqlState state) {
    return WithPosition(MakeError(state, message), position_);
  };
  if (binder_.inside_aggregate_) {
    return error("aggregate function calls cannot contain window function calls",
                 SqlState::kGroupingError);
  }
  if (binder_.inside_window_) {
    return error("window function calls cannot be nested", SqlState::kWindowingError);
  }
  if (binder_.clause_ == Clause::kSelect || binder_.clause_ == Clause::kOrderBy) {
    return absl::OkStatus();
  }
  return error(absl::StrCat("window functions are not allowed in ", ClauseName(binder_.clause_)),
               SqlState::kWindowingError);
}

absl::StatusOr<AggregateItem> FunctionBinder::ReadAggregate() {
  AggregateItem item;
  MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> args, BindArguments());
  if (call_.agg_star && name_ == "count") {
    item.resolved = {AggregateFunction::kCountStar, {}, SqlType::Of(TypeId::kInt64)};
  } else {
    if (name_ == "count" && args.empty()) {
      return WrongType("count(*) must be used to call a parameterless aggregate function");
    }
    MR_ASSIGN_OR_RETURN(item.resolved, ResolveAggregate(name_, std::move(args), position_));
  }
  // min and max of a set are those of the rows; so planners need not know DISTINCT for them.
  const bool matters = item.resolved.function != AggregateFunction::kMin &&
                       item.resolved.function != AggregateFunction::kMax;
  item.distinct = call_.agg_distinct && matters;
  if (call_.agg_filter != nullptr) {
    ExpressionBinder filter(environment_, binder_.scope_, Clause::kFilter, binder_.parts_);
    MR_ASSIGN_OR_RETURN(item.filter, filter.BindBoolean(call_.agg_filter, "argument of FILTER"));
  }
  return item;
}

// The order of the rows changes only what string_agg gives. The accumulator keeps its values in
// ascending order, so that its result does not depend on parallelism; that is the one order one can
// ask for.
absl::Status FunctionBinder::CheckAggregateOrder(const AggregateItem& item) {
  for (const ParseNode* node : Nodes(call_.n_agg_order, call_.agg_order)) {
    MR_ASSIGN_OR_RETURN(ExprPtr expr, binder_.Bind(node->sort_by->node));
    MR_ASSIGN_OR_RETURN(const SortKey key,
                        MakeSortKey(*node->sort_by, std::move(expr), environment_));
    if (item.resolved.function != AggregateFunction::kStringAgg) continue;
    const bool natural = SameExpr(*key.expr, *item.resolved.args[0]) && !key.descending;
    if (natural) return absl::OkStatus();
    return WithPosition(
        WithHint(NotSupported("string_agg with another order than that of its first argument"),
                 "string_agg puts its values in ascending order."),
        environment_.PositionOf(LocationOf(node)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExprPtr> FunctionBinder::BindAggregate() {
  MR_RETURN_IF_ERROR(CheckAggregatePlace());
  if (binder_.parts_ == nullptr) return InternalError("an aggregate has no place to go");
  binder_.inside_aggregate_ = true;
  absl::StatusOr<AggregateItem> item = ReadAggregate();
  absl::Status order = item.ok() ? CheckAggregateOrder(*item) : absl::OkStatus();
  binder_.inside_aggregate_ = false;
  MR_RETURN_IF_ERROR(item.status());
  MR_RETURN_IF_ERROR(order);
  const ExprPtr placeholder = AddAggregate(*binder_.parts_, *std::move(item), position_);
  MR_RETURN_IF_ERROR(WithPosition(
      CheckListLength(binder_.parts_->aggregates.size(), "aggregates of a SELECT"), position_));
  return placeholder;
}

absl::StatusOr<ExprPtr> FunctionBinder::BindWindow() {
  MR_RETURN_IF_ERROR(CheckWindowPlace());
  MR_RETURN_IF_ERROR(CountOperator(environment_.session, 0, position_));
  if (call_.agg_distinct) return Refuse("DISTINCT in a window function");
  if (call_.n_agg_order > 0) return Refuse("ORDER BY in the arguments of a window function");
  WindowItem item;
  const bool aggregate = IsAggregateName(name_);
  binder_.inside_window_ = true;
  absl::Status status;
  if (aggregate) {
    absl::StatusOr<AggregateItem> read = ReadAggregate();
    status = read.status();
    if (read.ok()) item.aggregate = *std::move(read);
  } else if (call_.agg_filter != nullptr) {
    status = Refuse("FILTER of a window function that is no aggregate");
  } else {
    absl::StatusOr<std::vector<ExprPtr>> args = BindArguments();
    status = args.status();
    if (args.ok()) {
      absl::StatusOr<ResolvedRanking> ranking = ResolveRanking(name_, *std::move(args), position_);
      status = ranking.status();
      if (ranking.ok()) item.ranking = *std::move(ranking);
    }
  }
  binder_.inside_window_ = false;
  MR_RETURN_IF_ERROR(status);
  ExpressionBinder definition(environment_, binder_.scope_, Clause::kWindow, binder_.parts_);
  MR_ASSIGN_OR_RETURN(item.window, BindWindowDefinition(definition, *call_.over));
  return AddWindow(*binder_.parts_, std::move(item), position_);
}

absl::StatusOr<ExprPtr> BindFunction(ExpressionBinder& binder, const PgQuery__FuncCall& call) {
  return FunctionBinder(binder, call).Bind();
}

}  // namespace millrace
