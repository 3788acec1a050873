#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"

namespace millrace {

// Threads for what blocks: statements, watchers, scripts. One thread for each call, at most
// `threads_max` at a time.
class StatementThreads {
 public:
  explicit StatementThreads(size_t threads_max) : threads_max_(threads_max) {}
  ~StatementThreads() { JoinAll(); }

  // 53000 (retry safe) when all threads are taken.
  absl::Status Run(std::function<void()> work);
  // Waits for all calls; whoever started them must have told them to end, and starts no more.
  void JoinAll();

 private:
  // Takes the threads whose calls are over.
  std::vector<std::thread> TakeFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t threads_max_;
  Mutex mutex_;
  CondVar finished_changed_;
  std::map<uint64_t, std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> finished_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
