#include "coordinator/service/job_status.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "coordinator/planner/explain.h"

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

void AddStream(const StreamView& stream, uint32_t step, v1::JobStatus* status) {
  if (!stream.published.empty()) {
    status->set_published_epoch(std::max(status->published_epoch(), stream.published.back().epoch));
  }
  status->set_durable_epoch(std::max(status->durable_epoch(), stream.durable_epoch));
  for (const v1::TaskProgress& task : stream.tasks) *status->add_tasks() = task;
  for (const v1::Fragment& fragment : stream.plan->fragments()) {
    v1::FragmentStatus* out = status->add_fragments();
    out->set_fragment(fragment.id());
    out->set_title(FragmentTitle(fragment));
    out->set_parallelism(fragment.parallelism());
    out->set_step(step);
  }
}

void AddRecord(const v1::JobRecord& record, v1::JobStatus* status) {
  status->set_id(absl::StrCat(record.id()));
  status->set_name(record.name());
  status->set_state(static_cast<v1::JobState>(record.state()));
  status->set_durable_epoch(record.durable_epoch());
  status->set_created_at_micros(record.created_at_micros());
  status->set_ended_at_micros(record.ended_at_micros());
  status->set_attempt(record.attempt());
  if (record.error_message().empty()) return;
  status->mutable_error()->set_message(record.error_message());
  status->mutable_error()->mutable_detail()->set_sqlstate(record.error_sqlstate());
}

}  // namespace

v1::JobStatus StatusOfJob(const v1::JobRecord& record, const ClusterParts& parts) {
  v1::JobStatus status;
  AddRecord(record, &status);
  if (record.streaming()) {
    const std::optional<StreamView> stream = parts.streams.View(record.id());
    if (!stream.has_value()) return status;
    AddStream(*stream, 0, &status);
    v1::StepStatus* step = status.add_steps();
    step->set_title(record.sql());
    step->set_state(StepStateOf(record, *stream));
    step->set_job_id(record.id());
    step->set_started_at_micros(record.created_at_micros());
    step->set_ended_at_micros(record.ended_at_micros());
    if (!stream->published.empty()) step->set_rows(RowsRead(stream->published.back().positions));
    return status;
  }
  for (const v1::StepStatus& step : record.steps()) {
    v1::StepStatus* out = status.add_steps();
    *out = step;
    const std::optional<StreamView> stream = parts.streams.View(step.job_id());
    if (!stream.has_value()) {
      for (const v1::TaskProgress& task : parts.runs.Progress(step.job_id())) {
        *status.add_tasks() = task;
      }
      continue;
    }
    AddStream(*stream, step.index(), &status);
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
