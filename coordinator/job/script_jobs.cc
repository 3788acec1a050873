#include "coordinator/job/script_jobs.h"

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "coordinator/job/statement_title.h"

namespace millrace {
namespace {

constexpr int64_t kForeverMicros = INT64_MAX / 4;
// How often those who wait for a script look at their deadlines.
constexpr std::chrono::milliseconds kPause(50);

bool Ended(const StreamView& stream) {
  return stream.phase == StreamPhase::kServing || stream.phase == StreamPhase::kFailed ||
         stream.phase == StreamPhase::kCancelled;
}

absl::Status FailureOf(const v1::JobRecord& record) {
  if (record.state() == v1::JOB_STATE_CANCELLED) return CancelledByUser();
  if (record.state() != v1::JOB_STATE_FAILED) return absl::OkStatus();
  return MakeError(SqlStateFromCode(record.error_sqlstate()), record.error_message());
}

absl::Status ShuttingDown() {
  return MakeError(SqlState::kCannotConnectNow, "the server is shutting down");
}

absl::Status ScriptStopped() { return MakeError(SqlState::kQueryCanceled, "the job was stopped"); }

}  // namespace

absl::StatusOr<v1::JobRecord> ScriptJobs::Submit(v1::JobRecord request) {
  // A script that cannot be split is refused at once.
  MR_RETURN_IF_ERROR(parts_.runner.Split(request.sql()).status());
  MR_ASSIGN_OR_RETURN(std::optional<v1::JobRecord> earlier, parts_.store.FindRequest(request));
  if (earlier.has_value()) return *std::move(earlier);
  MR_ASSIGN_OR_RETURN(StatementThreads::Slot slot, Admit());
  MR_ASSIGN_OR_RETURN(const uint64_t job_id, parts_.job_ids.Next());
  request.set_id(job_id);
  if (request.name().empty()) request.set_name(absl::StrCat("job-", job_id));
  request.set_state(v1::JOB_STATE_CREATED);
  request.set_attempt(1);
  request.set_created_at_micros(parts_.clock.WallMicros());
  MR_ASSIGN_OR_RETURN(v1::JobRecord record, parts_.store.Create(std::move(request)));
  if (record.id() != job_id) return record;  // The request was seen just now.
  Launch(job_id, std::move(slot));
  return record;
}

absl::Status ScriptJobs::Recover(const v1::JobRecord& record) {
  if (!IsLive(record)) return ResumeWithStreams(record.id());
  MR_RETURN_IF_ERROR(parts_.store.Update(
      record.id(), [](v1::JobRecord& changed) { changed.set_attempt(changed.attempt() + 1); }));
  return Resume(record.id());
}

absl::StatusOr<StatementThreads::Slot> ScriptJobs::Admit() {
  {
    MutexLock lock(mutex_);
    if (shut_down_) return ShuttingDown();
  }
  return parts_.threads.Reserve();
}

void ScriptJobs::Launch(uint64_t job_id, StatementThreads::Slot slot) {
  auto script = std::make_shared<Script>();
  std::shared_ptr<Script> before;
  {
    MutexLock lock(mutex_);
    if (shut_down_) return;
    before = std::exchange(scripts_[job_id], script);
    parts_.threads.Run(std::move(slot), [this, job_id, script] { Run(job_id, script); });
  }
  // Two restarts, of the script and of one of its streams, have come together.
  if (before != nullptr) {
    before->cancellation.Cancel(
        MakeError(SqlState::kQueryCanceled, "another thread goes on with the job"));
  }
}

void ScriptJobs::Run(uint64_t job_id, std::shared_ptr<Script> script) {
  bool goes_on = true;
  while (goes_on) {
    absl::StatusOr<v1::JobState> end = v1::JOB_STATE_FINISHED;
    if (const absl::Status run = RunSteps(job_id, *script); !run.ok()) end = run;
    if (end.ok()) end = WaitForStreams(job_id, *script);
    goes_on = GoesOnAfter(job_id, *script, end);
  }
  MutexLock lock(mutex_);
  // There may be another one already.
  const auto it = scripts_.find(job_id);
  if (it != scripts_.end() && it->second == script) scripts_.erase(it);
  ended_.NotifyAll();
}

bool ScriptJobs::GoesOnAfter(uint64_t job_id, const Script& script,
                             const absl::StatusOr<v1::JobState>& end) {
  // Who has interrupted it records what that means; when the process ends, nothing: the script goes
  // on with the next one.
  if (script.cancellation.cancelled()) return false;
  const absl::Status recorded =
      RecordEnd(job_id, end.ok() ? *end : v1::JOB_STATE_FAILED, end.status());
  if (!recorded.ok()) {
    LogError("job", "cannot record the end of a script", recorded);
    return false;
  }
  // Who has restarted a stream before that has seen a script that runs, and has left it so.
  const absl::StatusOr<bool> goes_on = FollowStreams(job_id);
  if (!goes_on.ok()) LogError("job", "cannot record that a script goes on", goes_on.status());
  return goes_on.value_or(false);
}

absl::Status ScriptJobs::RunSteps(uint64_t job_id, Script& script) {
  const std::optional<v1::JobRecord> record = parts_.store.Get(job_id);
  if (!record.has_value()) return InternalError("a script has lost its record");
  MR_ASSIGN_OR_RETURN(const std::vector<std::string> statements,
                      parts_.runner.Split(record->sql()));
  MR_RETURN_IF_ERROR(parts_.store.Update(job_id, [&statements](v1::JobRecord& changed) {
    changed.set_state(v1::JOB_STATE_RUNNING);
    for (int i = changed.steps_size(); i < static_cast<int>(statements.size()); ++i) {
      v1::StepStatus* step = changed.add_steps();
      step->set_index(static_cast<uint32_t>(i));
      step->set_title(StatementTitle(statements[i]));
      step->set_state(v1::STEP_STATE_WAITING);
    }
  }));
  for (uint32_t index = record->committed_steps(); index < statements.size();) {
    MR_RETURN_IF_ERROR(script.cancellation.status());
    MR_ASSIGN_OR_RETURN(index, RunFrom(job_id, index, statements, script));
  }
  return absl::OkStatus();
}

absl::Status ScriptJobs::UpdateStep(
    uint64_t job_id, uint32_t index,
    const std::function<void(v1::JobRecord&, v1::StepStatus&)>& change) {
  return parts_.store.Update(job_id, [&](v1::JobRecord& record) {
    change(record, *record.mutable_steps(static_cast<int>(index)));
  });
}

absl::StatusOr<uint32_t> ScriptJobs::RunFrom(uint64_t job_id, uint32_t index,
                                             const std::vector<std::string>& statements,
                                             Script& script) {
  const std::optional<v1::JobRecord> record = parts_.store.Get(job_id);
  if (!record.has_value()) return InternalError("a script has lost its record");
  const int64_t started = parts_.clock.WallMicros();
  MR_RETURN_IF_ERROR(UpdateStep(job_id, index, [&](v1::JobRecord&, v1::StepStatus& step) {
    step.set_state(v1::STEP_STATE_RUNNING);
    step.set_started_at_micros(started);
    step.clear_error();
  }));
  const auto on_job = [&](uint64_t step_job_id) {
    const absl::Status updated = UpdateStep(
        job_id, index, [&](v1::JobRecord&, v1::StepStatus& step) { step.set_job_id(step_job_id); });
    if (!updated.ok()) LogError("job", "cannot record the job of a step", updated);
  };
  ScriptRunResult run;
  if (const std::optional<v1::StepStatus> before = StreamOfStep(job_id, index)) {
    ScriptStepResult done;
    done.stream_job_id = before->job_id();
    done.stored_at = before->stored_at();
    run.steps.push_back(std::move(done));
  } else {
    run = parts_.runner.RunSteps(*record, index, absl::MakeConstSpan(statements).subspan(index),
                                 script.cancellation, on_job);
  }
  MR_RETURN_IF_ERROR(RecordSteps(job_id, index, run, script));
  if (run.failed.has_value()) return run.steps[*run.failed].status();
  return index + static_cast<uint32_t>(run.steps.size());
}

std::optional<v1::StepStatus> ScriptJobs::StreamOfStep(uint64_t job_id, uint32_t index) const {
  for (const uint64_t stream : StreamsOf(job_id)) {
    const std::optional<v1::JobRecord> record = parts_.store.Get(stream);
    if (!record.has_value()) continue;
    for (const v1::StepStatus& step : record->steps()) {
      if (step.index() == index) return step;
    }
  }
  return std::nullopt;
}

absl::Status ScriptJobs::RecordSteps(uint64_t job_id, uint32_t index, const ScriptRunResult& run,
                                     const Script& script) {
  const int64_t ended = parts_.clock.WallMicros();
  return parts_.store.Update(job_id, [&](v1::JobRecord& job) {
    const int64_t started = job.steps(static_cast<int>(index)).started_at_micros();
    for (size_t i = 0; i < run.steps.size(); ++i) {
      const absl::StatusOr<ScriptStepResult>& result = run.steps[i];
      v1::StepStatus& step = *job.mutable_steps(static_cast<int>(index + i));
      step.set_started_at_micros(started);
      step.set_ended_at_micros(ended);
      if (!result.ok()) {
        // The others of its job were not created because of it.
        const bool cancelled = script.cancellation.cancelled() || run.failed != i;
        step.set_state(cancelled ? v1::STEP_STATE_CANCELLED : v1::STEP_STATE_FAILED);
        ToProto(result.status(), step.mutable_error());
        continue;
      }
      step.set_rows(result->rows);
      step.set_stored_at(result->stored_at);
      if (result->stream_job_id != 0) step.set_job_id(result->stream_job_id);
      // A stream's step lasts as long as the stream.
      const bool lasts = result->stream_job_id != 0;
      step.set_state(lasts ? v1::STEP_STATE_RUNNING : v1::STEP_STATE_FINISHED);
      if (lasts) step.clear_ended_at_micros();
      for (const auto& [name, value] : result->settings) {
        if (value.has_value()) {
          (*job.mutable_settings())[name] = *value;
        } else {
          job.mutable_settings()->erase(name);
        }
      }
    }
    if (!run.failed.has_value()) {
      job.set_committed_steps(index + static_cast<uint32_t>(run.steps.size()));
    }
  });
}

std::vector<uint64_t> ScriptJobs::StreamsOf(uint64_t job_id) const {
  std::vector<uint64_t> streams;
  for (const v1::JobRecord& record : parts_.store.List()) {
    if (record.streaming() && record.parent_job_id() == job_id) streams.push_back(record.id());
  }
  return streams;
}

std::set<uint64_t> ScriptJobs::RunningStreams(uint64_t job_id) const {
  std::set<uint64_t> running;
  for (const uint64_t stream : StreamsOf(job_id)) {
    const std::optional<v1::JobRecord> record = parts_.store.Get(stream);
    const std::optional<StreamView> view = parts_.streams.View(stream);
    if (!record.has_value() || !view.has_value()) continue;
    // A failure is recorded a moment after it, and a stopped one that is taken up looks as if it
    // waited to go on: so neither tells it alone.
    if (IsLive(*record) && !Ended(*view)) running.insert(stream);
  }
  return running;
}

absl::StatusOr<v1::JobState> ScriptJobs::WaitForStreams(uint64_t job_id, Script& script) {
  while (true) {
    absl::StatusOr<v1::JobState> end = WaitForEachStream(job_id, script);
    // One that had ended may have been restarted while others were waited for.
    if (script.cancellation.cancelled() || RunningStreams(job_id).empty()) return end;
  }
}

absl::StatusOr<v1::JobState> ScriptJobs::WaitForEachStream(uint64_t job_id, Script& script) {
  absl::Status first_error;
  v1::JobState end = v1::JOB_STATE_FINISHED;
  for (uint64_t stream : StreamsOf(job_id)) {
    absl::Status waited = parts_.streams.WaitUntil(
        stream, [](const StreamView& view) -> absl::StatusOr<bool> { return Ended(view); },
        kForeverMicros, script.cancellation);
    MR_RETURN_IF_ERROR(script.cancellation.status());
    const std::optional<v1::JobRecord> ended = parts_.store.Get(stream);
    const bool dropped = !ended.has_value();
    // Also of one that could not be taken up, and that nobody has waited for.
    if (!dropped && GetErrorDetail(waited).state == SqlState::kUndefinedObject) {
      waited = FailureOf(*ended);
    }
    if (dropped) waited = absl::OkStatus();
    if (first_error.ok()) first_error = waited;
    if (!dropped && ended->state() == v1::JOB_STATE_STOPPED) end = v1::JOB_STATE_STOPPED;
    const absl::Status recorded = parts_.store.Update(job_id, [&](v1::JobRecord& record) {
      for (v1::StepStatus& step : *record.mutable_steps()) {
        if (step.job_id() != stream) continue;
        step.set_ended_at_micros(parts_.clock.WallMicros());
        step.set_state(waited.ok() ? v1::STEP_STATE_FINISHED : v1::STEP_STATE_FAILED);
        step.clear_error();
        if (!waited.ok()) ToProto(waited, step.mutable_error());
      }
    });
    // The others are waited for all the same.
    if (!recorded.ok()) LogError("job", "cannot record the end of a script's stream", recorded);
  }
  MR_RETURN_IF_ERROR(first_error);
  return end;
}

absl::Status ScriptJobs::RecordEnd(uint64_t job_id, v1::JobState state, const absl::Status& error) {
  return parts_.store.Update(job_id, [&](v1::JobRecord& record) {
    const bool given_up =
        state == v1::JOB_STATE_CANCELLED &&
        (record.state() == v1::JOB_STATE_STOPPED || record.state() == v1::JOB_STATE_FAILED);
    if (!IsLive(record) && !given_up) return;
    record.set_state(state);
    record.set_ended_at_micros(parts_.clock.WallMicros());
    for (v1::StepStatus& step : *record.mutable_steps()) {
      const bool over =
          step.state() != v1::STEP_STATE_WAITING && step.state() != v1::STEP_STATE_RUNNING;
      if (over || state == v1::JOB_STATE_FAILED) continue;
      // A stream's step has run until now.
      const bool stopped =
          state == v1::JOB_STATE_STOPPED && step.index() < record.committed_steps();
      step.set_state(stopped ? v1::STEP_STATE_FINISHED : v1::STEP_STATE_CANCELLED);
    }
    if (state != v1::JOB_STATE_FAILED) return;
    record.set_error_message(std::string(error.message()));
    record.set_error_sqlstate(std::string(SqlStateCode(GetErrorDetail(error).state)));
  });
}

std::shared_ptr<ScriptJobs::Script> ScriptJobs::Find(uint64_t job_id) {
  MutexLock lock(mutex_);
  auto it = scripts_.find(job_id);
  return it == scripts_.end() ? nullptr : it->second;
}

absl::Status ScriptJobs::Interrupt(uint64_t job_id, const absl::Status& reason,
                                   Cancellation& waiter) {
  const std::shared_ptr<Script> script = Find(job_id);
  if (script == nullptr) return absl::OkStatus();
  script->cancellation.Cancel(reason);
  while (true) {
    {
      MutexLock lock(mutex_);
      const auto it = scripts_.find(job_id);
      if (it == scripts_.end() || it->second != script) return absl::OkStatus();
      // Its statement ends within a second of the cancellation.
      ended_.WaitFor(mutex_, kPause);
    }
    waiter.CheckDeadline(parts_.clock);
    MR_RETURN_IF_ERROR(waiter.status());
  }
}

absl::Status ScriptJobs::Resume(uint64_t job_id) {
  absl::StatusOr<StatementThreads::Slot> slot = Admit();
  if (slot.ok()) {
    Launch(job_id, *std::move(slot));
    return absl::OkStatus();
  }
  LogError("job", absl::StrCat("cannot go on with script ", job_id), slot.status());
  // The next process goes on with it.
  if (GetErrorDetail(slot.status()).state == SqlState::kCannotConnectNow) return absl::OkStatus();
  return RecordEnd(job_id, v1::JOB_STATE_FAILED, slot.status());
}

// What has happened is recorded last: a crash in between finds a script that runs, and goes on.
absl::Status ScriptJobs::Stop(uint64_t job_id, Cancellation& waiter) {
  MR_RETURN_IF_ERROR(Interrupt(job_id, ScriptStopped(), waiter));
  absl::Status stopped;
  for (uint64_t stream : StreamsOf(job_id)) {
    if (stopped.ok()) stopped = parts_.streams.Stop(stream, waiter);
  }
  if (stopped.ok()) {
    MR_RETURN_IF_ERROR(RecordEnd(job_id, v1::JOB_STATE_STOPPED, absl::OkStatus()));
    // One of its streams may have been restarted by itself meanwhile.
    return ResumeWithStreams(job_id);
  }
  const std::optional<v1::JobRecord> record = parts_.store.Get(job_id);
  if (record.has_value() && IsLive(*record) && Find(job_id) == nullptr) {
    const absl::Status resumed = Resume(job_id);
    if (!resumed.ok()) LogError("job", "cannot go on with a script that did not stop", resumed);
  }
  return stopped;
}

absl::Status ScriptJobs::Cancel(uint64_t job_id, Cancellation& waiter) {
  MR_RETURN_IF_ERROR(Interrupt(job_id, CancelledByUser(), waiter));
  absl::Status cancelled;
  for (uint64_t stream : StreamsOf(job_id)) {
    cancelled.Update(parts_.streams.Cancel(stream, CancelledByUser()));
  }
  cancelled.Update(RecordEnd(job_id, v1::JOB_STATE_CANCELLED, absl::OkStatus()));
  return cancelled;
}

void ScriptJobs::Shutdown() {
  std::vector<std::shared_ptr<Script>> scripts;
  {
    MutexLock lock(mutex_);
    shut_down_ = true;
    for (const auto& [id, script] : scripts_) scripts.push_back(script);
  }
  for (const auto& script : scripts) {
    script->cancellation.Cancel(ShuttingDown());
  }
}

}  // namespace millrace
