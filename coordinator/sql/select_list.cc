#include "coordinator/sql/select_list.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/sql/column_names.h"
#include "coordinator/sql/expr_rewrite.h"
#include "coordinator/sql/foreign_words.h"
#include "coordinator/sql/order_and_limit.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/statement_limits.h"
#include "coordinator/sql/window_definition.h"

namespace millrace {
namespace {

class SelectListBinder {
 public:
  SelectListBinder(ExpressionBinder& binder, const PgQuery__SelectStmt& select)
      : binder_(binder), environment_(binder.environment()), select_(select) {}

  absl::StatusOr<std::vector<SelectTarget>> Bind();

 private:
  absl::Status AddStar(const PgQuery__ColumnRef& ref);
  void AddColumns(const ScopeItem& item, int32_t position);
  absl::Status CheckWord(const PgQuery__ResTarget& target) const;

  ExpressionBinder& binder_;
  const QueryEnvironment& environment_;
  const PgQuery__SelectStmt& select_;
  std::vector<SelectTarget> targets_;
};

void SelectListBinder::AddColumns(const ScopeItem& item, int32_t position) {
  for (const ScopeColumn& column : item.columns) {
    targets_.push_back({AtPosition(column.expr, position), column.name});
  }
}

absl::Status SelectListBinder::AddStar(const PgQuery__ColumnRef& ref) {
  const Scope& scope = binder_.scope();
  const int32_t position = environment_.PositionOf(ref.location);
  if (ref.n_fields > 1) {
    const absl::string_view qualifier = StringOf(ref.fields[ref.n_fields - 2]);
    const ScopeItem* item = scope.FindItem(qualifier);
    if (item == nullptr) return scope.UndefinedQualifier(qualifier, position);
    AddColumns(*item, position);
    return absl::OkStatus();
  }
  if (scope.items().empty()) {
    return WithPosition(
        MakeError(SqlState::kSyntaxError, "SELECT * with no tables specified is not valid"),
        position);
  }
  for (const ScopeItem& item : scope.items()) {
    if (item.columns_visible) AddColumns(item, position);
  }
  return absl::OkStatus();
}

absl::Status SelectListBinder::CheckWord(const PgQuery__ResTarget& target) const {
  const ForeignWord* word = FindForeignWord(target.name);
  if (word == nullptr) return absl::OkStatus();
  const int32_t at = environment_.statement.FindBareAlias(word->word, target.location);
  if (at < 0) return absl::OkStatus();
  return WithPosition(WithHint(NotSupported(word->feature), word->hint),
                      environment_.PositionOf(at));
}

absl::StatusOr<std::vector<SelectTarget>> SelectListBinder::Bind() {
  for (const ParseNode* node : Nodes(select_.n_target_list, select_.target_list)) {
    const PgQuery__ResTarget& target = *node->res_target;
    const bool star = IsNode(target.val, PG_QUERY__NODE__NODE_COLUMN_REF) &&
                      IsNode(target.val->column_ref->fields[target.val->column_ref->n_fields - 1],
                             PG_QUERY__NODE__NODE_A_STAR);
    if (star) {
      MR_RETURN_IF_ERROR(AddStar(*target.val->column_ref));
    } else {
      MR_RETURN_IF_ERROR(CheckWord(target));
      MR_ASSIGN_OR_RETURN(ExprPtr expr, binder_.Bind(target.val));
      const std::string name =
          target.name[0] != '\0' ? target.name : DefaultColumnName(*target.val);
      targets_.push_back({std::move(expr), name});
    }
    if (targets_.size() > kMaxTargetColumns) {
      return WithPosition(
          MakeError(SqlState::kTooManyColumns,
                    absl::StrCat("target lists can have at most ", kMaxTargetColumns, " entries")),
          environment_.PositionOf(target.location));
    }
  }
  return std::move(targets_);
}

// The name that an element of ORDER BY or GROUP BY consists of; empty if it is more than one name.
absl::string_view BareName(const ParseNode& node) {
  if (!IsNode(&node, PG_QUERY__NODE__NODE_COLUMN_REF) || node.column_ref->n_fields != 1) return "";
  return StringOf(node.column_ref->fields[0]);
}

// The target with this name; 42702 if several with different expressions have it.
absl::StatusOr<int> TargetNamed(absl::string_view name, const std::vector<SelectTarget>& targets,
                                absl::string_view clause, int32_t position) {
  int found = -1;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i].name != name) continue;
    if (found >= 0 && !SameExpr(*targets[found].expr, *targets[i].expr)) {
      return WithPosition(MakeError(SqlState::kAmbiguousColumn,
                                    absl::StrCat(clause, " \"", name, "\" is ambiguous")),
                          position);
    }
    if (found < 0) found = static_cast<int>(i);
  }
  return found;
}

// Unknown literals that are compared with each other are text.
absl::Status MakeText(ExprPtr* expr) {
  if ((*expr)->type.id != TypeId::kUnknown) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(*expr, BuildCast(*expr, SqlType::Of(TypeId::kText), CastContext::kImplicit,
                                       (*expr)->position));
  return absl::OkStatus();
}

int TargetLike(const Expr& expr, const std::vector<SelectTarget>& targets) {
  for (size_t i = 0; i < targets.size(); ++i) {
    if (SameExpr(*targets[i].expr, expr)) return static_cast<int>(i);
  }
  return -1;
}

// What GROUP BY must not contain, found in a target that it names.
absl::Status CheckGroupable(const Expr& expr, int32_t position) {
  if (UsesColumns(expr, kAggregateBase, kAggregateBase + kPlaceholderStep)) {
    return WithPosition(
        MakeError(SqlState::kGroupingError, "aggregate functions are not allowed in GROUP BY"),
        position);
  }
  if (UsesColumns(expr, kWindowBase, kWindowBase + kPlaceholderStep)) {
    return WithPosition(
        MakeError(SqlState::kWindowingError, "window functions are not allowed in GROUP BY"),
        position);
  }
  if (UsesColumns(expr, kResultSubqueryBase, kResultSubqueryBase + kPlaceholderStep)) {
    return WithPosition(NotSupported("GROUP BY a subquery of the SELECT list"), position);
  }
  return absl::OkStatus();
}

absl::Status AddGroupKey(ExpressionBinder& binder, const ParseNode& node,
                         std::vector<SelectTarget>* targets, std::vector<ExprPtr>* keys) {
  const int32_t position = binder.environment().PositionOf(LocationOf(&node));
  if (IsNode(&node, PG_QUERY__NODE__NODE_GROUPING_SET)) {
    return WithPosition(NotSupported("a grouping set, ROLLUP or CUBE"), position);
  }
  if (IsNode(&node, PG_QUERY__NODE__NODE_ROW_EXPR) &&
      node.row_expr->row_format == PG_QUERY__COERCION_FORM__COERCE_IMPLICIT_CAST) {
    for (const ParseNode* arg : Nodes(node.row_expr->n_args, node.row_expr->args)) {
      MR_RETURN_IF_ERROR(AddGroupKey(binder, *arg, targets, keys));
    }
    return absl::OkStatus();
  }
  MR_ASSIGN_OR_RETURN(const std::optional<size_t> ordinal,
                      OrdinalOf(node, targets->size(), "GROUP BY", position));
  int target = ordinal.has_value() ? static_cast<int>(*ordinal) : -1;
  const absl::string_view name = BareName(node);
  if (!name.empty()) {
    MR_ASSIGN_OR_RETURN(const ExprPtr column, binder.scope().Find(name, position));
    if (column == nullptr) {
      MR_ASSIGN_OR_RETURN(target, TargetNamed(name, *targets, "GROUP BY", position));
    }
  }
  ExprPtr key;
  if (target >= 0) {
    MR_RETURN_IF_ERROR(CheckGroupable(*(*targets)[target].expr, position));
    MR_RETURN_IF_ERROR(MakeText(&(*targets)[target].expr));
    key = (*targets)[target].expr;
  } else {
    MR_ASSIGN_OR_RETURN(key, binder.Bind(&node));
    MR_RETURN_IF_ERROR(MakeText(&key));
  }
  for (const ExprPtr& known : *keys) {
    if (SameExpr(*known, *key)) return absl::OkStatus();
  }
  keys->push_back(std::move(key));
  return WithPosition(CheckListLength(keys->size(), "GROUP BY"), position);
}

}  // namespace

absl::StatusOr<std::vector<SelectTarget>> BindSelectList(ExpressionBinder& binder,
                                                         const PgQuery__SelectStmt& select) {
  return SelectListBinder(binder, select).Bind();
}

absl::StatusOr<std::vector<OrderItem>> BindOrderBy(ExpressionBinder& binder,
                                                   const PgQuery__SelectStmt& select, bool distinct,
                                                   std::vector<SelectTarget>* targets) {
  std::vector<OrderItem> items;
  MR_RETURN_IF_ERROR(CheckListLength(select.n_sort_clause, "ORDER BY"));
  for (const ParseNode* node : Nodes(select.n_sort_clause, select.sort_clause)) {
    const PgQuery__SortBy& sort = *node->sort_by;
    const int32_t position = binder.environment().PositionOf(LocationOf(sort.node));
    OrderItem item;
    MR_ASSIGN_OR_RETURN(const std::optional<size_t> ordinal,
                        OrdinalOf(*sort.node, targets->size(), "ORDER BY", position));
    if (ordinal.has_value()) {
      item.target = static_cast<int>(*ordinal);
    } else if (const absl::string_view name = BareName(*sort.node); !name.empty()) {
      MR_ASSIGN_OR_RETURN(item.target, TargetNamed(name, *targets, "ORDER BY", position));
    }
    ExprPtr expr;
    if (item.target < 0) {
      MR_ASSIGN_OR_RETURN(expr, binder.Bind(sort.node));
      item.target = TargetLike(*expr, *targets);
    }
    if (item.target >= 0) {
      MR_RETURN_IF_ERROR(MakeText(&(*targets)[item.target].expr));
      expr = (*targets)[item.target].expr;
    } else if (distinct) {
      return WithPosition(
          MakeError(SqlState::kInvalidColumnReference,
                    "for SELECT DISTINCT, ORDER BY expressions must appear in select list"),
          position);
    }
    MR_ASSIGN_OR_RETURN(item.key, MakeSortKey(sort, std::move(expr), binder.environment()));
    items.push_back(std::move(item));
  }
  return items;
}

absl::StatusOr<std::vector<ExprPtr>> BindGroupBy(ExpressionBinder& binder,
                                                 const PgQuery__SelectStmt& select,
                                                 std::vector<SelectTarget>* targets) {
  std::vector<ExprPtr> keys;
  for (const ParseNode* node : Nodes(select.n_group_clause, select.group_clause)) {
    MR_RETURN_IF_ERROR(AddGroupKey(binder, *node, targets, &keys));
  }
  return keys;
}

}  // namespace millrace
