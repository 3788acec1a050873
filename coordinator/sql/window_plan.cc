#include "coordinator/sql/window_plan.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/statement_limits.h"

namespace millrace {
namespace {

bool SameWindowKeys(const std::vector<SortKey>& a, const std::vector<SortKey>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const SortKey& x, const SortKey& y) {
    return SameExpr(*x.expr, *y.expr) && x.descending == y.descending &&
           x.nulls_first == y.nulls_first;
  });
}

bool SamePartition(const std::vector<ExprPtr>& a, const std::vector<ExprPtr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ExprPtr& x, const ExprPtr& y) { return SameExpr(*x, *y); });
}

// The row that the OVER nodes read: the input's columns, then what has to be computed for them.
class WindowRow {
 public:
  explicit WindowRow(const LogicalPtr& input) : input_(input) {
    for (size_t i = 0; i < input->output.size(); ++i) {
      exprs_.push_back(MakeColumn(static_cast<int>(i), input->output[i].type));
      names_.push_back(input->output[i].name);
    }
  }

  int Column(const ExprPtr& expr) {
    if (expr->kind == ExprKind::kColumn) return expr->column_index;
    for (size_t i = input_->output.size(); i < exprs_.size(); ++i) {
      if (SameExpr(*exprs_[i], *expr)) return static_cast<int>(i);
    }
    exprs_.push_back(expr);
    names_.push_back(absl::StrCat("expr", exprs_.size() - 1));
    return static_cast<int>(exprs_.size()) - 1;
  }

  std::vector<int> Columns(const std::vector<ExprPtr>& exprs) {
    std::vector<int> columns;
    for (const ExprPtr& expr : exprs) columns.push_back(Column(expr));
    return columns;
  }

  LogicalPtr Plan() const {
    if (exprs_.size() == input_->output.size()) return input_;
    return NewProject(input_, exprs_, names_);
  }

 private:
  const LogicalPtr input_;
  std::vector<ExprPtr> exprs_;
  std::vector<std::string> names_;
};

OverCall MakeCall(const WindowItem& item, WindowRow& row) {
  OverCall call;
  call.frame = item.window.frame;
  if (!item.aggregate.has_value()) {
    call.ranking = item.ranking.name;
    call.args = row.Columns(item.ranking.args);
    call.type = item.ranking.type;
    return call;
  }
  AggregateCall aggregate;
  aggregate.function = item.aggregate->resolved.function;
  aggregate.args = row.Columns(item.aggregate->resolved.args);
  aggregate.type = item.aggregate->resolved.type;
  if (item.aggregate->filter != nullptr) aggregate.filter = row.Column(item.aggregate->filter);
  call.type = aggregate.type;
  call.aggregate = std::move(aggregate);
  return call;
}

// Calls over one partition and order; `items` are positions in the list of all window calls.
struct OverGroup {
  const WindowDefinition* window = nullptr;
  std::vector<size_t> items;
  std::vector<OverCall> calls;
  std::vector<int> partition;
  std::vector<SortKey> order;
};

std::vector<OverGroup> GroupItems(const std::vector<WindowItem>& windows) {
  std::vector<OverGroup> groups;
  for (size_t i = 0; i < windows.size(); ++i) {
    const WindowDefinition& window = windows[i].window;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const OverGroup& known) {
      return SamePartition(known.window->partition, window.partition) &&
             SameWindowKeys(known.window->order, window.order);
    });
    if (group == groups.end()) {
      groups.push_back(OverGroup{});
      group = groups.end() - 1;
      group->window = &window;
    }
    group->items.push_back(i);
  }
  return groups;
}

}  // namespace

absl::StatusOr<LogicalPtr> AddWindowNodes(LogicalPtr input, const std::vector<WindowItem>& windows,
                                          std::vector<ExprPtr>* columns) {
  WindowRow row(input);
  std::vector<OverGroup> groups = GroupItems(windows);
  if (groups.size() > kMaxWindows) {
    return MakeError(
        SqlState::kProgramLimitExceeded,
        absl::StrCat("a SELECT can have at most ", kMaxWindows, " different window definitions"));
  }
  for (OverGroup& group : groups) {
    for (const size_t item : group.items) group.calls.push_back(MakeCall(windows[item], row));
    group.partition = row.Columns(group.window->partition);
    for (const SortKey& key : group.window->order) {
      const ExprPtr column = MakeColumn(row.Column(key.expr), key.expr->type, key.expr->position);
      group.order.push_back(SortKey{column, key.descending, key.nulls_first});
    }
  }
  LogicalPtr plan = row.Plan();
  columns->resize(windows.size());
  for (OverGroup& group : groups) {
    const int first = static_cast<int>(plan->output.size());
    for (size_t i = 0; i < group.items.size(); ++i) {
      (*columns)[group.items[i]] = MakeColumn(first + static_cast<int>(i), group.calls[i].type);
    }
    plan = NewOver(std::move(plan), std::move(group.partition), std::move(group.order),
                   std::move(group.calls));
  }
  return plan;
}

}  // namespace millrace
