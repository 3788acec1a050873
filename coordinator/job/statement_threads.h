#pragma once

#include <cstddef>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"

namespace millrace {

// Threads for what blocks: statements, watchers, scripts. One thread for each call, at most `threads_max` at a time.
class StatementThreads {
 public:
  explicit StatementThreads(size_t threads_max) : threads_max_(threads_max) {}
  // Waits for all calls; whoever started them must have told them to end.
  ~StatementThreads();

  // 53000 (retry safe) when all threads are taken.
  absl::Status Run(std::function<void()> work);

 private:
  const size_t threads_max_;
  Mutex mutex_;
  CondVar idle_;
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
