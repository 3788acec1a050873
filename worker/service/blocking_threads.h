#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/base/mutex.h"

namespace millrace {

// Runs work that waits for disks away from the pool that computes and the thread that listens to
// the coordinator. Begun in order, but one work may overtake another. How much may wait is up to
// the callers: a build or a checkpoint for each attempt, a commit for each checkpoint.
class BlockingThreads {
 public:
  BlockingThreads();
  // Finishes the work that is running; what has not begun is dropped.
  ~BlockingThreads();
  BlockingThreads(const BlockingThreads&) = delete;
  BlockingThreads& operator=(const BlockingThreads&) = delete;

  void Run(std::function<void()> work);

 private:
  void RunThread();

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> work_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace
