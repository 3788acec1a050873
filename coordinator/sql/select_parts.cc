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

bool SameKeys(const std::vector<SortKey>& a, const std::vector<SortKey>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const SortKey& x, const SortKey& y) {
    return SameExpr(*x.expr, *y.expr) && x.descending == y.descending &&
           x.nulls_first == y.nulls_first;
  });
}

bool SameFrame(const OverFrame& a, const OverFrame& b) {
  return a.unit == b.unit && a.start == b.start && a.end == b.end &&
         a.start_offset == b.start_offset && a.end_offset == b.end_offset;
}

bool SameWindow(const WindowItem& a, const WindowItem& b) {
  if (a.aggregate.has_value() != b.aggregate.has_value()) return false;
  const bool same_call = a.aggregate.has_value() ? SameAggregate(*a.aggregate, *b.aggregate)
                                                 : a.ranking.name == b.ranking.name &&
                                                       a.ranking.type == b.ranking.type &&
                                                       SameExprs(a.ranking.args, b.ranking.args);
  return same_call && SameExprs(a.window.partition, b.window.partition) &&
         SameKeys(a.window.order, b.window.order) && SameFrame(a.window.frame, b.window.frame);
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
  size_t index = 0;
  while (index < parts.windows.size() && !SameWindow(parts.windows[index], item)) ++index;
  if (index == parts.windows.size()) parts.windows.push_back(std::move(item));
  return MakeColumn(kWindowBase + static_cast<int>(index), type, position);
}

ExprPtr SubqueryList::Add(SubqueryItem item, const SqlType& type) {
  const int index = base_ + static_cast<int>(items_.size());
  const int32_t position = item.position;
  items_.push_back(std::move(item));
  return MakeColumn(index, type, position);
}

}  // namespace millrace
