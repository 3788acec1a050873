#include "coordinator/job/periodic_task.h"

#include <chrono>
#include <utility>

namespace millrace {

PeriodicTask::PeriodicTask(int64_t interval_micros, std::function<void()> tick)
    : interval_micros_(interval_micros), tick_(std::move(tick)), thread_([this] { Run(); }) {}

PeriodicTask::~PeriodicTask() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  stopped_.NotifyAll();
  thread_.join();
}

void PeriodicTask::Run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!stop_) stopped_.WaitFor(mutex_, std::chrono::microseconds(interval_micros_));
      if (stop_) return;
    }
    tick_();
  }
}

}  // namespace millrace
