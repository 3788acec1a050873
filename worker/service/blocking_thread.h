#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "common/base/mutex.h"

namespace millrace {

// Runs work that waits for disks, in order, away from the pool that computes and the thread that
// listens to the coordinator.
class BlockingThread {
 public:
  BlockingThread();
  // Finishes the work that is running; what has not begun is dropped.
  ~BlockingThread();
  BlockingThread(const BlockingThread&) = delete;
  BlockingThread& operator=(const BlockingThread&) = delete;

  void Run(std::function<void()> work);

 private:
  void RunThread();

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> work_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace
