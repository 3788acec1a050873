#include "coordinator/job/job_queues.h"

#include <utility>

#include "common/base/check.h"

namespace millrace {

JobQueues::~JobQueues() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  threads_.JoinAll();
}

void JobQueues::Add(uint64_t job_id, std::function<void()> work) {
  MutexLock lock(mutex_);
  if (stop_) return;
  const auto [queue, needs_thread] = queues_.try_emplace(job_id);
  queue->second.push_back(std::move(work));
  if (needs_thread) MR_CHECK(threads_.Run([this, job_id] { Run(job_id); }).ok());
}

void JobQueues::Run(uint64_t job_id) {
  while (true) {
    std::function<void()> work;
    // What the work holds is released without the lock.
    std::deque<std::function<void()>> dropped;
    {
      MutexLock lock(mutex_);
      const auto queue = queues_.find(job_id);
      if (stop_ || queue->second.empty()) {
        dropped = std::move(queue->second);
        queues_.erase(queue);
        return;
      }
      work = std::move(queue->second.front());
      queue->second.pop_front();
    }
    work();
  }
}

}  // namespace millrace
