#include "coordinator/job/statement_threads.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {

void StatementThreads::JoinAll() {
  while (true) {
    std::vector<std::thread> finished;
    {
      MutexLock lock(mutex_);
      if (threads_.empty()) return;
      while (finished_.empty()) finished_changed_.Wait(mutex_);
      finished = TakeFinished();
    }
    for (std::thread& thread : finished) thread.join();
  }
}

std::vector<std::thread> StatementThreads::TakeFinished() {
  std::vector<std::thread> taken;
  for (uint64_t id : finished_) {
    auto it = threads_.find(id);
    taken.push_back(std::move(it->second));
    threads_.erase(it);
  }
  finished_.clear();
  return taken;
}

absl::Status StatementThreads::Run(std::function<void()> work) {
  std::vector<std::thread> finished;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    finished = TakeFinished();
    if (threads_.size() < threads_max_) {
      const uint64_t id = next_id_++;
      threads_[id] = std::thread([this, id, call = std::move(work)]() mutable {
        call();
        call = nullptr;  // What it holds must be gone before the owner may be.
        MutexLock done_lock(mutex_);
        finished_.push_back(id);
        finished_changed_.NotifyAll();
      });
    } else {
      ErrorDetail detail;
      detail.state = SqlState::kInsufficientResources;
      detail.blame = Blame::kExternal;
      detail.retry = Retry::kSafe;
      detail.hint = "wait until others have ended, or raise the limit of the coordinator";
      status = MakeError(detail, absl::StrCat("too many statements are running: ", threads_max_));
    }
  }
  for (std::thread& thread : finished) thread.join();
  return status;
}

}  // namespace millrace
