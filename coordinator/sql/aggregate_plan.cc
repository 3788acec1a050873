#include "coordinator/sql/aggregate_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/expr_rewrite.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

AggregatePlan::AggregatePlan(LogicalPtr input, const Scope& scope, std::vector<ExprPtr> keys,
                             const std::vector<AggregateItem>& aggregates,
                             const std::vector<ExprPtr>& used)
    : scope_(scope), keys_(std::move(keys)) {
  AddDependentKeys(used);
  std::vector<int> key_columns;
  for (const ExprPtr& key : keys_) key_columns.push_back(Project(key));
  std::vector<AggregateCall> calls;
  for (const AggregateItem& item : aggregates) calls.push_back(MakeCall(item));
  std::vector<std::string> names;
  for (size_t i = 0; i < projected_.size(); ++i) {
    const Expr& expr = *projected_[i];
    names.push_back(expr.kind == ExprKind::kColumn ? input->output[expr.column_index].name
                                                   : absl::StrCat("expr", i));
  }
  LogicalPtr projection = NewProject(std::move(input), projected_, names);
  plan_ = NewAggregate(std::move(projection), std::move(key_columns), std::move(calls));
}

bool AggregatePlan::IsKey(const Expr& expr) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [&](const ExprPtr& key) { return SameExpr(*key, expr); });
}

bool AggregatePlan::IsGroupedByPrimaryKey(const ScopeItem& item) const {
  if (item.table == nullptr || item.table->primary_key().empty()) return false;
  const auto& key = item.table->primary_key();
  return std::all_of(key.begin(), key.end(), [&](uint32_t column) {
    return column < item.columns.size() && IsKey(*item.columns[column].expr);
  });
}

void AggregatePlan::AddDependentKeys(const std::vector<ExprPtr>& used) {
  for (const ScopeItem& item : scope_.items()) {
    if (!IsGroupedByPrimaryKey(item)) continue;
    for (const ScopeColumn& column : item.columns) {
      const int index = column.expr->column_index;
      const bool needed = std::any_of(used.begin(), used.end(), [&](const ExprPtr& expr) {
        return UsesColumns(*expr, index, index + 1);
      });
      if (needed && !IsKey(*column.expr)) keys_.push_back(column.expr);
    }
  }
}

int AggregatePlan::Project(const ExprPtr& expr) {
  for (size_t i = 0; i < projected_.size(); ++i) {
    if (SameExpr(*projected_[i], *expr)) return static_cast<int>(i);
  }
  projected_.push_back(expr);
  return static_cast<int>(projected_.size()) - 1;
}

AggregateCall AggregatePlan::MakeCall(const AggregateItem& item) {
  AggregateCall call;
  call.function = item.resolved.function;
  call.distinct = item.distinct;
  call.type = item.resolved.type;
  for (const ExprPtr& arg : item.resolved.args) call.args.push_back(Project(arg));
  if (item.filter != nullptr) call.filter = Project(item.filter);
  return call;
}

absl::StatusOr<ExprPtr> AggregatePlan::Rewrite(const ExprPtr& expr) const {
  const auto replace = [&](const ExprPtr& part) -> absl::StatusOr<ExprPtr> {
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (SameExpr(*keys_[i], *part)) {
        return MakeColumn(static_cast<int>(i), part->type, part->position);
      }
    }
    if (part->kind != ExprKind::kColumn) return ExprPtr();
    const int column = part->column_index;
    if (column >= kAggregateBase && column < kAggregateBase + kPlaceholderStep) {
      const int index = static_cast<int>(keys_.size()) + column - kAggregateBase;
      return MakeColumn(index, part->type, part->position);
    }
    if (column >= kPlaceholderBase) return part;
    return WithPosition(
        MakeError(SqlState::kGroupingError,
                  absl::StrCat("column \"", scope_.ColumnTitle(column),
                               "\" must appear in the GROUP BY clause or be used in an aggregate "
                               "function")),
        part->position);
  };
  return RewriteExpr(expr, replace);
}

}  // namespace millrace
