#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "coordinator/job/crash_place.h"
#include "coordinator/job/job_store.h"
#include "coordinator/job/restart_policy.h"
#include "coordinator/job/sink_commit.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/scheduler/followed_files.h"
#include "coordinator/scheduler/placement.h"

// Attempts of streaming jobs: how they start, restart and end.

namespace millrace {
namespace {

// Workers of a cluster that starts come within this time.
constexpr int64_t kSettleMicros = 400'000;

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

std::set<SplitKey> SplitsOf(const PositionMap& positions) {
  std::set<SplitKey> splits;
  for (const auto& [split, position] : positions) splits.insert(split);
  return splits;
}

std::vector<v1::SplitPosition> PositionsOf(const PublishedEpoch& epoch, uint32_t scan_id) {
  std::vector<v1::SplitPosition> positions;
  for (const auto& [key, position] : epoch.positions) {
    if (key.first == scan_id) positions.push_back(position);
  }
  return positions;
}

// The next attempt begins where the last ones have ended: what they were reading comes first.
void ReadFirst(const std::set<SplitKey>& suspected, ScanSplits& scan) {
  scan.one_at_a_time = true;
  std::stable_partition(scan.splits.begin(), scan.splits.end(), [&](const v1::Split& split) {
    return suspected.contains({scan.scan_id, split.id()});
  });
}

// An attempt that could not be prepared.
struct FailedStart {
  absl::Status error;
  int64_t at_wall_micros = 0;
  // The attempt before it, and why that has ended unless it is listed.
  uint32_t attempt = 0;
  std::optional<absl::Status> restart_cause;
  int64_t attempt_ended_wall_micros = 0;
  uint64_t durable_epoch = 0;
};

// There is no attempt of which it could be told later, so it is listed beside the end of the one
// before it: once for each cause, because the tries of some minutes would displace all others.
void ListFailedStart(const FailedStart& failed, v1::JobRecord& record) {
  if (failed.restart_cause.has_value()) {
    AddRestart(record, failed.attempt, failed.attempt_ended_wall_micros, *failed.restart_cause,
               failed.durable_epoch);
  }
  for (const v1::JobRestart& listed : record.restarts()) {
    const bool is_same = listed.cause().message() == failed.error.message();
    if (listed.attempt() == failed.attempt && is_same) return;
  }
  AddRestart(record, failed.attempt, failed.at_wall_micros, failed.error, failed.durable_epoch);
}

}  // namespace

bool KeepsViews(const v1::PhysicalPlan& plan) {
  bool keeps = false;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(),
                [&](const v1::PlanNode& node) { keeps = keeps || node.has_view_sink(); });
  }
  return keeps;
}

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

absl::Status StreamJobs::CheckPlan(const Stream& stream, const v1::CheckpointManifest& manifest) {
  if (manifest.plan_hash() == stream.plan_hash) return absl::OkStatus();
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat("the checkpoint of epoch ", manifest.epoch(),
                                " belongs to another plan than that of job ", stream.spec.name),
                   "the state of one plan means nothing to another; create the job again");
}

// Reads the checkpoint and finishes what it had begun. Called without the lock: while a job waits
// for its next attempt, nobody else changes what is read here, and only one start is under way at a
// time.
absl::StatusOr<AttemptSpec> StreamJobs::PrepareAttempt(const Stream& stream,
                                                       PublishedEpoch* restored) const {
  AttemptSpec attempt;
  attempt.job_id = stream.spec.job_id;
  attempt.plan = stream.spec.plan;
  attempt.settings = stream.spec.settings;
  if (stream.durable_epoch == 0) {
    MR_RETURN_IF_ERROR(parts_.checkpoints.MakeJobFolder(stream.spec.job_id));
  }
  attempt.settings["checkpoint_folder"] = parts_.checkpoints.JobFolder(attempt.job_id);
  attempt.memory_bytes_max = stream.spec.memory_bytes_max;
  attempt.scans = stream.spec.scans;
  for (ScanSplits& scan : attempt.scans) {
    scan.follows = FollowsInput(*attempt.plan, scan.scan_id);
  }
  if (stream.durable_epoch > 0) {
    MR_ASSIGN_OR_RETURN(v1::CheckpointManifest manifest,
                        parts_.checkpoints.ReadManifest(stream.manifest));
    MR_RETURN_IF_ERROR(CheckPlan(stream, manifest));
    MR_RETURN_IF_ERROR(WithdrawNewer(stream));
    MR_RETURN_IF_ERROR(CommitSinks(manifest, CommitRound::kRepeated));
    *restored = RestoredEpoch(manifest);
    for (ScanSplits& scan : attempt.scans) {
      scan = ResumeSplits(std::move(scan), PositionsOf(*restored, scan.scan_id));
    }
    attempt.restore = std::move(manifest);
  }
  if (stream.policy.limit().has_value() && !stream.serve_only) {
    attempt.scans_wait = true;
    for (ScanSplits& scan : attempt.scans) ReadFirst(stream.policy.suspected_splits(), scan);
  }
  if (stream.serve_only) {
    // Without an end: windows that are open must stay open.
    for (ScanSplits& scan : attempt.scans) {
      scan.splits.clear();
      scan.follows = false;
      scan.held = true;
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
    const absl::Status updated = parts_.store.Update(job_id, [&](v1::JobRecord& record) {
      record.set_attempt(attempt->attempt);
      if (!stream->restart_cause.has_value()) return;
      AddRestart(record, stream->attempt, stream->attempt_ended_wall_micros, *stream->restart_cause,
                 stream->durable_epoch);
    });
    if (!updated.ok()) attempt = updated;
  }
  if (attempt.ok()) RemoveLeftovers(*attempt);
  FailedStart failed;
  {
    MutexLock lock(mutex_);
    if (stream->phase != StreamPhase::kWaiting) return absl::OkStatus();
    stream->start_queued = false;
    failed.restart_cause = std::exchange(stream->restart_cause, std::nullopt);
    if (attempt.ok()) {
      Launch(*stream, *std::move(attempt), std::move(restored));
      return stream->error;
    }
    failed.attempt = stream->attempt;
    failed.attempt_ended_wall_micros = stream->attempt_ended_wall_micros;
    failed.durable_epoch = stream->durable_epoch;
    OnAttemptFailed(*stream, attempt.status());
    if (stream->phase != StreamPhase::kWaiting) return attempt.status();
    stream->restart_cause.reset();
  }
  failed.error = attempt.status();
  failed.at_wall_micros = parts_.clock.WallMicros();
  const absl::Status listed = parts_.store.Update(
      job_id, [&failed](v1::JobRecord& record) { ListFailedStart(failed, record); });
  if (!listed.ok()) LogError("job", "cannot record why a job does not start", listed);
  return failed.error;
}

void StreamJobs::Launch(Stream& stream, AttemptSpec attempt, PublishedEpoch restored) {
  stream.attempt = attempt.attempt;
  stream.attempt_started = false;
  stream.attempt_ended = false;
  stream.restored_epoch = attempt.restore.has_value() ? attempt.restore->epoch() : 0;
  stream.kept_changes.clear();
  stream.staged_epoch = 0;
  stream.final_epoch = 0;
  if (stream.num_stopping == 0 && !stream.final_durable) stream.stop_requested = false;
  stream.drains = false;
  stream.failed_checkpoints = 0;
  stream.worker_lost = false;
  stream.leaving.reset();
  // What an earlier attempt had kept after the checkpoint will be kept again.
  stream.kept_rows = attempt.restore.has_value() ? KeptRowLog(*attempt.restore) : KeptRowLog();
  const v1::CheckpointManifest restored_manifest =
      attempt.restore.value_or(v1::CheckpointManifest());
  stream.durable_positions = restored.positions;
  stream.durable_rows = RowsRead(restored.positions);
  stream.turns.reset();
  if (attempt.scans_wait) {
    stream.turns.emplace(stream.policy.suspected_splits(), stream.durable_rows);
  }
  stream.launched_micros = parts_.clock.MonotonicMicros();
  stream.trial_until_micros = stream.launched_micros + TurnMicros(stream.policy);
  const uint64_t job_id = stream.spec.job_id;
  auto placements = parts_.runs.Start(std::move(attempt),
                                      std::make_shared<Observer>(*this, job_id, stream.attempt));
  if (!placements.ok()) {
    if (IsLoss(placements.status()) && stream.ever_published) {
      ScheduleRestart(stream, placements.status());
    } else {
      FailStream(stream, placements.status());
    }
    return;
  }
  stream.placements = *std::move(placements);
  stream.workers = WorkersOf(stream.placements);
  stream.source_workers = SourceWorkers(*stream.spec.plan, stream.placements);
  if (stream.source_workers.empty()) stream.source_workers = stream.workers;
  RestoreTables(stream, restored.positions);
  stream.epochs = std::make_unique<JobEpochs>(TasksOf(*stream.spec.plan), std::move(restored));
  stream.checkpoint = std::make_unique<CheckpointProgress>(stream.workers, restored_manifest);
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
  // Its state is there.
  stream->trial_until_micros = now + TurnMicros(stream->policy);
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
  if (stream->phase == StreamPhase::kCancelled) return CleanUpCancelled(job_id);
  if (stream->phase != StreamPhase::kRunning) return;
  if (outcome.status.ok()) {
    // Else it will be by StoreCheckpoint.
    const bool durable = stream->final_durable ||
                         (stream->final_epoch > 0 && stream->durable_epoch >= stream->final_epoch);
    if (durable) OnLastCheckpoint(*stream);
    return;
  }
  OnAttemptFailed(*stream, outcome.status);
}

// The tasks have ended, and their last checkpoint is durable.
void StreamJobs::OnLastCheckpoint(Stream& stream) {
  if (stream.final_durable) {
    stream.phase = StreamPhase::kServing;
    stream.policy = RestartPolicy();
    return;
  }
  const absl::Status restarted = RestartedOnRequest();
  ReleaseWorkers(stream, restarted);
  ScheduleRestart(stream, restarted);
  stream.restart_at_micros = 0;
}

std::set<TaskKey> StreamJobs::LostTasks(const Stream& stream) const {
  std::set<WorkerId> active;
  for (const WorkerEntry& worker : parts_.registry.Active()) active.insert(worker.id);
  std::set<TaskKey> lost;
  for (const v1::TaskPlacement& task : stream.placements) {
    if (active.contains(WorkerId(task.worker_id()))) continue;
    lost.insert({task.fragment(), task.task_index()});
  }
  return lost;
}

bool StreamJobs::Stream::StoodIdle(const std::set<TaskKey>& lost) const {
  if (epochs == nullptr || epochs->published().empty()) return false;
  const PublishedEpoch& newest = epochs->published().back();
  if (turns.has_value() && !turns->reading().empty()) return false;
  if (RowsRead(newest.positions) != durable_rows) return false;
  if (staged_epoch > durable_epoch) return false;
  for (const FollowedTable& table : tables) {
    if (table.position != table.durable_position) return false;
  }
  const JobEpochs::Tasks tasks = TasksOf(*spec.plan);
  for (const v1::TaskProgress& task : last_tasks) {
    const TaskKey key{task.fragment(), task.task_index()};
    if (tasks.sources.contains(key) && task.rows_in() > 0) return false;
    if (!lost.contains(key)) continue;
    const std::string& waits = task.waiting_for();
    // It had work, more to read, or was still taking up its state.
    if (waits.empty() || waits == "rate" || waits == "state" || waits == "turn") return false;
  }
  return true;
}

void StreamJobs::OnAttemptFailed(Stream& stream, const absl::Status& cause) {
  // Nothing has gone wrong.
  if (stream.leaving.has_value() && IsLoss(cause)) {
    ScheduleRestart(stream, cause);
    stream.restart_at_micros = 0;
    return;
  }
  // The restart decides where it goes on.
  if (stream.num_restarting > 0 && stream.ever_published) return ScheduleRestart(stream, cause);
  // A statement that creates a job reports its errors; a loss it waits for, like everybody.
  if (!stream.ever_published && !IsLoss(cause)) return FailStream(stream, cause);
  uint64_t rows_read = stream.durable_rows;
  if (stream.epochs != nullptr && !stream.epochs->published().empty()) {
    rows_read = RowsRead(stream.epochs->published().back().positions);
  }
  const std::set<TaskKey> lost = LostTasks(stream);
  if (IsLoss(cause) && stream.StoodIdle(lost)) stream.policy.OnCaughtUp();
  const PositionMap reading = stream.turns.has_value() ? stream.turns->reading() : PositionMap();
  const RestartPolicy& policy = stream.policy;
  const bool in_turn = parts_.clock.MonotonicMicros() < stream.trial_until_micros;
  const auto turn = in_turn ? RestartPolicy::Turn::kOwn : RestartPolicy::Turn::kOver;
  switch (stream.policy.OnAttemptEnded(cause, lost, rows_read, SplitsOf(reading), turn)) {
    case RestartPolicy::Verdict::kRestart:
      return ScheduleRestart(stream, cause);
    case RestartPolicy::Verdict::kFail:
      return FailStream(stream, cause);
    case RestartPolicy::Verdict::kFailCrash:
      return FailStream(stream, CrashError(policy.suspects(), policy.crashes(),
                                           RangeBehind(stream.durable_positions)));
    case RestartPolicy::Verdict::kFailRow:
      return FailStream(stream, CrashError(policy.suspects(), policy.crashes(),
                                           NextRow(*stream.spec.plan, stream.spec.scans,
                                                   *reading.begin(), stream.durable_positions)));
  }
}

void StreamJobs::ScheduleRestart(Stream& stream, const absl::Status& cause) {
  Log(LogLevel::kWarning, "job", "streaming job will be restarted",
      {{"job", stream.spec.job_id}, {"reason", cause.message()}});
  stream.phase = StreamPhase::kWaiting;
  stream.attempt_started = false;
  stream.last_error = cause;
  // While workers are missing, the cause is what has ended the last attempt that ran.
  if (!stream.restart_cause.has_value()) {
    stream.restart_cause = cause;
    stream.attempt_ended_wall_micros = parts_.clock.WallMicros();
  }
  stream.restart_at_micros = parts_.clock.MonotonicMicros() + stream.policy.PauseMicros();
}

void StreamJobs::FailStream(Stream& stream, const absl::Status& error) {
  LogError("job", absl::StrCat("streaming job ", stream.spec.name, " failed"), error);
  stream.phase = StreamPhase::kFailed;
  stream.error = error;
  changed_.NotifyAll();
  work_.Add(stream.spec.job_id, [this, job_id = stream.spec.job_id, error] {
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

absl::Status WorkerLeaves(WorkerId worker) {
  return MakeError(ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
                   absl::StrCat("worker ", worker.value(), " leaves"));
}

void StreamJobs::OnWorkerDraining(WorkerId worker) {
  const bool others = !parts_.registry.Active().empty();
  MutexLock lock(mutex_);
  for (auto& [id, stream] : streams_) {
    if (!stream->workers.contains(worker)) continue;
    if (stream->phase == StreamPhase::kRunning) {
      stream->leaving = worker;
      stream->checkpoint_wanted = true;
    } else if (stream->phase == StreamPhase::kServing && others && KeepsViews(*stream->spec.plan)) {
      const absl::Status leaves = WorkerLeaves(worker);
      ReleaseWorkers(*stream, leaves);
      ScheduleRestart(*stream, leaves);
    }
  }
}

void StreamJobs::OnWorkerLost(WorkerId worker) {
  MutexLock lock(mutex_);
  for (auto& [id, stream] : streams_) {
    if (stream->workers.contains(worker)) {
      stream->worker_lost = true;
    } else {
      stream->policy.OnOtherLoss();
    }
    // An attempt that runs fails by itself. One that has ended has left rows of views, or files of
    // the last checkpoint.
    const bool serves = stream->phase == StreamPhase::kServing && KeepsViews(*stream->spec.plan);
    const bool holds = serves || (stream->phase == StreamPhase::kRunning && stream->attempt_ended);
    if (!holds || !stream->workers.contains(worker)) continue;
    stream->workers.erase(worker);
    const absl::Status lost =
        MakeError(ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
                  absl::StrCat("worker ", worker.value(), " with rows of the job was lost"));
    ReleaseWorkers(*stream, lost);
    ScheduleRestart(*stream, lost);
  }
}

}  // namespace millrace
