#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <thread>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "worker/runtime/wakeable.h"

namespace millrace {

// Wakes tasks at a time. A seam: tests wake by hand.
class Timers {
 public:
  virtual ~Timers() = default;
  // Calls Wake once, at or soon after that time of Clock::MonotonicMicros; not if the target is
  // gone by then. Thread-safe.
  virtual void WakeAt(int64_t monotonic_micros, std::weak_ptr<Wakeable> target) = 0;
};

// Timers by the operating system's clock, with one thread.
class TimerQueue final : public Timers {
 public:
  TimerQueue();
  ~TimerQueue() override;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  void WakeAt(int64_t monotonic_micros, std::weak_ptr<Wakeable> target) override;

 private:
  void RunThread();

  Mutex mutex_;
  CondVar changed_;
  std::multimap<int64_t, std::weak_ptr<Wakeable>> entries_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace
