#include "client/cli/status_text.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "millrace/v1/cluster_service.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

// Rows of cells in columns as wide as their widest cell.
class AlignedText {
 public:
  explicit AlignedText(std::vector<std::string> header) { Add(std::move(header)); }
  void Add(std::vector<std::string> cells) {
    widths_.resize(std::max(widths_.size(), cells.size()));
    for (size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], cells[i].size());
    rows_.push_back(std::move(cells));
  }
  std::string ToString(const std::string& indent) const {
    std::string text;
    for (const auto& row : rows_) {
      std::string line = indent;
      for (size_t i = 0; i < row.size(); ++i) {
        absl::StrAppend(&line, row[i], std::string(widths_[i] - row[i].size() + 2, ' '));
      }
      absl::StripTrailingAsciiWhitespace(&line);
      absl::StrAppend(&text, line, "\n");
    }
    return text;
  }

 private:
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

// "JOB_STATE_RUNNING" → "running".
std::string StateWord(const std::string& name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

std::string Time(int64_t micros) {
  if (micros == 0) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixMicros(micros), absl::UTCTimeZone());
}

std::string EventTime(bool has, int64_t micros) {
  if (!has || micros == INT64_MIN) return "-";
  return micros == INT64_MAX ? "end" : Time(micros);
}

std::string Duration(int64_t from, int64_t to) {
  if (from == 0 || to < from) return "-";
  return absl::StrCat((to - from) / 1000, " ms");
}

}  // namespace

std::string JobText(const v1::JobStatus& job) {
  std::string text =
      absl::StrCat("job ", job.id(), job.name().empty() ? "" : absl::StrCat(" (", job.name(), ")"),
                   "  ", StateWord(v1::JobState_Name(job.state()), "JOB_STATE_"), "\n", "created ",
                   Time(job.created_at_micros()), "  ended ", Time(job.ended_at_micros()),
                   "  attempt ", job.attempt(), "\nepoch published ", job.published_epoch(),
                   "  durable ", job.durable_epoch(), "\n");
  if (!job.error().message().empty()) {
    absl::StrAppend(&text, "error ", job.error().detail().sqlstate(), ": ", job.error().message(),
                    "\n");
  }
  if (job.steps_size() > 0) {
    AlignedText steps({"step", "state", "rows", "time", "stored at", "statement"});
    for (const v1::StepStatus& step : job.steps()) {
      steps.Add({absl::StrCat(step.index() + 1),
                 StateWord(v1::StepState_Name(step.state()), "STEP_STATE_"),
                 absl::StrCat(step.rows()),
                 Duration(step.started_at_micros(), step.ended_at_micros()),
                 step.stored_at().empty() ? "-" : step.stored_at(), step.title()});
      if (!step.error().message().empty()) {
        steps.Add({"", "", "", "", "", absl::StrCat("error: ", step.error().message())});
      }
    }
    absl::StrAppend(&text, "\n", steps.ToString(""));
  }
  if (job.tasks_size() > 0) {
    std::map<uint32_t, std::string> titles;
    for (const v1::FragmentStatus& fragment : job.fragments()) {
      titles[fragment.fragment()] = fragment.title();
    }
    AlignedText tasks({"task", "worker", "state", "rows in", "rows out", "remote bytes",
                       "watermark", "epoch", "late", "bad", "waits for", "operators"});
    for (const v1::TaskProgress& task : job.tasks()) {
      tasks.Add(
          {absl::StrCat(task.job_id(), "/", task.fragment(), ".", task.task_index()),
           absl::StrCat(task.worker_id()),
           StateWord(v1::TaskState_Name(task.state()), "TASK_STATE_"), absl::StrCat(task.rows_in()),
           absl::StrCat(task.rows_out()), absl::StrCat(task.remote_bytes_out()),
           EventTime(task.has_watermark(), task.watermark_micros()), absl::StrCat(task.epoch()),
           absl::StrCat(task.late_rows()), absl::StrCat(task.bad_rows()),
           task.waiting_for().empty() ? "-" : task.waiting_for(), titles[task.fragment()]});
    }
    absl::StrAppend(&text, "\n", tasks.ToString(""));
  }
  return text;
}

std::string JobsText(const std::vector<v1::JobStatus>& jobs) {
  AlignedText table({"id", "name", "state", "created", "ended", "epoch", "error"});
  for (const v1::JobStatus& job : jobs) {
    table.Add({job.id(), job.name(), StateWord(v1::JobState_Name(job.state()), "JOB_STATE_"),
               Time(job.created_at_micros()), Time(job.ended_at_micros()),
               absl::StrCat(job.published_epoch()), job.error().message()});
  }
  return table.ToString("");
}

std::string WorkersText(const std::vector<v1::WorkerStatus>& workers) {
  AlignedText table({"id", "name", "state", "address", "slots", "tasks", "memory", "joined"});
  for (const v1::WorkerStatus& worker : workers) {
    table.Add({absl::StrCat(worker.worker_id()), worker.name(),
               StateWord(v1::WorkerState_Name(worker.state()), "WORKER_STATE_"),
               worker.data_address(), absl::StrCat(worker.slots()),
               absl::StrCat(worker.running_tasks()), absl::StrCat(worker.rss_bytes() >> 20, " MiB"),
               Time(worker.joined_at_micros())});
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
