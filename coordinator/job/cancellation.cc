#include "coordinator/job/cancellation.h"

#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/status.h"

namespace millrace {

absl::Status CancelledByUser() {
  return MakeError(SqlState::kQueryCanceled, "canceling statement due to user request");
}

void Cancellation::Cancel(absl::Status reason) {
  MR_CHECK(!reason.ok());
  std::vector<std::function<void(const absl::Status&)>> callbacks;
  {
    MutexLock lock(mutex_);
    if (!status_.ok()) return;
    status_ = reason;
    for (auto& [id, callback] : callbacks_) callbacks.push_back(std::move(callback));
    callbacks_.clear();
    ++calls_under_way_;
  }
  for (const auto& callback : callbacks) callback(reason);
  MutexLock lock(mutex_);
  --calls_under_way_;
  callbacks_done_.NotifyAll();
}

absl::Status Cancellation::status() const {
  MutexLock lock(mutex_);
  return status_;
}

void Cancellation::SetDeadline(int64_t monotonic_micros, absl::Status reason) {
  MutexLock lock(mutex_);
  deadline_micros_ = monotonic_micros;
  deadline_reason_ = std::move(reason);
}

void Cancellation::CheckDeadline(const Clock& clock) {
  absl::Status reason;
  {
    MutexLock lock(mutex_);
    if (clock.MonotonicMicros() < deadline_micros_) return;
    reason = deadline_reason_;
  }
  Cancel(std::move(reason));
}

Cancellation::Registration::Registration(Cancellation& token,
                                         std::function<void(const absl::Status&)> callback)
    : token_(token) {
  absl::Status status;
  {
    MutexLock lock(token_.mutex_);
    id_ = token_.next_id_++;
    status = token_.status_;
    if (status.ok()) token_.callbacks_[id_] = std::move(callback);
  }
  if (!status.ok()) callback(status);
}

Cancellation::Registration::~Registration() {
  MutexLock lock(token_.mutex_);
  token_.callbacks_.erase(id_);
  while (token_.calls_under_way_ > 0) token_.callbacks_done_.Wait(token_.mutex_);
}

}  // namespace millrace
