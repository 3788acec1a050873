#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/job/script_jobs.h"

// Scripts that go on: when somebody asks for it, and because one of their streams has been
// restarted by itself.

namespace millrace {
namespace {

absl::Status ScriptRestarted() {
  return MakeError(SqlState::kQueryCanceled, "the job is restarted");
}

void GoOn(v1::JobRecord& script) {
  script.set_state(v1::JOB_STATE_RUNNING);
  script.clear_ended_at_micros();
  script.clear_error_message();
  script.clear_error_sqlstate();
}

void GoOn(v1::StepState state, v1::StepStatus& step) {
  step.set_state(state);
  step.clear_ended_at_micros();
  step.clear_error();
}

// It has ended, and all that is left of it are its streams: if one of them runs again, so does the
// script. One that has stopped or failed at a statement stays there, with or without its streams.
bool EndedWithItsStreams(const v1::JobRecord& script) {
  if (IsLive(script) || script.state() == v1::JOB_STATE_CANCELLED) return false;
  return script.committed_steps() == static_cast<uint32_t>(script.steps_size());
}

}  // namespace

absl::Status ScriptJobs::CheckRestart(const v1::JobRecord& record,
                                      const RestartRequest& request) const {
  const auto refuse = [&record](absl::string_view why) {
    return MakeError(SqlState::kObjectNotInPrerequisiteState,
                     absl::StrCat("job ", record.name(), " cannot be restarted: ", why));
  };
  if (record.state() == v1::JOB_STATE_CANCELLED) return refuse("it was cancelled");
  if (record.state() == v1::JOB_STATE_FINISHED) return refuse("it has finished");
  if (request.checkpoint_epoch == 0) return absl::OkStatus();
  // All or none: one that stayed behind would belong to another moment.
  for (uint64_t stream : StreamsOf(record.id())) {
    const std::optional<v1::JobRecord> job = parts_.store.Get(stream);
    if (!job.has_value()) continue;
    const bool kept = std::any_of(
        job->checkpoints().begin(), job->checkpoints().end(),
        [&](const auto& kept_one) { return kept_one.epoch() == request.checkpoint_epoch; });
    if (kept) continue;
    return MakeError(SqlState::kUndefinedObject,
                     absl::StrCat("streaming job ", job->name(), " of ", record.name(),
                                  " has no checkpoint of epoch ", request.checkpoint_epoch),
                     "restart the streaming jobs one by one, or from the newest checkpoints");
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> ScriptJobs::RestartStreams(const RestartRequest& request,
                                                    Cancellation& waiter) {
  uint64_t restored_epoch = 0;
  const std::optional<v1::JobRecord> script = parts_.store.Get(request.job_id);
  const bool runs = script.has_value() && IsLive(*script);
  for (uint64_t stream : StreamsOf(request.job_id)) {
    const std::optional<v1::JobRecord> record = parts_.store.Get(stream);
    if (!record.has_value()) continue;
    const bool at_rest =
        record->state() == v1::JOB_STATE_STOPPED || record->state() == v1::JOB_STATE_FAILED;
    MR_ASSIGN_OR_RETURN(const bool again,
                        WasRestartedBy(*record, request.request_id, request.checkpoint_epoch));
    // One that runs beside a failed statement of its script goes on, unless it is to go back.
    const bool with_its_script = runs && IsLive(*record);
    if (!at_rest && !again && !with_its_script && request.checkpoint_epoch == 0) continue;
    if (record->state() == v1::JOB_STATE_CANCELLED) continue;
    const absl::StatusOr<RestartAnswer> answer =
        parts_.streams.Restart({stream, request.checkpoint_epoch, request.request_id}, waiter);
    if (!answer.ok()) {
      const std::optional<v1::JobRecord> now = parts_.store.Get(stream);
      const bool is_over = !now.has_value() || now->state() == v1::JOB_STATE_FINISHED;
      // With its last checkpoint it has come to its end.
      if (is_over && request.checkpoint_epoch == 0) continue;
      return answer.status();
    }
    restored_epoch = std::max(restored_epoch, answer->restored_epoch);
  }
  return restored_epoch;
}

absl::StatusOr<RestartAnswer> ScriptJobs::Restart(const RestartRequest& request,
                                                  Cancellation& waiter) {
  const std::optional<v1::JobRecord> record = parts_.store.Get(request.job_id);
  if (!record.has_value()) return InternalError("a script has lost its record");
  MR_ASSIGN_OR_RETURN(const bool done,
                      WasRestartedBy(*record, request.request_id, request.checkpoint_epoch));
  if (done) return RestartAnswer{record->restart_attempt(), record->restart_epoch()};
  // What all of them have stays so until all are restarted.
  std::vector<std::shared_ptr<void>> holds;
  for (uint64_t stream : StreamsOf(request.job_id)) {
    MR_ASSIGN_OR_RETURN(std::shared_ptr<void> hold, parts_.streams.HoldForRestart(stream, waiter));
    holds.push_back(std::move(hold));
  }
  MR_RETURN_IF_ERROR(CheckRestart(*record, request));
  MR_ASSIGN_OR_RETURN(StatementThreads::Slot slot, Admit());
  if (IsLive(*record)) {
    MR_RETURN_IF_ERROR(Interrupt(request.job_id, ScriptRestarted(), waiter));
  }
  const absl::StatusOr<uint64_t> restored_epoch = RestartStreams(request, waiter);
  if (!restored_epoch.ok()) {
    // It goes on as it was, or with those of its streams that were restarted before.
    const bool goes_on = IsLive(*record) ? Find(request.job_id) == nullptr
                                         : FollowStreams(request.job_id).value_or(false);
    if (goes_on) Launch(request.job_id, std::move(slot));
    return restored_epoch.status();
  }
  RestartAnswer answer{0, *restored_epoch};
  std::set<uint64_t> live;
  for (uint64_t stream : StreamsOf(request.job_id)) {
    const std::optional<v1::JobRecord> job = parts_.store.Get(stream);
    if (job.has_value() && IsLive(*job)) live.insert(stream);
  }
  // Last: the same request, made again after a crash, completes what is left.
  MR_RETURN_IF_ERROR(parts_.store.Update(request.job_id, [&](v1::JobRecord& changed) {
    answer.attempt = changed.attempt() + 1;
    GoOn(changed);
    changed.set_attempt(answer.attempt);
    changed.set_restart_request_id(request.request_id);
    changed.set_restart_attempt(answer.attempt);
    changed.set_restart_epoch(*restored_epoch);
    for (v1::StepStatus& step : *changed.mutable_steps()) {
      if (step.index() >= changed.committed_steps()) {
        GoOn(v1::STEP_STATE_WAITING, step);
      } else if (live.contains(step.job_id())) {
        GoOn(v1::STEP_STATE_RUNNING, step);
      }
    }
  }));
  Launch(request.job_id, std::move(slot));
  return answer;
}

absl::StatusOr<RestartAnswer> ScriptJobs::RestartStream(const RestartRequest& request,
                                                        Cancellation& waiter) {
  const std::optional<v1::JobRecord> stream = parts_.store.Get(request.job_id);
  const uint64_t script_id = stream.has_value() ? stream->parent_job_id() : 0;
  const std::optional<v1::JobRecord> script = parts_.store.Get(script_id);
  if (!script.has_value()) return parts_.streams.Restart(request, waiter);
  StatementThreads::Slot slot;
  // Nothing is restarted that the script could not follow.
  if (EndedWithItsStreams(*script)) {
    MR_ASSIGN_OR_RETURN(slot, Admit());
  }
  MR_ASSIGN_OR_RETURN(const RestartAnswer answer, parts_.streams.Restart(request, waiter));
  // After it, so that a restart that fails changes nothing. A process that begins in between finds
  // the stream running, and comes to the same (Recover).
  MR_ASSIGN_OR_RETURN(const bool goes_on, FollowStreams(script_id));
  if (!goes_on) return answer;
  if (slot != nullptr) {
    Launch(script_id, std::move(slot));
  } else {
    // It has come to its end since it was looked at.
    MR_RETURN_IF_ERROR(Resume(script_id));
  }
  return answer;
}

absl::StatusOr<bool> ScriptJobs::FollowStreams(uint64_t job_id) {
  const std::set<uint64_t> running = RunningStreams(job_id);
  if (running.empty()) return false;
  bool goes_on = false;
  MR_RETURN_IF_ERROR(parts_.store.Update(job_id, [&](v1::JobRecord& script) {
    goes_on = EndedWithItsStreams(script);
    if (goes_on) GoOn(script);
    for (v1::StepStatus& step : *script.mutable_steps()) {
      if (running.contains(step.job_id())) GoOn(v1::STEP_STATE_RUNNING, step);
    }
  }));
  return goes_on;
}

absl::Status ScriptJobs::ResumeWithStreams(uint64_t job_id) {
  MR_ASSIGN_OR_RETURN(const bool goes_on, FollowStreams(job_id));
  return goes_on ? Resume(job_id) : absl::OkStatus();
}

}  // namespace millrace
