#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "coordinator/job/stale_files.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/scheduler/followed_files.h"
#include "coordinator/scheduler/placement.h"

// Attempts of streaming jobs: how they start, restart and end.

namespace millrace {
namespace {

// Pauses between attempts grow to this.
constexpr int64_t kRestartPauseMicros = 200'000;
constexpr int64_t kRestartPauseMaxMicros = 10'000'000;
// Workers of a cluster that starts come within this time.
constexpr int64_t kSettleMicros = 400'000;
// An attempt that fails this often without publishing anything is given up, unless only workers are
// missing.
constexpr int kFailuresMax = 8;

JobEpochs::Tasks TasksOf(const v1::PhysicalPlan& plan) {
  JobEpochs::Tasks tasks;
  for (const v1::Fragment& fragment : plan.fragments()) {
    bool scans = false;
    ForEachNode(fragment.root(),
                [&](const v1::PlanNode& node) { scans = scans || node.has_scan(); });
    for (uint32_t task = 0; task < fragment.parallelism(); ++task) {
      const TaskKey key{fragment.id(), task};
      tasks.all.insert(key);
      if (scans) tasks.sources.insert(key);
      if (fragment.outputs().empty()) tasks.sinks.insert(key);
    }
  }
  return tasks;
}

// Workers on which barriers begin: those with a task that reads no exchange.
std::set<WorkerId> SourceWorkers(const v1::PhysicalPlan& plan,
                                 const std::vector<v1::TaskPlacement>& placements) {
  std::set<uint32_t> fragments;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (node.has_scan() || node.has_values()) fragments.insert(fragment.id());
    });
  }
  std::set<WorkerId> workers;
  for (const v1::TaskPlacement& placement : placements) {
    if (fragments.contains(placement.fragment())) workers.insert(WorkerId(placement.worker_id()));
  }
  return workers;
}

bool KeepsViews(const v1::PhysicalPlan& plan) {
  bool keeps = false;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(),
                [&](const v1::PlanNode& node) { keeps = keeps || node.has_view_sink(); });
  }
  return keeps;
}

std::vector<v1::SplitPosition> PositionsOf(const PublishedEpoch& epoch, uint32_t scan_id) {
  std::vector<v1::SplitPosition> positions;
  for (const auto& [key, position] : epoch.positions) {
    if (key.first == scan_id) positions.push_back(position);
  }
  return positions;
}

}  // namespace

// Hands the events of one attempt on.
class StreamJobs::Observer final : public AttemptObserver {
 public:
  Observer(StreamJobs& jobs, uint64_t job_id, uint32_t attempt)
      : jobs_(jobs), job_id_(job_id), attempt_(attempt) {}

  void OnStarted() override { jobs_.OnStarted(job_id_, attempt_); }
  void OnEnded(AttemptOutcome outcome) override { jobs_.OnEnded(job_id_, attempt_, outcome); }

 private:
  StreamJobs& jobs_;
  const uint64_t job_id_;
  const uint32_t attempt_;
};

// Reads the checkpoint and finishes what it had begun. Called without the lock: while a job waits
// for its next attempt, nobody else changes what is read here, and only one start is under way at a
// time.
absl::StatusOr<AttemptSpec> StreamJobs::PrepareAttempt(const Stream& stream,
                                                       PublishedEpoch* restored) const {
  AttemptSpec attempt;
  attempt.job_id = stream.spec.job_id;
  attempt.plan = stream.spec.plan;
  attempt.settings = stream.spec.settings;
  attempt.settings["checkpoint_folder"] = parts_.checkpoints.JobFolder(attempt.job_id);
  attempt.memory_bytes_max = stream.spec.memory_bytes_max;
  attempt.scans = stream.spec.scans;
  for (ScanSplits& scan : attempt.scans) {
    scan.follows = FollowsFiles(*attempt.plan, scan.scan_id);
  }
  if (stream.durable_epoch > 0) {
    MR_ASSIGN_OR_RETURN(v1::CheckpointManifest manifest,
                        parts_.checkpoints.ReadManifest(stream.manifest));
    MR_RETURN_IF_ERROR(CommitPending(parts_.checkpoints, manifest));
    *restored = RestoredEpoch(manifest);
    for (ScanSplits& scan : attempt.scans) {
      scan = ResumeSplits(std::move(scan), PositionsOf(*restored, scan.scan_id));
    }
    attempt.restore = std::move(manifest);
  }
  const absl::Status cleaned = RemoveStaleFiles(*attempt.plan, attempt.job_id, stream.attempt + 1);
  if (!cleaned.ok()) LogError("job", "cannot remove staged files of an earlier attempt", cleaned);
  if (stream.serve_only) {
    for (ScanSplits& scan : attempt.scans) {
      scan.splits.clear();
      scan.follows = false;
    }
  }
  return attempt;
}

absl::Status StreamJobs::StartAttempt(uint64_t job_id) {
  std::shared_ptr<Stream> stream;
  {
    MutexLock lock(mutex_);
    auto it = streams_.find(job_id);
    if (it == streams_.end()) return absl::OkStatus();
    stream = it->second;
    if (stream->phase != StreamPhase::kWaiting) return absl::OkStatus();
  }
  PublishedEpoch restored;
  absl::StatusOr<AttemptSpec> attempt = PrepareAttempt(*stream, &restored);
  // The number is durable before anything can carry it.
  if (attempt.ok()) {
    attempt->attempt = stream->attempt + 1;
    const absl::Status updated = parts_.store.Update(
        job_id, [&](v1::JobRecord& record) { record.set_attempt(attempt->attempt); });
    if (!updated.ok()) attempt = updated;
  }
  MutexLock lock(mutex_);
  if (stream->phase != StreamPhase::kWaiting) return absl::OkStatus();
  stream->start_queued = false;
  if (!attempt.ok()) {
    FailStream(*stream, attempt.status());
    return attempt.status();
  }
  Launch(*stream, *std::move(attempt), std::move(restored));
  return stream->error;
}

void StreamJobs::Launch(Stream& stream, AttemptSpec attempt, PublishedEpoch restored) {
  stream.attempt = attempt.attempt;
  stream.attempt_started = false;
  stream.attempt_ended = false;
  stream.restored_epoch = attempt.restore.has_value() ? attempt.restore->epoch() : 0;
  stream.kept_changes.clear();
  stream.staged_epoch = 0;
  stream.worker_lost = false;
  // What an earlier attempt had kept after the checkpoint will be kept again.
  stream.kept_rows = attempt.restore.has_value() ? KeptRowLog(*attempt.restore) : KeptRowLog();
  const uint64_t job_id = stream.spec.job_id;
  auto placements = parts_.runs.Start(std::move(attempt),
                                      std::make_shared<Observer>(*this, job_id, stream.attempt));
  if (!placements.ok()) {
    if (GetErrorDetail(placements.status()).retry == Retry::kSafe && stream.ever_published) {
      ScheduleRestart(stream);
    } else {
      FailStream(stream, placements.status());
    }
    return;
  }
  stream.placements = *std::move(placements);
  stream.workers = WorkersOf(stream.placements);
  stream.source_workers = SourceWorkers(*stream.spec.plan, stream.placements);
  if (stream.source_workers.empty()) stream.source_workers = stream.workers;
  stream.durable_rows = RowsRead(restored.positions);
  RestoreTables(stream, restored.positions);
  stream.epochs = std::make_unique<JobEpochs>(TasksOf(*stream.spec.plan), std::move(restored));
  stream.checkpoint = std::make_unique<CheckpointProgress>(stream.workers);
  stream.phase = StreamPhase::kRunning;
  Log(LogLevel::kInfo, "job", "streaming job starts",
      {{"job", job_id}, {"attempt", stream.attempt}, {"restored_epoch", stream.durable_epoch}});
}

void StreamJobs::OnStarted(uint64_t job_id, uint32_t attempt) {
  MutexLock lock(mutex_);
  Stream* stream = Find(job_id);
  if (stream == nullptr || stream->attempt != attempt) return;
  stream->attempt_started = true;
  for (FollowedTable& table : stream->tables) HandOutLog(*stream, table, HandOut::kFirst);
  const int64_t now = parts_.clock.MonotonicMicros();
  // The first epoch comes at once: the statement that created the job waits for it.
  stream->next_epoch_micros = now;
  stream->next_checkpoint_micros = now + stream->spec.options.checkpoint_interval_micros;
}

void StreamJobs::OnEnded(uint64_t job_id, uint32_t attempt, const AttemptOutcome& outcome) {
  MutexLock lock(mutex_);
  Stream* stream = Find(job_id);
  if (stream == nullptr || stream->attempt != attempt) return;
  stream->last_tasks = outcome.tasks;
  stream->attempt_ended = true;
  changed_.NotifyAll();
  if (stream->phase != StreamPhase::kRunning) return;  // Cancelled.
  if (outcome.status.ok()) {
    if (stream->final_durable) stream->phase = StreamPhase::kServing;
    return;  // Else StoreCheckpoint makes it so.
  }
  if (GetErrorDetail(outcome.status).retry == Retry::kSafe && stream->ever_published &&
      ++stream->failures <= kFailuresMax) {
    Log(LogLevel::kWarning, "job", "streaming job will be restarted",
        {{"job", job_id}, {"reason", outcome.status.message()}});
    stream->last_error = outcome.status;
    ScheduleRestart(*stream);
    return;
  }
  FailStream(*stream, outcome.status);
}

void StreamJobs::ScheduleRestart(Stream& stream) {
  stream.phase = StreamPhase::kWaiting;
  stream.attempt_started = false;
  const int64_t pause =
      std::min(kRestartPauseMaxMicros, kRestartPauseMicros << std::min(stream.failures, 6));
  stream.restart_at_micros = parts_.clock.MonotonicMicros() + pause;
}

void StreamJobs::FailStream(Stream& stream, const absl::Status& error) {
  LogError("job", absl::StrCat("streaming job ", stream.spec.name, " failed"), error);
  stream.phase = StreamPhase::kFailed;
  stream.error = error;
  changed_.NotifyAll();
  work_.Add([this, job_id = stream.spec.job_id, error] {
    const absl::Status updated = parts_.store.Update(job_id, [&](v1::JobRecord& record) {
      record.set_state(v1::JOB_STATE_FAILED);
      record.set_error_message(std::string(error.message()));
      record.set_error_sqlstate(std::string(SqlStateCode(GetErrorDetail(error).state)));
      record.set_ended_at_micros(parts_.clock.WallMicros());
      for (v1::StepStatus& step : *record.mutable_steps()) {
        step.set_state(v1::STEP_STATE_FAILED);
        step.set_ended_at_micros(record.ended_at_micros());
        ToProto(error, step.mutable_error());
      }
    });
    if (!updated.ok()) LogError("job", "cannot record the failure of a job", updated);
  });
}

void StreamJobs::ReleaseWorkers(Stream& stream, const absl::Status& reason) {
  v1::CoordinatorMessage message;
  message.mutable_cancel()->set_job_id(stream.spec.job_id);
  message.mutable_cancel()->set_attempt(stream.attempt);
  message.mutable_cancel()->set_reason(std::string(reason.message()));
  Send(stream.workers, message);
}

void StreamJobs::OnWorkerJoined() {
  MutexLock lock(mutex_);
  settled_micros_ = parts_.clock.MonotonicMicros() + kSettleMicros;
}

void StreamJobs::OnWorkerLost(WorkerId worker) {
  MutexLock lock(mutex_);
  for (auto& [id, stream] : streams_) {
    if (stream->workers.contains(worker)) stream->worker_lost = true;
    // An attempt that runs fails by itself. One that has ended has left rows of views, or files of
    // the last checkpoint.
    const bool serves = stream->phase == StreamPhase::kServing && KeepsViews(*stream->spec.plan);
    const bool holds = serves || (stream->phase == StreamPhase::kRunning && stream->attempt_ended);
    if (!holds || !stream->workers.contains(worker)) continue;
    stream->workers.erase(worker);
    ReleaseWorkers(*stream, absl::UnavailableError("a worker with rows of the view was lost"));
    ScheduleRestart(*stream);
  }
}

}  // namespace millrace
