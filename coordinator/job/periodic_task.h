#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"

namespace millrace {

// A thread that calls `tick` again and again with `interval_micros` between the calls, from
// construction to destruction.
class PeriodicTask {
 public:
  PeriodicTask(int64_t interval_micros, std::function<void()> tick);
  // Waits for a call that is under way.
  ~PeriodicTask();

 private:
  void Run();

  const int64_t interval_micros_;
  const std::function<void()> tick_;
  Mutex mutex_;
  CondVar stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace
