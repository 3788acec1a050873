#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "coordinator/job/statement_threads.h"

namespace millrace {

// Does what must not hold up the caller: writing manifests, renaming files, starting attempts
// again. The work of one job in the order of the calls; jobs do not wait for each other, because a
// folder that hangs must hold up nobody but the jobs that use it. A job has a thread while it has
// work. The callers bound the queues: each job has at most one thing of each kind under way.
// Thread-safe.
class JobQueues {
 public:
  JobQueues() = default;
  // Finishes the work that has begun and drops the rest: all of it is repeated after a restart of
  // the process.
  ~JobQueues();
  JobQueues(const JobQueues&) = delete;
  JobQueues& operator=(const JobQueues&) = delete;

  void Add(uint64_t job_id, std::function<void()> work);

 private:
  void Run(uint64_t job_id);

  Mutex mutex_;
  // Jobs that have a thread.
  std::map<uint64_t, std::deque<std::function<void()>>> queues_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  StatementThreads threads_{{std::numeric_limits<size_t>::max(), "jobs", ""}};
};

}  // namespace millrace
