#include "coordinator/job/bounded_run.h"

#include <chrono>
#include <utility>

namespace millrace {
namespace {

// How often the token's deadline is looked at.
constexpr std::chrono::milliseconds kWaitPause(50);

}  // namespace

bool BoundedRun::WaitStarted(Cancellation& token, const Clock& clock) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!started_ && !outcome_.has_value()) changed_.WaitFor(mutex_, kWaitPause);
      // An attempt may have ended well before anybody looked: its rows still wait on the workers.
      if (started_ && (!outcome_.has_value() || outcome_->status.ok())) return true;
      if (outcome_.has_value()) return false;
    }
    token.CheckDeadline(clock);
  }
}

AttemptOutcome BoundedRun::WaitEnded(Cancellation& token, const Clock& clock) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!outcome_.has_value()) changed_.WaitFor(mutex_, kWaitPause);
      if (outcome_.has_value()) return *std::move(outcome_);
    }
    token.CheckDeadline(clock);
  }
}

bool BoundedRun::failed() const {
  MutexLock lock(mutex_);
  return outcome_.has_value() && !outcome_->status.ok();
}

bool BoundedRun::AwaitFailed(std::chrono::microseconds at_most) {
  MutexLock lock(mutex_);
  if (!outcome_.has_value()) changed_.WaitFor(mutex_, at_most);
  return outcome_.has_value() && !outcome_->status.ok();
}

void BoundedRun::OnStarted() {
  MutexLock lock(mutex_);
  started_ = true;
  changed_.NotifyAll();
}

void BoundedRun::OnEnded(AttemptOutcome outcome) {
  MutexLock lock(mutex_);
  outcome_ = std::move(outcome);
  changed_.NotifyAll();
}

}  // namespace millrace
