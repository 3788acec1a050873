#include "worker/runtime/timer_queue.h"

#include <chrono>
#include <utility>
#include <vector>

namespace millrace {

TimerQueue::TimerQueue() : thread_([this] { RunThread(); }) {}

TimerQueue::~TimerQueue() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void TimerQueue::WakeAt(int64_t monotonic_micros, std::weak_ptr<Wakeable> target) {
  MutexLock lock(mutex_);
  const bool is_next = entries_.empty() || monotonic_micros < entries_.begin()->first;
  entries_.emplace(monotonic_micros, std::move(target));
  if (is_next) changed_.NotifyAll();
}

void TimerQueue::RunThread() {
  while (true) {
    std::vector<std::weak_ptr<Wakeable>> due;
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      const int64_t now = SystemClock().MonotonicMicros();
      while (!entries_.empty() && entries_.begin()->first <= now) {
        due.push_back(std::move(entries_.begin()->second));
        entries_.erase(entries_.begin());
      }
      if (due.empty()) {
        if (entries_.empty()) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitFor(mutex_, std::chrono::microseconds(entries_.begin()->first - now));
        }
        continue;
      }
    }
    for (const auto& target : due) {
      if (auto strong = target.lock()) strong->Wake();
    }
  }
}

}  // namespace millrace
