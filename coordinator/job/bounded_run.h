#pragma once

#include <chrono>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "coordinator/job/attempt_runs.h"
#include "coordinator/job/cancellation.h"

namespace millrace {

// Where a statement's thread waits for an attempt of a bounded job.
class BoundedRun final : public AttemptObserver {
 public:
  // True when the tasks were told to start, false when the attempt ended before. Checks the token's
  // deadline while it waits; to make a cancellation end the attempt is the caller's part.
  bool WaitStarted(Cancellation& token, const Clock& clock);
  AttemptOutcome WaitEnded(Cancellation& token, const Clock& clock);
  // It ended with an error.
  bool failed() const;
  // The same; waits up to `at_most` for the attempt to end.
  bool AwaitFailed(std::chrono::microseconds at_most);

  void OnStarted() override;
  void OnEnded(AttemptOutcome outcome) override;

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<AttemptOutcome> outcome_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
