#include "coordinator/service/statement_bad_rows.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "coordinator/scheduler/placement.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

void BadRowsOfStatements::Add(StatementBadRows statement) {
  if (statement.count_by_table.empty()) return;
  std::vector<v1::KeptRow>& rows = statement.rows;
  size_t num_rows = 0;
  size_t num_bytes = 0;
  while (num_rows < std::min(rows.size(), kRowsMax) && num_bytes < kBytesMax) {
    num_bytes += rows[num_rows++].ByteSizeLong();
  }
  rows.resize(num_rows);
  MutexLock lock(mutex_);
  if (statements_.size() == kStatementsMax) statements_.pop_front();
  statements_.push_back(std::move(statement));
}

std::vector<StatementBadRows> BadRowsOfStatements::List() const {
  MutexLock lock(mutex_);
  return {statements_.begin(), statements_.end()};
}

StatementBadRows MakeStatementBadRows(const v1::PhysicalPlan& plan,
                                      const std::vector<v1::TaskProgress>& tasks,
                                      std::vector<v1::KeptRow> kept_rows, int64_t wall_micros) {
  StatementBadRows statement;
  statement.table_of_scan = TableOfScan(plan);
  // A task tells its bad rows of all scans together; a fragment with two scans is counted under the
  // first one's name.
  std::map<uint32_t, std::string> table_of_fragment;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (node.has_scan()) table_of_fragment.emplace(fragment.id(), node.scan().table_name());
    });
  }
  for (const v1::TaskProgress& task : tasks) {
    if (task.bad_rows() == 0) continue;
    statement.count_by_table[table_of_fragment[task.fragment()]] += task.bad_rows();
  }
  std::sort(kept_rows.begin(), kept_rows.end(), [](const v1::KeptRow& a, const v1::KeptRow& b) {
    return std::forward_as_tuple(a.scan_id(), a.path(), a.position()) <
           std::forward_as_tuple(b.scan_id(), b.path(), b.position());
  });
  for (v1::KeptRow& row : kept_rows) row.set_kept_at_micros(wall_micros);
  statement.rows = std::move(kept_rows);
  return statement;
}

std::map<uint32_t, std::string> TableOfScan(const v1::PhysicalPlan& plan) {
  std::map<uint32_t, std::string> names;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&names](const v1::PlanNode& node) {
      if (node.has_scan()) names[node.scan().scan_id()] = node.scan().table_name();
    });
  }
  return names;
}

}  // namespace millrace
