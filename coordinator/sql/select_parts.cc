#include "coordinator/sql/select_parts.h"

#include <algorithm>
#include <utility>

#include "coordinator/sql/expr_rewrite.h"

namespace millrace {
namespace {

bool SameExprs(const std::vector<ExprPtr>& a, const std::vector<ExprPtr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ExprPtr& x, const ExprPtr& y) { return SameExpr(*x, *y); });
}

bool SameAggregate(const AggregateItem& a, const AggregateItem& b) {
  const bool same_filter = (a.filter == nullptr) == (b.filter == nullptr) &&
                           (a.filter == nullptr || SameExpr(*a.filter, *b.filter));
  return a.resolved.function == b.resolved.function && a.distinct == b.distinct && same_filter &&
         a.resolved.type == b.resolved.type && SameExprs(a.resolved.args, b.resolved.args);
}

}  // namespace

ExprPtr AddAggregate(SelectParts& parts, AggregateItem item, int32_t position) {
  const SqlType type = item.resolved.type;
  size_t index = 0;
  while (index < parts.aggregates.size() && !SameAggregate(parts.aggregates[index], item)) ++index;
  if (index == parts.aggregates.size()) parts.aggregates.push_back(std::move(item));
  return MakeColumn(kAggregateBase + static_cast<int>(index), type, position);
}

ExprPtr AddWindow(SelectParts& parts, WindowItem item, int32_t position) {
  const SqlType type =
      item.aggregate.has_value() ? item.aggregate->resolved.type : item.ranking.type;
  const int index = static_cast<int>(parts.windows.size());
  parts.windows.push_back(std::move(item));
  return MakeColumn(kWindowBase + index, type, position);
}

ExprPtr SubqueryList::Add(SubqueryItem item, const SqlType& type) {
  const int index = base_ + static_cast<int>(items_.size());
  const int32_t position = item.position;
  items_.push_back(std::move(item));
  return MakeColumn(index, type, position);
}

}  // namespace millrace
