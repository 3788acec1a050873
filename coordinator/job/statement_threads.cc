#include "coordinator/job/statement_threads.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
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

void StatementThreads::GiveBack::operator()(StatementThreads* threads) const {
  MutexLock lock(threads->mutex_);
  --threads->num_reserved_;
}

absl::StatusOr<StatementThreads::Slot> StatementThreads::Reserve() {
  std::vector<std::thread> finished;
  Slot slot;
  {
    MutexLock lock(mutex_);
    finished = TakeFinished();
    if (threads_.size() + num_reserved_ < options_.threads_max) {
      ++num_reserved_;
      slot.reset(this);
    }
  }
  for (std::thread& thread : finished) thread.join();
  if (slot != nullptr) return slot;
  ErrorDetail detail;
  detail.state = SqlState::kInsufficientResources;
  detail.blame = Blame::kExternal;
  detail.retry = Retry::kSafe;
  detail.hint = options_.hint;
  return MakeError(detail,
                   absl::StrCat("too many ", options_.calls, " at once: ", options_.threads_max));
}

void StatementThreads::Run(Slot slot, std::function<void()> work) {
  MR_CHECK(slot.get() == this);
  MutexLock lock(mutex_);
  static_cast<void>(slot.release());
  --num_reserved_;
  const uint64_t id = next_id_++;
  threads_[id] = std::thread([this, id, call = std::move(work)]() mutable {
    call();
    call = nullptr;  // What it holds must be gone before the owner may be.
    MutexLock done_lock(mutex_);
    finished_.push_back(id);
    finished_changed_.NotifyAll();
  });
}

absl::Status StatementThreads::Run(std::function<void()> work) {
  MR_ASSIGN_OR_RETURN(Slot slot, Reserve());
  Run(std::move(slot), std::move(work));
  return absl::OkStatus();
}

}  // namespace millrace
