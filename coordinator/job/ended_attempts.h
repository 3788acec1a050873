#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "coordinator/epoch/task_key.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

// The tasks of one attempt, and the plan that they work on.
struct AttemptTasks {
  uint64_t job_id = 0;
  std::shared_ptr<const v1::PhysicalPlan> plan;
  std::vector<v1::TaskProgress> tasks;
  // Rows a second that each task's scans read; tasks without a rate are absent.
  std::map<TaskKey, double> scan_rates = {};
};

// The last counters of attempts that are over, for people who look at a job after its end. Keeps
// one attempt for each job, and forgets the oldest when there are too many or too large ones.
// Lives in memory only. Not thread-safe.
class EndedAttempts {
 public:
  static constexpr size_t kAttemptsMax = 256;
  static constexpr size_t kBytesMax = size_t{16} << 20;

  // Replaces what is known of the job.
  void Remember(AttemptTasks attempt);
  // Null if nothing is known of the job (any more).
  const AttemptTasks* Find(uint64_t job_id) const;
  std::vector<AttemptTasks> All() const;

 private:
  struct Entry {
    AttemptTasks attempt;
    size_t bytes = 0;
  };

  // Oldest first.
  std::deque<Entry> entries_;
  size_t bytes_ = 0;
};

}  // namespace millrace
