#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/units.h"
#include "common/logging/log.h"
#include "common/storage/file_system.h"
#include "coordinator/epoch/plan_hash.h"
#include "coordinator/job/sink_commit.h"
#include "coordinator/job/stale_files.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/scheduler/placement.h"
#include "coordinator/scheduler/spread_plan.h"

// Streaming jobs that go on: after a restart of the process, and when somebody asks for it.

namespace millrace {
namespace {

// The manifest says nothing, now or ever.
bool IsLost(const absl::Status& status) {
  const SqlState state = GetErrorDetail(status).state;
  return state == SqlState::kDataCorrupted || state == SqlState::kUndefinedFile;
}

// Where the sinks of the record's job have committed something. Behind a lost manifest nothing else
// tells whether it was in a folder that looks empty, which may be a mount point: if something was
// committed behind `epoch`, one folder at least must show it.
absl::StatusOr<std::vector<std::string>> FoldersToWithdrawFrom(const v1::PhysicalPlan& plan,
                                                               const v1::JobRecord& record,
                                                               const FileOwner& owner,
                                                               uint64_t epoch) {
  std::vector<std::string> holding;
  const std::vector<std::string> folders = StagingFolders(plan);
  for (const std::string& folder : folders) {
    MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(folder));
    MR_ASSIGN_OR_RETURN(const bool holds, HoldsCommits(*file_system, folder, owner));
    if (holds) holding.push_back(folder);
  }
  if (holding.empty() && !folders.empty() && record.committed_epoch() > epoch) {
    return SinkFolderNotThere(folders[0]);
  }
  return holding;
}

// What a checkpoint has committed whose manifest is lost: a damaged newest checkpoint is a reason
// to go back to an older one.
absl::Status WithdrawByName(const v1::PhysicalPlan& plan, const v1::JobRecord& record,
                            const FileOwner& owner, uint64_t epoch) {
  MR_ASSIGN_OR_RETURN(const std::vector<std::string> folders,
                      FoldersToWithdrawFrom(plan, record, owner, epoch));
  for (const std::string& folder : folders) {
    MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(folder));
    MR_RETURN_IF_ERROR(WithdrawSinkFilesBehind(*file_system, folder, owner, epoch));
  }
  return absl::OkStatus();
}

// What WithdrawByName would say for lost manifests behind `epoch`; changes nothing.
absl::Status CheckWithdrawal(const CheckpointFiles& checkpoints, const v1::PhysicalPlan& plan,
                             const v1::JobRecord& record, const FileOwner& owner, uint64_t epoch) {
  for (const v1::CheckpointSummary& checkpoint : record.checkpoints()) {
    if (checkpoint.epoch() <= epoch) continue;
    if (!IsLost(checkpoints.ReadManifest(checkpoint.manifest()).status())) continue;
    return FoldersToWithdrawFrom(plan, record, owner, epoch).status();
  }
  return absl::OkStatus();
}

int64_t DurationSetting(const std::map<std::string, std::string>& settings, const std::string& name,
                        int64_t otherwise) {
  auto it = settings.find(name);
  if (it == settings.end()) return otherwise;
  return ParseDurationMicros(it->second).value_or(otherwise);
}

constexpr absl::string_view kBeingCreated = "it is being created";

absl::Status NotRestartable(const v1::JobRecord& record, absl::string_view why,
                            absl::string_view hint) {
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat("job ", record.name(), " cannot be restarted: ", why), hint);
}

absl::Status CheckRestartable(const v1::JobRecord& record, uint64_t checkpoint_epoch) {
  if (record.state() == v1::JOB_STATE_CANCELLED) {
    return NotRestartable(record, "it was cancelled", "create it again; stop keeps a job");
  }
  if (record.state() == v1::JOB_STATE_FINISHED && checkpoint_epoch == 0) {
    return NotRestartable(record, "it has read all of its input",
                          "name an older checkpoint to read from there again");
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> WasDone(const v1::JobRecord& record, const RestartRequest& request) {
  return WasRestartedBy(record, request.request_id, request.checkpoint_epoch);
}

RestartAnswer AnswerOf(const v1::JobRecord& record) {
  return {record.restart_attempt(), record.restart_epoch()};
}

// The checkpoint that is asked for; epoch 0 = there is none, the job begins again.
absl::StatusOr<v1::CheckpointSummary> TargetOf(const v1::JobRecord& record, uint64_t epoch) {
  if (epoch == 0) epoch = record.durable_epoch();
  if (epoch == 0) return v1::CheckpointSummary();
  std::string kept;
  for (const v1::CheckpointSummary& checkpoint : record.checkpoints()) {
    // What lies behind the pointer is being withdrawn.
    if (checkpoint.epoch() > record.durable_epoch()) continue;
    if (checkpoint.epoch() == epoch) return checkpoint;
    absl::StrAppend(&kept, kept.empty() ? "" : ", ", checkpoint.epoch());
  }
  return MakeError(SqlState::kUndefinedObject,
                   absl::StrCat("job ", record.name(), " has no checkpoint of epoch ", epoch),
                   kept.empty() ? "" : absl::StrCat("these are kept: ", kept));
}

}  // namespace

absl::StatusOr<std::shared_ptr<StreamJobs::Stream>> StreamJobs::Load(
    const v1::JobRecord& record) const {
  auto stream = std::make_shared<Stream>();
  MR_ASSIGN_OR_RETURN(v1::StreamJobFile file, parts_.files.Read(record.id()));
  StreamSpec& spec = stream->spec;
  spec.job_id = record.id();
  spec.name = record.name();
  spec.scans = ScansOf(file);
  spec.settings.insert(file.settings().begin(), file.settings().end());
  spec.parallelism = file.parallelism();
  spec.planned = std::make_shared<const v1::PhysicalPlan>(std::move(*file.mutable_plan()));
  spec.plan = std::make_shared<const v1::PhysicalPlan>(SpreadPlan(*spec.planned, spec.parallelism));
  stream->plan_hash = PlanHash(*spec.planned);
  stream->attempt = record.attempt();
  stream->durable_epoch = record.durable_epoch();
  stream->manifest = record.checkpoint_manifest();
  stream->ever_published = true;
  stream->serve_only = record.state() == v1::JOB_STATE_STOPPED;
  stream->final_durable = stream->serve_only || record.state() == v1::JOB_STATE_FINISHED;
  if (stream->final_durable && !KeepsViews(*spec.plan)) stream->phase = StreamPhase::kServing;
  if (record.state() == v1::JOB_STATE_FAILED) {
    stream->phase = StreamPhase::kFailed;
    stream->error = MakeError(SqlStateFromCode(record.error_sqlstate()), record.error_message());
  } else if (!stream->final_durable && stream->attempt > 0) {
    stream->restart_cause =
        MakeError(SqlState::kCannotConnectNow, "the coordinator was started again");
    stream->attempt_ended_wall_micros = parts_.clock.WallMicros();
  }
  FindTables(*stream);
  return stream;
}

absl::Status StreamJobs::Recover(const v1::JobRecord& record, StreamOptions defaults) {
  MR_ASSIGN_OR_RETURN(std::shared_ptr<Stream> stream, Load(record));
  StreamSpec& spec = stream->spec;
  spec.options.epoch_interval_micros =
      DurationSetting(spec.settings, "epoch_interval", defaults.epoch_interval_micros);
  spec.options.checkpoint_interval_micros =
      DurationSetting(spec.settings, "checkpoint_interval", defaults.checkpoint_interval_micros);
  MutexLock lock(mutex_);
  newest_epoch_ = std::max(newest_epoch_, record.durable_epoch());
  streams_[record.id()] = std::move(stream);
  return absl::OkStatus();
}

absl::Status RestartedOnRequest() {
  return MakeError(SqlState::kQueryCanceled, "the job is restarted on request");
}

// Calls `work` when what was begun for the job is done; nothing else happens to its durable state
// meanwhile. It is called also if the token ends the wait.
absl::Status StreamJobs::WaitForTurn(uint64_t job_id, Cancellation& token, const Work& work) {
  auto result = std::make_shared<std::optional<absl::Status>>();
  work_.Add(job_id, [this, work, result] {
    absl::Status done = work();
    MutexLock lock(mutex_);
    *result = std::move(done);
    changed_.NotifyAll();
  });
  MR_RETURN_IF_ERROR(Wait(token, [&]() -> absl::StatusOr<bool> { return result->has_value(); }));
  MutexLock lock(mutex_);
  return **result;
}

absl::StatusOr<std::shared_ptr<void>> StreamJobs::HoldForRestart(uint64_t job_id,
                                                                 Cancellation& token) {
  std::shared_ptr<Stream> stream;
  {
    MutexLock lock(mutex_);
    const auto found = streams_.find(job_id);
    if (found == streams_.end()) return std::shared_ptr<void>();
    stream = found->second;
    ++stream->num_restarting;
  }
  std::shared_ptr<void> hold(nullptr, [this, stream](void*) {
    MutexLock lock(mutex_);
    if (--stream->num_restarting > 0) return;
    // Its last epoch cannot be called back.
    if (stream->final_epoch == 0) stream->drains = false;
  });
  // What is being stored may still drop a checkpoint.
  MR_RETURN_IF_ERROR(WaitForTurn(job_id, token, [] { return absl::OkStatus(); }));
  return hold;
}

absl::StatusOr<RestartAnswer> StreamJobs::Restart(const RestartRequest& request,
                                                  Cancellation& token) {
  MR_ASSIGN_OR_RETURN(const std::shared_ptr<void> hold, HoldForRestart(request.job_id, token));
  const std::optional<v1::JobRecord> record = parts_.store.Get(request.job_id);
  if (!record.has_value()) return NoSuchStream(request.job_id);
  MR_ASSIGN_OR_RETURN(const bool done, WasDone(*record, request));
  if (done) return AnswerOf(*record);
  // Nothing is ended for what will be refused.
  MR_RETURN_IF_ERROR(CheckRestartable(*record, request.checkpoint_epoch));
  MR_RETURN_IF_ERROR(TargetOf(*record, request.checkpoint_epoch).status());
  if (request.checkpoint_epoch == 0) MR_RETURN_IF_ERROR(Drain(*record, token));
  auto answer = std::make_shared<RestartAnswer>();
  MR_RETURN_IF_ERROR(WaitForTurn(request.job_id, token, [this, request, answer, hold] {
    absl::StatusOr<RestartAnswer> restarted = RestartNow(request);
    if (restarted.ok()) *answer = *restarted;
    return restarted.status();
  }));
  return *answer;
}

// An attempt that runs makes a last checkpoint; a job that has none has nothing to add to its
// newest.
absl::Status StreamJobs::Drain(const v1::JobRecord& record, Cancellation& token) {
  {
    MutexLock lock(mutex_);
    Stream* stream = Find(record.id());
    if (stream == nullptr || stream->phase != StreamPhase::kRunning) return absl::OkStatus();
    if (!stream->ever_published) return NotRestartable(record, kBeingCreated, "");
    stream->drains = true;
  }
  return Wait(token, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    const Stream* stream = Find(record.id());
    return stream == nullptr || stream->phase != StreamPhase::kRunning;
  });
}

// In the job's turn, and held: nothing of the attempt is stored any more, and no other one begins.
absl::Status StreamJobs::EndForRestart(Stream& stream) {
  uint32_t attempt = 0;
  {
    MutexLock lock(mutex_);
    if (stream.phase != StreamPhase::kRunning) return absl::OkStatus();
    attempt = stream.attempt;
  }
  const absl::Status reason = RestartedOnRequest();
  parts_.runs.Cancel(stream.spec.job_id, attempt, reason);
  Cancellation nobody;
  return Wait(nobody, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    // Only its last checkpoint was still under way.
    if (stream.phase == StreamPhase::kRunning && stream.attempt_ended) {
      ReleaseWorkers(stream, reason);
      ScheduleRestart(stream, reason);
    }
    return stream.phase != StreamPhase::kRunning;
  });
}

absl::StatusOr<RestartAnswer> StreamJobs::RestartNow(const RestartRequest& request) {
  const std::optional<v1::JobRecord> record = parts_.store.Get(request.job_id);
  if (!record.has_value()) return NoSuchStream(request.job_id);
  MR_ASSIGN_OR_RETURN(const bool done, WasDone(*record, request));
  if (done) return AnswerOf(*record);
  MR_RETURN_IF_ERROR(CheckRestartable(*record, request.checkpoint_epoch));
  MR_ASSIGN_OR_RETURN(const v1::CheckpointSummary target,
                      TargetOf(*record, request.checkpoint_epoch));
  MR_ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream, FindRestartable(*record));
  const FileOwner owner{parts_.registry.file_cluster(), record->id()};
  MR_RETURN_IF_ERROR(
      CheckWithdrawal(parts_.checkpoints, *stream->spec.planned, *record, owner, target.epoch()));
  MR_ASSIGN_OR_RETURN(PositionMap positions, HoldTarget(*stream, target));
  MR_RETURN_IF_ERROR(EndForRestart(*stream));
  StreamSpec spec = stream->spec;
  MR_RETURN_IF_ERROR(Respread(spec));
  const RestartAnswer answer{stream->attempt + 1, target.epoch()};
  MR_RETURN_IF_ERROR(RecordRestart(request, target, answer.attempt));
  MutexLock lock(mutex_);
  // A cancellation is recorded before it comes to the stream: if it was between the record's change
  // and now, it ends the stream as it was.
  const std::optional<v1::JobRecord> now = parts_.store.Get(request.job_id);
  if (!now.has_value()) return NoSuchStream(request.job_id);
  MR_RETURN_IF_ERROR(CheckRestartable(*now, request.checkpoint_epoch));
  if (stream->phase == StreamPhase::kServing) {
    ReleaseWorkers(*stream, MakeError(SqlState::kQueryCanceled, "the job is restarted"));
  }
  stream->spec = std::move(spec);
  stream->phase = StreamPhase::kWaiting;
  stream->error = absl::OkStatus();
  stream->last_error = absl::OkStatus();
  stream->restart_cause.reset();
  stream->policy = RestartPolicy();
  stream->durable_epoch = target.epoch();
  stream->manifest = target.manifest();
  stream->durable_positions = std::move(positions);
  stream->final_durable = false;
  stream->serve_only = false;
  // What was asked for meanwhile comes after this.
  stream->stop_requested = stream->num_stopping > 0;
  stream->drains = false;
  stream->checkpoint_wanted = false;
  stream->final_epoch = 0;
  // What was published belongs to rows that are read again.
  stream->epochs.reset();
  stream->restart_at_micros = 0;
  Log(LogLevel::kInfo, "job", "streaming job is restarted on request",
      {{"job", request.job_id}, {"epoch", target.epoch()}});
  changed_.NotifyAll();
  return answer;
}

absl::StatusOr<std::shared_ptr<StreamJobs::Stream>> StreamJobs::FindRestartable(
    const v1::JobRecord& record) {
  std::shared_ptr<Stream> stream;
  {
    MutexLock lock(mutex_);
    const auto found = streams_.find(record.id());
    if (found != streams_.end()) stream = found->second;
    if (stream != nullptr && !stream->ever_published) {
      return NotRestartable(record, kBeingCreated, "");
    }
  }
  for (const v1::JobRecord& other : parts_.store.List()) {
    if (other.id() == record.id() || !IsLive(other) || other.name() != record.name()) continue;
    return MakeError(SqlState::kDuplicateObject,
                     absl::StrCat("another job \"", record.name(), "\" runs"), "stop it first");
  }
  if (stream != nullptr) return stream;
  // Its file could not be read when the process started.
  MR_RETURN_IF_ERROR(Recover(record, {}));
  MutexLock lock(mutex_);
  return streams_.at(record.id());
}

// How far the checkpoint has read. Its files are there: what comes behind it goes when the job goes
// on from it. The log of each stored table can be read from there, and that stays so.
absl::StatusOr<PositionMap> StreamJobs::HoldTarget(Stream& stream,
                                                   const v1::CheckpointSummary& target) {
  PositionMap positions;
  if (target.epoch() > 0) {
    MR_ASSIGN_OR_RETURN(const v1::CheckpointManifest manifest,
                        parts_.checkpoints.ReadManifest(target.manifest()));
    MR_RETURN_IF_ERROR(CheckPlan(stream, manifest));
    MR_RETURN_IF_ERROR(parts_.checkpoints.CheckFiles(manifest));
    positions = RestoredEpoch(manifest).positions;
  }
  HoldLogs(stream, positions);
  for (const FollowedTable& table : stream.tables) {
    const auto read = positions.find({table.scan_id, 0});
    if (read == positions.end()) continue;
    if (parts_.table_log(table.object_id, read->second.offset()).ok()) continue;
    HoldLogs(stream, stream.durable_positions);
    return MakeError(
        SqlState::kObjectNotInPrerequisiteState,
        absl::StrCat("the checkpoint of epoch ", target.epoch(), " has read a part of table ",
                     table.name, " that was joined with later rows since"),
        "choose a newer checkpoint");
  }
  return positions;
}

// As many tasks as there are slots, unless the job's settings say how many.
uint32_t StreamJobs::ParallelismNow(const StreamSpec& spec) const {
  std::vector<SlotOffer> offers;
  for (const WorkerEntry& worker : parts_.registry.Active()) {
    offers.push_back({worker.id, worker.slots});
  }
  if (offers.empty() || spec.settings.contains("parallelism")) return spec.parallelism;
  return std::min(DefaultParallelism(offers), std::max(spec.planned->num_shards(), 1U));
}

absl::Status StreamJobs::Respread(StreamSpec& spec) const {
  const uint32_t parallelism = ParallelismNow(spec);
  if (parallelism == spec.parallelism) return absl::OkStatus();
  spec.parallelism = parallelism;
  spec.plan = std::make_shared<const v1::PhysicalPlan>(SpreadPlan(*spec.planned, parallelism));
  // State is read under any parallelism, so it does not matter which of this and the record is
  // written last.
  return parts_.files.Write(spec.job_id, FileOf(spec));
}

absl::Status StreamJobs::RecordRestart(const RestartRequest& request,
                                       const v1::CheckpointSummary& target, uint32_t attempt) {
  return parts_.store.UpdateIf(request.job_id, [&](v1::JobRecord& record) {
    // It may have been cancelled since it was looked at.
    MR_RETURN_IF_ERROR(CheckRestartable(record, request.checkpoint_epoch));
    record.set_state(v1::JOB_STATE_RUNNING);
    record.set_durable_epoch(target.epoch());
    record.set_checkpoint_manifest(target.manifest());
    record.clear_ended_at_micros();
    record.clear_error_message();
    record.clear_error_sqlstate();
    record.set_restart_request_id(request.request_id);
    record.set_restart_attempt(attempt);
    record.set_restart_epoch(target.epoch());
    for (v1::StepStatus& step : *record.mutable_steps()) {
      step.set_state(v1::STEP_STATE_RUNNING);
      step.clear_ended_at_micros();
      step.clear_error();
    }
    return absl::OkStatus();
  });
}

// The checkpoints behind the one that the job goes on from: what they have committed is withdrawn
// before anything is written again, the newest first. They are listed until that is done, also over
// a crash.
absl::Status StreamJobs::WithdrawNewer(const Stream& stream) const {
  const std::optional<v1::JobRecord> record = parts_.store.Get(stream.spec.job_id);
  if (!record.has_value()) return NoSuchStream(stream.spec.job_id);
  std::set<uint64_t> withdrawn;
  const auto& checkpoints = record->checkpoints();
  for (auto checkpoint = checkpoints.rbegin(); checkpoint != checkpoints.rend(); ++checkpoint) {
    if (checkpoint->epoch() <= stream.durable_epoch) continue;
    withdrawn.insert(checkpoint->epoch());
    const absl::StatusOr<v1::CheckpointManifest> manifest =
        parts_.checkpoints.ReadManifest(checkpoint->manifest());
    if (IsLost(manifest.status())) {
      LogError("job", "a checkpoint behind the one that a job goes back to cannot be read",
               manifest.status());
      MR_RETURN_IF_ERROR(WithdrawByName(*stream.spec.planned, *record,
                                        {parts_.registry.file_cluster(), record->id()},
                                        stream.durable_epoch));
      continue;
    }
    MR_RETURN_IF_ERROR(manifest.status());
    const SinkCommit commit = SinkCommitOf(*manifest, parts_.registry.file_cluster());
    if (!commit.files.empty()) {
      MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(commit.files[0].final_path()));
      MR_RETURN_IF_ERROR(WithdrawSinkFiles(*file_system, commit));
    }
  }
  if (withdrawn.empty()) return absl::OkStatus();
  return parts_.store.Update(stream.spec.job_id, [&withdrawn](v1::JobRecord& changed) {
    auto& listed = *changed.mutable_checkpoints();
    listed.erase(std::remove_if(listed.begin(), listed.end(),
                                [&withdrawn](const v1::CheckpointSummary& checkpoint) {
                                  return withdrawn.contains(checkpoint.epoch());
                                }),
                 listed.end());
  });
}

}  // namespace millrace
