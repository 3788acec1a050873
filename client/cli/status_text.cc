#include "client/cli/status_text.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/cli/aligned_text.h"
#include "millrace/v1/cluster_service.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

// "JOB_STATE_RUNNING" → "running".
std::string StateWord(const std::string& name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

std::string MomentText(int64_t micros) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%E*S", absl::FromUnixMicros(micros), absl::UTCTimeZone());
}

// 0 = not yet.
std::string Time(int64_t wall_micros) {
  return wall_micros == 0 ? "-" : MomentText(wall_micros / 1'000'000 * 1'000'000);
}

std::string EventTime(bool has, int64_t micros) {
  if (!has || micros == INT64_MIN) return "-";
  return micros == INT64_MAX ? "end" : MomentText(micros);
}

std::string Bytes(uint64_t bytes) {
  constexpr uint64_t kKib = 1024;
  if (bytes < kKib) return absl::StrCat(bytes, " B");
  if (bytes < kKib * kKib) return absl::StrCat(bytes / kKib, " KiB");
  if (bytes < kKib * kKib * kKib) return absl::StrCat(bytes / (kKib * kKib), " MiB");
  return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / (kKib * kKib * kKib));
}

// Rows a second.
std::string Rate(double rows) { return absl::StrFormat("%.0f", rows); }

std::string SecondsText(int64_t micros) {
  return absl::StrFormat("%.1f s", static_cast<double>(std::max<int64_t>(0, micros)) / 1e6);
}

std::string Duration(int64_t from, int64_t to) {
  if (from == 0 || to < from) return "-";
  return absl::StrCat((to - from) / 1000, " ms");
}

// "22P02: invalid input …, at character 12 (hint)".
std::string ErrorLine(const v1::Error& error) {
  const v1::ErrorDetail& detail = error.detail();
  return absl::StrCat(
      detail.sqlstate(), ": ", error.message(),
      detail.position() > 0 ? absl::StrCat(", at character ", detail.position()) : "",
      detail.hint().empty() ? "" : absl::StrCat(" (", detail.hint(), ")"));
}

std::string CheckpointText(const v1::JobStatus& job) {
  if (!job.has_last_checkpoint()) return "";
  const v1::CheckpointSummary& last = job.last_checkpoint();
  return absl::StrCat("checkpoint ", last.epoch(), last.final() ? " (final)" : "", "  ",
                      SecondsText(job.now_micros() - last.created_at_micros()), " old, made in ",
                      last.duration_micros() / 1000, " ms, ", Bytes(last.size_bytes()), " in ",
                      last.num_files(), " files, ", Bytes(last.uploaded_bytes()), " uploaded\n");
}

std::string RestartsText(const v1::JobStatus& job) {
  if (job.num_restarts() == 0) return "";
  std::string text = absl::StrCat("restarts ", job.num_restarts(), "\n");
  for (const v1::JobRestart& restart : job.restarts()) {
    const std::string from = restart.restored_epoch() == 0
                                 ? std::string("began again")
                                 : absl::StrCat("went on from epoch ", restart.restored_epoch());
    absl::StrAppend(&text, "  ", Time(restart.at_micros()), "  attempt ", restart.attempt(),
                    " ended, ", from, ": ", ErrorLine(restart.cause()), "\n");
  }
  return text;
}

// "streams  2642 l3 (running), 2650 l4 (stopped)".
std::string StreamsText(const v1::JobStatus& job) {
  std::string text;
  for (const v1::StreamOfScript& stream : job.streams()) {
    absl::StrAppend(&text, text.empty() ? "streams  " : ", ", stream.id(), " ", stream.name(), " (",
                    StateWord(v1::JobState_Name(stream.state()), "JOB_STATE_"), ")");
  }
  return text.empty() ? text : text + "\n";
}

std::string StepsText(const v1::JobStatus& job) {
  AlignedText steps({"step", "state", "workers", "rows in", "in/s", "rows", "late", "bad",
                     "watermark", "epoch", "touched", "time", "stored at", "statement"});
  std::string errors;
  for (const v1::StepStatus& step : job.steps()) {
    const std::string workers = absl::StrJoin(step.worker_ids(), ",");
    steps.Add(
        {absl::StrCat(step.index() + 1), StateWord(v1::StepState_Name(step.state()), "STEP_STATE_"),
         workers.empty() ? "-" : workers, absl::StrCat(step.rows_in()),
         Rate(step.rows_in_per_second()), absl::StrCat(step.rows()), absl::StrCat(step.late_rows()),
         absl::StrCat(step.bad_rows()), EventTime(step.has_watermark(), step.watermark_micros()),
         absl::StrCat(step.epoch()), absl::StrCat(step.epoch_rows_touched()),
         Duration(step.started_at_micros(), step.ended_at_micros()),
         step.stored_at().empty() ? "-" : step.stored_at(), step.title()});
    if (step.has_error()) {
      // A step that goes on waits for what the error says to pass.
      const char* word = step.state() == v1::STEP_STATE_RUNNING ? " waits: " : " error ";
      absl::StrAppend(&errors, "step ", step.index() + 1, word, ErrorLine(step.error()), "\n");
    }
  }
  return steps.ToString("") + errors;
}

std::string TasksText(const v1::JobStatus& job) {
  std::map<std::pair<uint64_t, uint32_t>, std::string> titles;
  for (const v1::FragmentStatus& fragment : job.fragments()) {
    titles[{fragment.job_id(), fragment.fragment()}] = fragment.title();
  }
  AlignedText tasks({"task", "step", "worker", "state", "rows in", "in/s", "rows out", "out/s",
                     "remote out", "remote in", "state rows", "state bytes", "touched", "watermark",
                     "epoch", "late", "bad", "waits for", "operators"});
  std::string errors;
  for (const v1::TaskProgress& task : job.tasks()) {
    const std::string name =
        absl::StrCat(task.job_id(), "/", task.fragment(), ".", task.task_index());
    const std::string touched = absl::StrCat(task.epoch_rows_touched(), "/", task.rows_touched());
    tasks.Add({name, absl::StrCat(task.step() + 1), absl::StrCat(task.worker_id()),
               StateWord(v1::TaskState_Name(task.state()), "TASK_STATE_"),
               absl::StrCat(task.rows_in()), Rate(task.rows_in_per_second()),
               absl::StrCat(task.rows_out()), Rate(task.rows_out_per_second()),
               absl::StrCat(task.remote_bytes_out()), absl::StrCat(task.remote_bytes_in()),
               absl::StrCat(task.state_rows()), absl::StrCat(task.state_bytes()), touched,
               EventTime(task.has_watermark(), task.watermark_micros()), absl::StrCat(task.epoch()),
               absl::StrCat(task.late_rows()), absl::StrCat(task.bad_rows()),
               task.waiting_for().empty() ? "-" : task.waiting_for(),
               titles[{task.job_id(), task.fragment()}]});
    if (task.has_error()) {
      absl::StrAppend(&errors, "task ", name, " error ", ErrorLine(task.error()), "\n");
    }
  }
  return tasks.ToString("") + errors;
}

}  // namespace

std::string JobStateWord(const v1::JobStatus& job) {
  return StateWord(v1::JobState_Name(job.state()), "JOB_STATE_");
}

std::string JobText(const v1::JobStatus& job) {
  std::string text = absl::StrCat(
      "job ", job.id(), job.name().empty() ? "" : absl::StrCat(" (", job.name(), ")"), "  ",
      JobStateWord(job), "\n", "created ", Time(job.created_at_micros()), "  ended ",
      Time(job.ended_at_micros()), "  attempt ", job.attempt(), "\n", StreamsText(job),
      "epoch published ", job.published_epoch(), "  durable ", job.durable_epoch(), "\nrows in ",
      Rate(job.rows_in_per_second()), "/s  state in memory ", Bytes(job.memory_bytes()),
      ", on disk ", Bytes(job.disk_bytes()), "\n", CheckpointText(job), RestartsText(job));
  if (job.has_error()) absl::StrAppend(&text, "error ", ErrorLine(job.error()), "\n");
  if (job.steps_size() > 0) absl::StrAppend(&text, "\n", StepsText(job));
  if (job.tasks_size() > 0) absl::StrAppend(&text, "\n", TasksText(job));
  return text;
}

std::string JobsText(const std::vector<v1::JobStatus>& jobs) {
  AlignedText table({"id", "name", "state", "created", "ended", "epoch", "error"});
  for (const v1::JobStatus& job : jobs) {
    // After a restart nothing is published at first, and the job goes on from what is durable.
    const uint64_t epoch = std::max(job.published_epoch(), job.durable_epoch());
    table.Add({job.id(), job.name(), JobStateWord(job), Time(job.created_at_micros()),
               Time(job.ended_at_micros()), absl::StrCat(epoch), job.error().message()});
  }
  return table.ToString("");
}

std::string WorkersText(const std::vector<v1::WorkerStatus>& workers) {
  AlignedText table({"id", "name", "state", "address", "slots", "tasks", "memory", "for rows",
                     "state on disk", "disk free", "joined", "lost because"});
  for (const v1::WorkerStatus& worker : workers) {
    table.Add(
        {absl::StrCat(worker.worker_id()), worker.name(),
         StateWord(v1::WorkerState_Name(worker.state()), "WORKER_STATE_"), worker.data_address(),
         absl::StrCat(worker.slots()), absl::StrCat(worker.running_tasks()),
         Bytes(worker.rss_bytes()),
         absl::StrCat(Bytes(worker.memory_used_bytes()), " of ", Bytes(worker.memory_bytes_max())),
         Bytes(worker.state_disk_bytes()), Bytes(worker.disk_free_bytes()),
         Time(worker.joined_at_micros()), worker.lost_reason()});
  }
  return table.ToString("");
}

std::string MessageToJsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  // Fails for unknown Any types only, which no status holds.
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) json = "{}";
  json.push_back('\n');
  return json;
}

}  // namespace millrace
