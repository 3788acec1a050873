#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"

namespace millrace {

// One thread that does what must not hold up the caller: writing manifests, renaming files,
// starting attempts again. In the order of the calls. Its callers bound the queue: each job has at
// most one thing of each kind under way.
class WorkQueue {
 public:
  WorkQueue();
  // Finishes the work that has begun and drops the rest: all of it is repeated after a restart of
  // the process.
  ~WorkQueue();

  void Add(std::function<void()> work);

 private:
  void Run();

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace
