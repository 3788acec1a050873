#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>

#include "coordinator/epoch/task_key.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
class TaskProgress;
}  // namespace v1

// Rows a second of one task.
struct TaskRate {
  double rows_in = 0;
  double rows_out = 0;
  // Read by the task's scans; the rest of `rows_in` comes from other tasks.
  double rows_scanned = 0;
};

// How fast the tasks of one attempt work: the growth of their counters over the reports of the last
// kWindowMicros. Counters begin anew with each attempt, so each has an object of its own. Pure.
class TaskRates {
 public:
  static constexpr int64_t kWindowMicros = 5'000'000;
  // Reports that follow each other faster are one.
  static constexpr int64_t kGapMicros = 200'000;

  explicit TaskRates(const v1::PhysicalPlan& plan);

  // A report of a task; one that has ended has no rate any more.
  void Observe(const v1::TaskProgress& progress, int64_t now_micros);
  // All 0 before the second report, and when the last one is older than the window.
  TaskRate Of(const TaskKey& task, int64_t now_micros) const;

 private:
  struct Sample {
    int64_t at_micros = 0;
    uint64_t rows_in = 0;
    uint64_t rows_out = 0;
    uint64_t rows_scanned = 0;
  };

  std::set<uint32_t> scan_nodes_;
  // Oldest first; at most one of each lies before the window.
  std::map<TaskKey, std::deque<Sample>> samples_;
};

}  // namespace millrace
