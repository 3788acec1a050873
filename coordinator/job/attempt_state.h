#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "common/base/ids.h"
#include "coordinator/epoch/task_key.h"

namespace millrace {

namespace v1 {
class TaskPlacement;
}  // namespace v1

enum class AttemptPhase : uint8_t { kDeploying, kRunning, kCancelling, kEnded };

// The life of one attempt to run a plan, as plain data: deploy everywhere → start everywhere →
// every task finishes. The first failure, loss or cancellation turns it to cancelling: the workers
// are told once, and the attempt ends when all that are left have answered (or the caller gives up
// waiting). Pure: each event returns what is to be done now.
class AttemptState {
 public:
  enum class Action : uint8_t {
    kNone,
    // Tell every worker to start.
    kStart,
    // Tell every worker that is left to cancel.
    kCancel,
    // The attempt is over; see outcome().
    kEnded,
  };

  explicit AttemptState(const std::vector<v1::TaskPlacement>& placements);

  // `status`: whether the worker could build its tasks.
  Action OnDeployed(WorkerId worker, const absl::Status& status);
  Action OnTaskFinished(TaskKey task);
  Action OnTaskFailed(TaskKey task, const absl::Status& error);
  Action OnWorkerCancelled(WorkerId worker);
  Action OnWorkerLost(WorkerId worker, const absl::Status& reason);
  Action Cancel(const absl::Status& reason);
  // No longer waits for workers that do not answer a cancellation.
  Action GiveUp();

  AttemptPhase phase() const { return phase_; }
  // Workers that take part and are not lost.
  const std::set<WorkerId>& workers() const { return workers_; }
  bool has_worker(WorkerId worker) const { return workers_.contains(worker); }
  // OK: every task finished. Else a cancellation by the user, or the error that explains best why:
  // one that is neither a broken connection (some other task or worker has died) nor a cancellation
  // (the consequence of another error).
  const absl::Status& outcome() const { return outcome_; }

 private:
  Action Fail(const absl::Status& error);
  Action EndIfAllAnswered();

  std::set<WorkerId> workers_;
  std::set<WorkerId> deploying_;
  std::set<WorkerId> cancelling_;
  std::set<TaskKey> unfinished_;
  AttemptPhase phase_ = AttemptPhase::kDeploying;
  absl::Status outcome_;
  bool cancelled_by_caller_ = false;
};

}  // namespace millrace
