#include "coordinator/job/statement_threads.h"

#include <thread>
#include <utility>

#include "common/base/status.h"

namespace millrace {

StatementThreads::~StatementThreads() {
  MutexLock lock(mutex_);
  while (running_ > 0) idle_.Wait(mutex_);
}

absl::Status StatementThreads::Run(std::function<void()> work) {
  {
    MutexLock lock(mutex_);
    if (running_ >= threads_max_) {
      ErrorDetail detail;
      detail.state = SqlState::kInsufficientResources;
      detail.blame = Blame::kExternal;
      detail.retry = Retry::kSafe;
      return MakeError(detail, "too many statements are running");
    }
    ++running_;
  }
  std::thread([this, call = std::move(work)]() mutable {
    call();
    call = nullptr;  // What it holds must be gone before the owner may be.
    MutexLock lock(mutex_);
    --running_;
    idle_.NotifyAll();
  }).detach();
  return absl::OkStatus();
}

}  // namespace millrace
