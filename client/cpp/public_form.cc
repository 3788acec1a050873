#include "client/cpp/public_form.h"

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/checkpoint_service.pb.h"
#include "millrace/v1/cluster_service.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

Time ToTime(int64_t wall_micros) { return Time(std::chrono::microseconds(wall_micros)); }

// 0 = not yet.
std::optional<Time> ToOptionalTime(int64_t wall_micros) {
  if (wall_micros == 0) return std::nullopt;
  return ToTime(wall_micros);
}

StepStatus ToStepStatus(const v1::StepStatus& step) {
  StepStatus out;
  out.index = step.index();
  out.title = step.title();
  out.state = static_cast<StepState>(step.state());
  out.rows = step.rows();
  out.rows_in = step.rows_in();
  out.rows_in_per_second = step.rows_in_per_second();
  out.late_rows = step.late_rows();
  out.bad_rows = step.bad_rows();
  out.epoch = step.epoch();
  if (step.has_watermark()) out.watermark_micros = step.watermark_micros();
  out.stored_at = step.stored_at();
  out.started_at = ToOptionalTime(step.started_at_micros());
  out.ended_at = ToOptionalTime(step.ended_at_micros());
  if (step.has_error()) out.error = ToError(FromProto(step.error()));
  return out;
}

CheckpointStatus ToCheckpointStatus(const v1::CheckpointSummary& checkpoint) {
  CheckpointStatus out;
  out.epoch = checkpoint.epoch();
  out.created_at = ToTime(checkpoint.created_at_micros());
  out.duration = std::chrono::microseconds(checkpoint.duration_micros());
  out.num_files = checkpoint.num_files();
  out.size_bytes = checkpoint.size_bytes();
  out.uploaded_bytes = checkpoint.uploaded_bytes();
  return out;
}

}  // namespace

std::string Error::ToString() const {
  return absl::StrCat(sqlstate, ": ", message,
                      position > 0 ? absl::StrCat(", at character ", position) : "",
                      hint.empty() ? "" : absl::StrCat(" (", hint, ")"));
}

const char* ToString(JobState state) {
  switch (state) {
    case JobState::kCreated:
      return "created";
    case JobState::kRunning:
      return "running";
    case JobState::kFinished:
      return "finished";
    case JobState::kFailed:
      return "failed";
    case JobState::kStopped:
      return "stopped";
    case JobState::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

Error ToError(const absl::Status& status) {
  const ErrorDetail detail = GetErrorDetail(status);
  Error error;
  error.sqlstate = std::string(SqlStateCode(detail.state));
  error.message = std::string(status.message());
  error.position = detail.position;
  error.hint = detail.hint;
  error.blame = static_cast<Error::Blame>(detail.blame);
  error.retry_safe = detail.retry == Retry::kSafe;
  return error;
}

JobCheckpoint ToJobCheckpoint(const v1::JobCheckpoint& checkpoint) {
  return {checkpoint.job_id(), checkpoint.job_name(), ToCheckpointStatus(checkpoint.checkpoint())};
}

JobStatus ToJobStatus(const v1::JobStatus& job) {
  JobStatus out;
  out.id = job.id();
  out.name = job.name();
  out.state = static_cast<JobState>(job.state());
  if (job.has_error()) out.error = ToError(FromProto(job.error()));
  for (const v1::StepStatus& step : job.steps()) out.steps.push_back(ToStepStatus(step));
  out.created_at = ToTime(job.created_at_micros());
  out.ended_at = ToOptionalTime(job.ended_at_micros());
  out.now = ToTime(job.now_micros());
  out.attempt = job.attempt();
  out.published_epoch = job.published_epoch();
  out.durable_epoch = job.durable_epoch();
  out.rows_in_per_second = job.rows_in_per_second();
  if (job.has_last_checkpoint()) out.last_checkpoint = ToCheckpointStatus(job.last_checkpoint());
  out.num_restarts = job.num_restarts();
  for (const v1::JobRestart& restart : job.restarts()) {
    out.restarts.push_back({restart.attempt(), ToTime(restart.at_micros()),
                            restart.restored_epoch(), ToError(FromProto(restart.cause()))});
  }
  out.memory_bytes = job.memory_bytes();
  out.disk_bytes = job.disk_bytes();
  return out;
}

WorkerStatus ToWorkerStatus(const v1::WorkerStatus& worker) {
  WorkerStatus out;
  out.id = worker.worker_id();
  out.name = worker.name();
  out.state = static_cast<WorkerState>(worker.state());
  out.data_address = worker.data_address();
  out.version = worker.version();
  out.slots = worker.slots();
  out.running_tasks = worker.running_tasks();
  out.rss_bytes = worker.rss_bytes();
  out.memory_used_bytes = worker.memory_used_bytes();
  out.memory_bytes_max = worker.memory_bytes_max();
  out.state_disk_bytes = worker.state_disk_bytes();
  out.disk_free_bytes = worker.disk_free_bytes();
  out.joined_at = ToTime(worker.joined_at_micros());
  out.lost_reason = worker.lost_reason();
  return out;
}

}  // namespace millrace
