#include "coordinator/service/job_status.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "coordinator/planner/explain.h"
#include "coordinator/service/step_counters.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

std::string Word(absl::string_view enum_name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(enum_name, prefix));
}

v1::StepState StepStateOf(const v1::JobRecord& record, const StreamView& stream) {
  switch (stream.phase) {
    case StreamPhase::kWaiting:
    case StreamPhase::kRunning:
      return v1::STEP_STATE_RUNNING;
    case StreamPhase::kServing:
      return v1::STEP_STATE_FINISHED;
    case StreamPhase::kCancelled:
      return v1::STEP_STATE_CANCELLED;
    case StreamPhase::kFailed:
      break;
  }
  return record.state() == v1::JOB_STATE_CANCELLED ? v1::STEP_STATE_CANCELLED
                                                   : v1::STEP_STATE_FAILED;
}

// The tasks of a job and the titles of its fragments.
void AddTasks(AttemptTasks attempt, const uint32_t* only_step, v1::JobStatus* status) {
  NameTasks(&attempt, only_step);
  for (const v1::Fragment& fragment : attempt.plan->fragments()) {
    v1::FragmentStatus* out = status->add_fragments();
    out->set_job_id(attempt.job_id);
    out->set_fragment(fragment.id());
    out->set_title(FragmentTitle(fragment));
    out->set_parallelism(fragment.parallelism());
    out->set_step(only_step != nullptr ? *only_step : fragment.step());
  }
  for (v1::TaskProgress& task : attempt.tasks) *status->add_tasks() = std::move(task);
  double rate = status->rows_in_per_second();
  for (const auto& [task, rows_per_second] : attempt.scan_rates) rate += rows_per_second;
  status->set_rows_in_per_second(rate);
}

AttemptTasks TasksOf(const StreamView& stream) {
  return {stream.job_id, stream.plan, stream.tasks, stream.scan_rates};
}

void AddStream(const StreamView& stream, v1::JobStatus* status) {
  if (!stream.published.empty()) {
    status->set_published_epoch(std::max(status->published_epoch(), stream.published.back().epoch));
  }
  status->set_durable_epoch(std::max(status->durable_epoch(), stream.durable_epoch));
  AddTasks(TasksOf(stream), /*only_step=*/nullptr, status);
}

// A stream's own record and that of the script that created it both list its steps.
void FillStreamStep(const v1::JobRecord& record, const StreamView& stream, v1::StepStatus* step) {
  step->set_state(StepStateOf(record, stream));
  if (IsLive(record)) {
    // It has run before, and was restarted.
    step->clear_ended_at_micros();
    step->clear_error();
  }
  if (!stream.waits_for.ok() && !step->has_error()) {
    ToProto(stream.waits_for, step->mutable_error());
  }
  AttemptTasks attempt = TasksOf(stream);
  NameTasks(&attempt, /*only_step=*/nullptr);
  CountStreamStep(stream, attempt, step);
}

// What the job's current attempt keeps on the workers.
void AddStateBytes(const StreamView& stream, const std::vector<WorkerEntry>& workers,
                   v1::JobStatus* status) {
  uint64_t memory_bytes = status->memory_bytes();
  uint64_t disk_bytes = status->disk_bytes();
  for (const WorkerEntry& worker : workers) {
    for (const JobStateBytes& size : worker.state_sizes) {
      if (size.job_id != stream.job_id || size.attempt != stream.attempt) continue;
      memory_bytes += size.memory_bytes;
      disk_bytes += size.disk_bytes;
    }
  }
  status->set_memory_bytes(memory_bytes);
  status->set_disk_bytes(disk_bytes);
}

// Checkpoints and restarts of a script or stream; a script has those of its streams, too.
void AddHistory(const v1::JobRecord& record, v1::JobStatus* status) {
  if (!record.checkpoints().empty()) {
    const v1::CheckpointSummary& newest = *record.checkpoints().rbegin();
    if (newest.created_at_micros() > status->last_checkpoint().created_at_micros()) {
      *status->mutable_last_checkpoint() = newest;
    }
  }
  status->mutable_restarts()->MergeFrom(record.restarts());
  std::stable_sort(status->mutable_restarts()->begin(), status->mutable_restarts()->end(),
                   [](const v1::JobRestart& a, const v1::JobRestart& b) {
                     return a.at_micros() < b.at_micros();
                   });
  status->set_num_restarts(status->num_restarts() + record.num_restarts());
}

// After a restart that was asked for, the one that it has promised.
uint32_t AttemptOf(const v1::JobRecord& record) {
  return std::max(record.attempt(), record.restart_attempt());
}

void AddRecord(const v1::JobRecord& record, v1::JobStatus* status) {
  status->set_id(absl::StrCat(record.id()));
  status->set_name(record.name());
  status->set_state(static_cast<v1::JobState>(record.state()));
  status->set_durable_epoch(record.durable_epoch());
  status->set_created_at_micros(record.created_at_micros());
  status->set_ended_at_micros(record.ended_at_micros());
  status->set_attempt(AttemptOf(record));
  AddHistory(record, status);
  if (record.error_message().empty()) return;
  status->mutable_error()->set_message(record.error_message());
  status->mutable_error()->mutable_detail()->set_sqlstate(record.error_sqlstate());
}

// In the order of its steps.
std::vector<v1::JobRecord> StreamsOfSteps(const v1::JobRecord& record, const JobStore& store) {
  std::vector<v1::JobRecord> streams;
  if (record.streaming()) return streams;
  std::set<uint64_t> seen;
  for (const v1::StepStatus& step : record.steps()) {
    if (!seen.insert(step.job_id()).second) continue;
    std::optional<v1::JobRecord> own = store.Get(step.job_id());
    if (own.has_value() && own->streaming()) streams.push_back(*std::move(own));
  }
  return streams;
}

}  // namespace

v1::JobStatus StatusOfRecords(const v1::JobRecord& record,
                              const std::vector<v1::JobRecord>& streams) {
  v1::JobStatus status;
  AddRecord(record, &status);
  uint32_t attempt = 0;
  for (const v1::JobRecord& stream : streams) {
    AddHistory(stream, &status);
    status.set_durable_epoch(std::max(status.durable_epoch(), stream.durable_epoch()));
    attempt = std::max(attempt, AttemptOf(stream));
    v1::StreamOfScript* listed = status.add_streams();
    listed->set_id(absl::StrCat(stream.id()));
    listed->set_name(stream.name());
    listed->set_state(static_cast<v1::JobState>(stream.state()));
  }
  // It belongs to the restarts: of a script with streams they are those of its streams.
  if (!streams.empty()) status.set_attempt(attempt);
  return status;
}

v1::JobStatus StatusOfJob(const v1::JobRecord& record, const ClusterParts& parts) {
  v1::JobStatus status = StatusOfRecords(record, StreamsOfSteps(record, parts.job_store));
  status.set_now_micros(parts.clock.WallMicros());
  const std::vector<WorkerEntry> workers = parts.registry.All();
  if (record.streaming()) {
    const std::optional<StreamView> stream = parts.streams.View(record.id());
    if (stream.has_value()) {
      AddStream(*stream, &status);
      AddStateBytes(*stream, workers, &status);
    }
    for (const v1::StepStatus& step : record.steps()) {
      v1::StepStatus* out = status.add_steps();
      *out = step;
      if (stream.has_value()) FillStreamStep(record, *stream, out);
      if (out->ended_at_micros() == 0) out->set_ended_at_micros(record.ended_at_micros());
    }
    return status;
  }
  std::set<uint64_t> shown;
  for (const v1::StepStatus& step : record.steps()) {
    v1::StepStatus* out = status.add_steps();
    *out = step;
    const bool first = shown.insert(step.job_id()).second;
    const std::optional<v1::JobRecord> own = parts.job_store.Get(step.job_id());
    const std::optional<StreamView> stream = parts.streams.View(step.job_id());
    if (stream.has_value()) {
      if (first) AddStream(*stream, &status);
      if (first) AddStateBytes(*stream, workers, &status);
      FillStreamStep(own.value_or(record), *stream, out);
      continue;
    }
    AttemptTasks attempt = parts.runs.LastTasks(step.job_id());
    if (attempt.plan == nullptr) continue;
    const uint32_t index = step.index();
    NameTasks(&attempt, &index);
    CountBoundedStep(attempt, out);
    if (first) AddTasks(std::move(attempt), &index, &status);
  }
  return status;
}

std::string JobStateName(v1::JobState state) {
  return Word(v1::JobState_Name(state), "JOB_STATE_");
}

std::string StepStateName(v1::StepState state) {
  return Word(v1::StepState_Name(state), "STEP_STATE_");
}

std::string TaskStateName(v1::TaskState state) {
  return Word(v1::TaskState_Name(state), "TASK_STATE_");
}

std::string WorkerPhaseName(WorkerPhase phase) {
  switch (phase) {
    case WorkerPhase::kActive:
      return "active";
    case WorkerPhase::kDraining:
      return "draining";
    case WorkerPhase::kLost:
      return "lost";
  }
  return "unknown";
}

}  // namespace millrace
