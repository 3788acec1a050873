#include "coordinator/sql/distinct_on.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/parse_tree.h"

namespace millrace {
namespace {

bool SameItem(const OrderItem& a, const OrderItem& b) {
  return a.target == b.target && (a.target >= 0 || SameExpr(*a.key.expr, *b.key.expr));
}

bool Contains(const std::vector<OrderItem>& items, const OrderItem& item) {
  return std::any_of(items.begin(), items.end(),
                     [&](const OrderItem& known) { return SameItem(known, item); });
}

}  // namespace

absl::StatusOr<std::vector<OrderItem>> BindDistinctOn(ExpressionBinder& binder,
                                                      const PgQuery__SelectStmt& select,
                                                      std::vector<SelectTarget>* targets) {
  // The same rules as for ORDER BY: the expressions are handed over as its elements.
  const size_t count = select.n_distinct_clause;
  std::vector<PgQuery__SortBy> sorts(count);
  std::vector<PgQuery__Node> nodes(count);
  std::vector<PgQuery__Node*> elements(count);
  for (size_t i = 0; i < count; ++i) {
    pg_query__sort_by__init(&sorts[i]);
    pg_query__node__init(&nodes[i]);
    sorts[i].node = select.distinct_clause[i];
    nodes[i].node_case = PG_QUERY__NODE__NODE_SORT_BY;
    nodes[i].sort_by = &sorts[i];
    elements[i] = &nodes[i];
  }
  PgQuery__SelectStmt ordered = select;
  ordered.n_sort_clause = count;
  ordered.sort_clause = elements.data();
  return BindOrderBy(binder, ordered, /*distinct=*/false, targets);
}

absl::Status CheckDistinctOn(const std::vector<OrderItem>& expressions,
                             const std::vector<OrderItem>& order) {
  std::vector<OrderItem> seen;
  for (const OrderItem& item : order) {
    if (seen.size() == expressions.size()) break;
    if (!Contains(expressions, item)) {
      return WithPosition(
          MakeError(SqlState::kInvalidColumnReference,
                    "SELECT DISTINCT ON expressions must match initial ORDER BY expressions"),
          item.key.expr->position);
    }
    if (!Contains(seen, item)) seen.push_back(item);
  }
  return absl::OkStatus();
}

absl::StatusOr<LogicalPtr> KeepFirstRows(LogicalPtr plan, std::vector<int> columns,
                                         std::vector<SortKey> order) {
  const SqlType bigint = SqlType::Of(TypeId::kInt64);
  OverCall number;
  number.ranking = "row_number";
  number.type = bigint;
  const int width = static_cast<int>(plan->output.size());
  plan = NewOver(std::move(plan), std::move(columns), std::move(order), {number});
  MR_ASSIGN_OR_RETURN(
      ExprPtr first,
      BuildOperator("=", {MakeColumn(width, bigint), MakeLiteral(Value{bigint, int64_t{1}})}, 0));
  return NewFilter(std::move(plan), std::move(first));
}

}  // namespace millrace
