#include "coordinator/service/bounded_runner.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/storage/staged_commit.h"
#include "coordinator/gather/result_gather.h"
#include "coordinator/job/bounded_run.h"
#include "coordinator/job/stale_files.h"
#include "coordinator/scheduler/placement.h"
#include "coordinator/service/ipc_rows.h"
#include "coordinator/service/session_settings.h"
#include "coordinator/service/worker_wait.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/data.pb.h"

namespace millrace {
namespace {

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
  uint64_t job_id = query.job_id;
  if (job_id == 0) {
    MR_ASSIGN_OR_RETURN(job_id, parts_.job_ids.Next());
  }
  if (context_.on_job) context_.on_job(job_id);
  for (uint32_t number = 1;; ++number) {
    count_messages_.clear();
    MR_ASSIGN_OR_RETURN(BoundViews views, BindViews(*query.plan));
    MR_RETURN_IF_ERROR(AwaitWorker(parts_, context_));
    LostAttempt lost;
    absl::StatusOr<BoundedResult> result =
        RunAttempt(query, std::move(views), job_id, number, &lost);
    if (result.ok() && rows_ == Rows::kAreACount) {
      MR_ASSIGN_OR_RETURN(const int64_t count, ReadCount(count_messages_));
      result->rows = static_cast<uint64_t>(count);
    }
    // Parts that the caller has chosen belong to an attempt: only he can choose others.
    if (result.ok() || !query.view_parts.empty()) return result;
    MR_RETURN_IF_ERROR(BeforeRetry(result.status(), number, *query.plan, lost));
  }
}

absl::Status BoundedRunner::BeforeRetry(const absl::Status& failure, uint32_t number,
                                        const v1::PhysicalPlan& plan, const LostAttempt& lost) {
  if (GetErrorDetail(failure).retry != Retry::kSafe) return failure;
  MR_RETURN_IF_ERROR(context_.cancellation.status());
  if (rows_left_) {
    return WithHint(failure,
                    "some rows of the result had been sent, so it was not started again by itself: "
                    "run the statement again");
  }
  const std::optional<int64_t> pause_micros = losses_.Add(lost);
  if (!pause_micros.has_value()) return losses_.Error(failure, plan);
  Log(LogLevel::kWarning, "job", "statement is started again",
      {{"job", context_.parent_job_id}, {"attempt", number}, {"reason", failure.message()}});
  if (context_.parent_job_id != 0) {
    const absl::Status recorded =
        parts_.job_store.Update(context_.parent_job_id, [&](v1::JobRecord& script) {
          AddRestart(script, number, parts_.clock.WallMicros(), failure, 0);
        });
    if (!recorded.ok()) LogError("job", "cannot record a restart", recorded);
  }
  return Pause(*pause_micros);
}

// Views of a job that is restarting become readable again; a short wait is better than an error.
absl::StatusOr<BoundViews> BoundedRunner::BindViews(const v1::PhysicalPlan& plan) {
  return parts_.streams.AwaitViews(ViewReadsOf(plan), parts_.worker_wait_micros,
                                   context_.cancellation);
}

absl::Status BoundedRunner::Pause(int64_t micros) const {
  const int64_t end = parts_.clock.MonotonicMicros() + micros;
  while (parts_.clock.MonotonicMicros() < end) {
    context_.cancellation.CheckDeadline(parts_.clock);
    MR_RETURN_IF_ERROR(context_.cancellation.status());
    std::this_thread::sleep_for(kPause);
  }
  return absl::OkStatus();
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

absl::StatusOr<BoundedResult> BoundedRunner::RunAttempt(const BoundedQuery& query, BoundViews views,
                                                        uint64_t job_id, uint32_t number,
                                                        LostAttempt* lost) {
  // The epochs that are read are kept until the attempt has ended.
  const auto pin = views.pin;
  MR_ASSIGN_OR_RETURN(AttemptSpec spec, MakeSpec(query, std::move(views)));
  spec.job_id = job_id;
  spec.script_job_id = context_.parent_job_id;
  spec.attempt = number;
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
  *lost = {RowsRead(outcome.tasks), std::move(outcome.lost_tasks), std::move(outcome.lost_reading)};
  result.tasks = std::move(outcome.tasks);
  result.staged_files = std::move(outcome.staged_files);
  const absl::Status status = outcome.status.ok() ? gathered : outcome.status;
  // A worker that was lost may have staged files, and may go on with that for a while.
  if (!status.ok() || number > 1) {
    const FileOwner owner{parts_.registry.file_cluster(), job_id};
    const absl::Status cleaned =
        RemoveStaleFiles(*query.plan, owner, status.ok() ? number : number + 1);
    if (!cleaned.ok()) LogError("job", "cannot remove staged files", cleaned);
  }
  MR_RETURN_IF_ERROR(status);
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
  rows_left_ = !context_.sink.drops_rows();
  result->rows += chunk.rows();
  return context_.sink.WriteBatch(std::move(*chunk.mutable_ipc_message()), chunk.rows());
}

}  // namespace millrace
