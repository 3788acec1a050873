#include "coordinator/service/bounded_runner.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "coordinator/gather/result_gather.h"
#include "coordinator/job/bounded_run.h"
#include "coordinator/job/stale_files.h"
#include "coordinator/scheduler/placement.h"
#include "coordinator/service/ipc_rows.h"
#include "coordinator/service/session_settings.h"
#include "millrace/v1/data.pb.h"

namespace millrace {
namespace {

// A statement is tried so often before the loss of workers is reported.
constexpr uint32_t kAttemptsMax = 3;
// How long a statement waits for a worker to be there, or for a view to be readable again.
constexpr int64_t kWaitForClusterMicros = 10'000'000;
constexpr std::chrono::milliseconds kPause(50);
// After a result stream broke, the reason arrives from the task or from the failure detector within
// this time.
constexpr int64_t kExplainMicros = 3'000'000;
constexpr std::chrono::milliseconds kProgressInterval(250);

uint64_t RowsRead(const std::vector<v1::TaskProgress>& tasks) {
  uint64_t rows = 0;
  for (const v1::TaskProgress& task : tasks) rows += task.rows_in();
  return rows;
}

void AbortStaged(const std::vector<v1::StagedFile>& files) {
  if (files.empty()) return;
  auto file_system = FileSystemOf(files[0].final_path());
  const absl::Status status =
      file_system.ok() ? AbortStagedFiles(**file_system, files) : file_system.status();
  if (!status.ok()) LogError("job", "cannot remove staged files", status);
}

}  // namespace

std::set<ViewRead> ViewReadsOf(const v1::PhysicalPlan& plan) {
  std::set<ViewRead> reads;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&reads](const v1::PlanNode& node) {
      if (node.has_scan() && node.scan().connector() == "view") {
        reads.insert({node.scan().object_id(), AsOfEpoch(node.scan())});
      }
    });
  }
  return reads;
}

absl::StatusOr<BoundedResult> BoundedRunner::RunQuery(const BoundedQuery& query) {
  rows_ = Rows::kToSink;
  return Run(query);
}

absl::StatusOr<BoundedResult> BoundedRunner::RunSink(const BoundedQuery& query) {
  rows_ = Rows::kAreACount;
  return Run(query);
}

absl::StatusOr<BoundedResult> BoundedRunner::Run(const BoundedQuery& query) {
  MR_ASSIGN_OR_RETURN(const uint64_t job_id, parts_.job_ids.Next());
  if (context_.on_job) context_.on_job(job_id);
  for (uint32_t number = 1;; ++number) {
    count_messages_.clear();
    absl::StatusOr<BoundedResult> result = RunAttempt(query, job_id, number);
    if (result.ok() && rows_ == Rows::kAreACount) {
      MR_ASSIGN_OR_RETURN(const int64_t count, ReadCount(count_messages_));
      result->rows = static_cast<uint64_t>(count);
    }
    if (result.ok() || !MayRetry(result.status(), number)) return result;
    Log(LogLevel::kWarning, "job", "statement is tried again",
        {{"job", job_id}, {"attempt", number}, {"reason", result.status().message()}});
  }
}

bool BoundedRunner::MayRetry(const absl::Status& status, uint32_t number) const {
  return GetErrorDetail(status).retry == Retry::kSafe && !rows_left_ && number < kAttemptsMax &&
         !context_.cancellation.cancelled();
}

// Views of a job that is restarting become readable again; a short wait is better than an error.
absl::StatusOr<BoundViews> BoundedRunner::BindViews(const v1::PhysicalPlan& plan) {
  return parts_.streams.AwaitViews(ViewReadsOf(plan), kWaitForClusterMicros, context_.cancellation);
}

// A cluster that has just started, or has just lost its last worker, gets some time.
absl::Status BoundedRunner::WaitForWorker() {
  const int64_t deadline = parts_.clock.MonotonicMicros() + kWaitForClusterMicros;
  while (!parts_.registry.has_active() && parts_.clock.MonotonicMicros() < deadline) {
    context_.cancellation.CheckDeadline(parts_.clock);
    MR_RETURN_IF_ERROR(context_.cancellation.status());
    parts_.registry.AwaitActive(kPause);
  }
  return absl::OkStatus();  // Without workers the placement tells what is wrong.
}

absl::StatusOr<AttemptSpec> BoundedRunner::MakeSpec(const BoundedQuery& query,
                                                    BoundViews views) const {
  MR_ASSIGN_OR_RETURN(const SessionSettings settings, ParseSessionSettings(context_.settings));
  AttemptSpec spec;
  spec.plan = query.plan;
  spec.settings = context_.settings;
  // What now() is in all tasks.
  spec.settings["statement_time_micros"] = absl::StrCat(parts_.clock.WallMicros());
  spec.memory_bytes_max =
      settings.query_memory_bytes > 0 ? settings.query_memory_bytes : parts_.query_memory_bytes;
  ReadSet read_set;
  read_set.catalog = query.catalog.get();
  read_set.view_parts = std::move(views.parts);
  read_set.view_parts.insert(read_set.view_parts.end(), query.view_parts.begin(),
                             query.view_parts.end());
  MR_ASSIGN_OR_RETURN(spec.scans, parts_.splits.Enumerate(*query.plan, read_set));
  return spec;
}

absl::StatusOr<BoundedResult> BoundedRunner::RunAttempt(const BoundedQuery& query, uint64_t job_id,
                                                        uint32_t number) {
  MR_ASSIGN_OR_RETURN(const BoundViews views, BindViews(*query.plan));
  MR_ASSIGN_OR_RETURN(AttemptSpec spec, MakeSpec(query, views));
  spec.job_id = job_id;
  spec.script_job_id = context_.parent_job_id;
  spec.attempt = number;
  MR_RETURN_IF_ERROR(WaitForWorker());
  Attempt attempt{job_id, number, {}, std::make_shared<BoundedRun>()};
  MR_ASSIGN_OR_RETURN(attempt.placements, parts_.runs.Start(std::move(spec), attempt.run));
  BoundedResult result;
  absl::Status gathered;
  {
    Cancellation::Registration on_cancel(context_.cancellation,
                                         [this, job_id, number](const absl::Status& reason) {
                                           parts_.runs.Cancel(job_id, number, reason);
                                         });
    if (attempt.run->WaitStarted(context_.cancellation, parts_.clock)) {
      gathered = Gather(*query.plan, attempt, &result);
      if (!gathered.ok()) parts_.runs.Cancel(job_id, number, gathered);
    }
  }
  AttemptOutcome outcome = attempt.run->WaitEnded(context_.cancellation, parts_.clock);
  result.tasks = std::move(outcome.tasks);
  result.staged_files = std::move(outcome.staged_files);
  absl::Status status = outcome.status.ok() ? gathered : outcome.status;
  if (!status.ok()) {
    AbortStaged(result.staged_files);
    const absl::Status cleaned = RemoveStaleFiles(*query.plan, job_id, number + 1);
    if (!cleaned.ok()) LogError("job", "cannot remove staged files", cleaned);
    return status;
  }
  RecordBadRows(*query.plan, job_id, result, std::move(outcome.kept_rows));
  return result;
}

void BoundedRunner::RecordBadRows(const v1::PhysicalPlan& plan, uint64_t job_id,
                                  const BoundedResult& result, std::vector<v1::KeptRow> kept_rows) {
  StatementBadRows bad_rows =
      MakeStatementBadRows(plan, result.tasks, std::move(kept_rows), parts_.clock.WallMicros());
  if (bad_rows.count_by_table.empty()) return;
  bad_rows.job_id = job_id;
  bad_rows.parent_job_id = context_.parent_job_id;
  for (const auto& [table, count] : bad_rows.count_by_table) {
    // Whether the client still listens shows when the statement ends.
    context_.sink
        .Notice(absl::StrCat(count, " rows of \"", table, "\" did not parse and were left out"),
                "millrace.bad_rows shows those of tables with bad_rows = 'keep'")
        .IgnoreError();
  }
  if (parts_.bad_rows != nullptr) parts_.bad_rows->Add(std::move(bad_rows));
}

std::vector<ResultTask> BoundedRunner::ResultTasks(const v1::PhysicalPlan& plan,
                                                   const Attempt& attempt) const {
  std::set<uint32_t> roots;
  for (const v1::Fragment& fragment : plan.fragments()) {
    for (const v1::Output& output : fragment.outputs()) {
      if (output.distribution() == v1::DISTRIBUTION_RESULT) roots.insert(fragment.id());
    }
  }
  std::map<uint32_t, std::string> addresses;
  for (const WorkerEntry& worker : parts_.registry.All()) {
    addresses[worker.id.value()] = worker.data_address;
  }
  std::vector<ResultTask> tasks;
  for (const v1::TaskPlacement& placement : attempt.placements) {
    if (!roots.contains(placement.fragment())) continue;
    tasks.push_back({attempt.job_id, attempt.number, placement.fragment(), placement.task_index(),
                     addresses[placement.worker_id()]});
  }
  return tasks;
}

absl::Status BoundedRunner::Gather(const v1::PhysicalPlan& plan, const Attempt& attempt,
                                   BoundedResult* result) {
  ResultGather gather(parts_.channels, ResultTasks(plan, attempt));
  int64_t explain_deadline = INT64_MAX;
  auto next_progress = std::chrono::steady_clock::now() + kProgressInterval;
  while (true) {
    v1::ResultChunk chunk;
    auto progress = gather.Next(kPause, &chunk);
    if (!progress.ok()) {
      // The task's own error, or the loss of its worker, tells more than the broken stream.
      const int64_t now = parts_.clock.MonotonicMicros();
      if (explain_deadline == INT64_MAX) explain_deadline = now + kExplainMicros;
      if (attempt.run->AwaitFailed(kPause) || now >= explain_deadline) return progress.status();
      continue;
    }
    if (*progress == ResultGather::Progress::kEnd) return absl::OkStatus();
    context_.cancellation.CheckDeadline(parts_.clock);
    MR_RETURN_IF_ERROR(context_.cancellation.status());
    if (*progress == ResultGather::Progress::kChunk) {
      MR_RETURN_IF_ERROR(Deliver(plan, chunk, result));
    } else if (attempt.run->failed()) {
      return absl::OkStatus();  // The attempt's outcome says why.
    }
    if (std::chrono::steady_clock::now() >= next_progress) {
      next_progress = std::chrono::steady_clock::now() + kProgressInterval;
      context_.sink.Progress(RowsRead(parts_.runs.Progress(attempt.job_id)));
    }
  }
}

absl::Status BoundedRunner::Deliver(const v1::PhysicalPlan& plan, v1::ResultChunk& chunk,
                                    BoundedResult* result) {
  if (rows_ == Rows::kAreACount) {
    count_messages_.push_back(std::move(*chunk.mutable_ipc_message()));
    return absl::OkStatus();
  }
  if (chunk.rows() == 0) {
    if (schema_sent_) return absl::OkStatus();
    schema_sent_ = true;
    return context_.sink.WriteSchema(plan.result(), std::move(*chunk.mutable_ipc_message()));
  }
  rows_left_ = true;
  result->rows += chunk.rows();
  return context_.sink.WriteBatch(std::move(*chunk.mutable_ipc_message()), chunk.rows());
}

}  // namespace millrace
