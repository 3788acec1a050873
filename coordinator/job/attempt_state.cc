#include "coordinator/job/attempt_state.h"

#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

// How much an error explains; the largest wins, the first among equals.
int Weight(const absl::Status& error) {
  switch (GetErrorDetail(error).state) {
    case SqlState::kQueryCanceled:
      return 0;
    case SqlState::kConnectionFailure:
      return 1;
    default:
      return 2;
  }
}

}  // namespace

AttemptState::AttemptState(const std::vector<v1::TaskPlacement>& placements) {
  MR_CHECK(!placements.empty());
  for (const v1::TaskPlacement& placement : placements) {
    workers_.insert(WorkerId(placement.worker_id()));
    unfinished_.insert({placement.fragment(), placement.task_index()});
  }
  deploying_ = workers_;
}

AttemptState::Action AttemptState::OnDeployed(WorkerId worker, const absl::Status& status) {
  if (phase_ != AttemptPhase::kDeploying && phase_ != AttemptPhase::kCancelling) {
    return Action::kNone;
  }
  if (!status.ok()) return Fail(status);
  deploying_.erase(worker);
  if (phase_ != AttemptPhase::kDeploying || !deploying_.empty()) return Action::kNone;
  phase_ = AttemptPhase::kRunning;
  return Action::kStart;
}

AttemptState::Action AttemptState::OnTaskFinished(TaskKey task) {
  unfinished_.erase(task);
  if (phase_ != AttemptPhase::kRunning || !unfinished_.empty()) return Action::kNone;
  phase_ = AttemptPhase::kEnded;
  return Action::kEnded;
}

AttemptState::Action AttemptState::OnTaskFailed(TaskKey task, const absl::Status& error) {
  MR_CHECK(!error.ok());
  unfinished_.erase(task);
  return Fail(error);
}

AttemptState::Action AttemptState::OnWorkerCancelled(WorkerId worker) {
  if (phase_ != AttemptPhase::kCancelling) return Action::kNone;
  cancelling_.erase(worker);
  return EndIfAllAnswered();
}

AttemptState::Action AttemptState::OnWorkerLost(WorkerId worker, const absl::Status& reason) {
  if (workers_.erase(worker) == 0 || phase_ == AttemptPhase::kEnded) return Action::kNone;
  deploying_.erase(worker);
  cancelling_.erase(worker);
  const Action action = Fail(reason);
  if (action == Action::kCancel && workers_.empty()) return EndIfAllAnswered();
  return action == Action::kNone ? EndIfAllAnswered() : action;
}

AttemptState::Action AttemptState::Cancel(const absl::Status& reason) {
  if (phase_ != AttemptPhase::kEnded && outcome_.ok()) cancelled_by_caller_ = true;
  return Fail(reason);
}

AttemptState::Action AttemptState::GiveUp() {
  if (phase_ != AttemptPhase::kCancelling) return Action::kNone;
  cancelling_.clear();
  return EndIfAllAnswered();
}

AttemptState::Action AttemptState::Fail(const absl::Status& error) {
  MR_CHECK(!error.ok());
  if (phase_ == AttemptPhase::kEnded) return Action::kNone;
  if (outcome_.ok() || (!cancelled_by_caller_ && Weight(error) > Weight(outcome_))) {
    outcome_ = error;
  }
  if (phase_ == AttemptPhase::kCancelling) return Action::kNone;
  phase_ = AttemptPhase::kCancelling;
  cancelling_ = workers_;
  return Action::kCancel;
}

AttemptState::Action AttemptState::EndIfAllAnswered() {
  if (phase_ != AttemptPhase::kCancelling || !cancelling_.empty()) return Action::kNone;
  phase_ = AttemptPhase::kEnded;
  return Action::kEnded;
}

}  // namespace millrace
