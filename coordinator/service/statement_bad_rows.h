#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "millrace/v1/split.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
}  // namespace v1

// The rows that one bounded statement left out because they did not parse.
struct StatementBadRows {
  uint64_t job_id = 0;
  // The script that the statement was a step of; 0 = none.
  uint64_t parent_job_id = 0;
  // All of them, by table.
  std::map<std::string, uint64_t> count_by_table;
  // Those that are kept, by scan, split and position.
  std::vector<v1::KeptRow> rows;
  std::map<uint32_t, std::string> table_of_scan;
};

// Remembers the bad rows of the last statements: of at most kStatementsMax, each with at most
// kRowsMax rows and about kBytesMax bytes; beyond that rows are only counted. Lives as long as the
// process. Thread-safe.
class BadRowsOfStatements {
 public:
  static constexpr size_t kStatementsMax = 16;
  static constexpr size_t kRowsMax = 1000;
  static constexpr size_t kBytesMax = size_t{1} << 20;

  // Of a statement that has succeeded. Without bad rows nothing is remembered.
  void Add(StatementBadRows statement);
  // Oldest first.
  std::vector<StatementBadRows> List() const;

 private:
  mutable Mutex mutex_;
  std::deque<StatementBadRows> statements_ ABSL_GUARDED_BY(mutex_);
};

// What the tasks of a finished attempt report. `wall_micros`: now.
StatementBadRows MakeStatementBadRows(const v1::PhysicalPlan& plan,
                                      const std::vector<v1::TaskProgress>& tasks,
                                      std::vector<v1::KeptRow> kept_rows, int64_t wall_micros);

// The table behind each scan of a plan.
std::map<uint32_t, std::string> TableOfScan(const v1::PhysicalPlan& plan);

}  // namespace millrace
