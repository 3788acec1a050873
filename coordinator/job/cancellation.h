#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace millrace {

// How a statement learns that nobody wants its result any more: its client went away or pressed
// Ctrl-C, its time is up, the job it belongs to was stopped, the process ends. Thread-safe. The
// first reason stays.
class Cancellation {
 public:
  void Cancel(absl::Status reason);
  // OK until it is cancelled.
  absl::Status status() const;
  bool cancelled() const { return !status().ok(); }

  // A deadline on `clock`'s monotonic time; whoever waits calls CheckDeadline from time to time.
  void SetDeadline(int64_t monotonic_micros, absl::Status reason);
  void CheckDeadline(const Clock& clock);

  // Calls `callback` once when the token is cancelled, or at once if it is already; from whatever
  // thread. The registration's end waits for a call that is under way, so the callback may use what
  // the registration's owner outlives. The callback must not end its own registration.
  class Registration {
   public:
    Registration(Cancellation& token, std::function<void(const absl::Status&)> callback);
    ~Registration();
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

   private:
    Cancellation& token_;
    uint64_t id_;
  };

 private:
  mutable Mutex mutex_;
  CondVar callbacks_done_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::function<void(const absl::Status&)>> callbacks_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  int calls_under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t deadline_micros_ ABSL_GUARDED_BY(mutex_) = INT64_MAX;
  absl::Status deadline_reason_ ABSL_GUARDED_BY(mutex_);
};

// "canceling statement due to user request", 57014.
absl::Status CancelledByUser();

}  // namespace millrace
