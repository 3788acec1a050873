#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "common/storage/file_system.h"
#include "coordinator/job/sink_commit.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/job/stream_jobs.h"

// Checkpoints of streaming jobs.

namespace millrace {
namespace {

// A job whose checkpoints fail this often in a row is not durable any more: its attempt ends.
constexpr int kFailedCheckpointsMax = 6;

// A full or read-only folder may be repaired while the job tries again; what is damaged stays so.
absl::Status UploadMayPass(const absl::Status& error) {
  ErrorDetail detail = GetErrorDetail(error);
  const bool may_pass = detail.state == SqlState::kIoError || detail.state == SqlState::kDiskFull ||
                        detail.state == SqlState::kInsufficientPrivilege;
  if (!may_pass) return error;
  detail.retry = Retry::kSafe;
  return MakeError(detail, error.message());
}

}  // namespace

void StreamJobs::OnCheckpointDone(WorkerId worker, const v1::CheckpointDone& done) {
  MutexLock lock(mutex_);
  Stream* stream = FindRunning(done.job_id(), done.attempt(), worker);
  if (stream == nullptr) return;
  if (done.has_error()) {
    const absl::Status error = UploadMayPass(
        WithContext(FromProto(done.error()), absl::StrCat("checkpoint ", done.epoch())));
    return EndWithoutCheckpoint(*stream, done.epoch(), error);
  }
  stream->checkpoint->OnWorkerDone(worker, done);
  StoreIfReady(*stream);
}

// Somebody has said that the checkpoint will not be made, or nobody says anything any more.
void StreamJobs::EndWithoutCheckpoint(Stream& stream, uint64_t epoch, const absl::Status& error) {
  if (!GoesOnWithoutCheckpoint(stream, epoch, error)) EndAttemptSoon(stream, error);
}

// Not under the lock.
void StreamJobs::EndAttemptSoon(const Stream& stream, const absl::Status& error) {
  const uint64_t job_id = stream.spec.job_id;
  work_.Add(job_id, [this, job_id, attempt = stream.attempt, error] {
    EndAttempt(job_id, attempt, error);
  });
}

// A folder that hangs gives no error: without an end of the wait no further checkpoint would begin,
// and nobody would know why.
void StreamJobs::ExpireCheckpoint(Stream& stream, int64_t now) {
  if (now < stream.upload_deadline_micros) return;
  const std::set<WorkerId> awaited = stream.checkpoint->Awaited();
  if (awaited.empty()) return;
  std::vector<uint32_t> workers;
  for (const WorkerId worker : awaited) workers.push_back(worker.value());
  ErrorDetail detail;
  detail.state = SqlState::kIoError;
  detail.blame = Blame::kExternal;
  detail.retry = Retry::kSafe;
  detail.hint =
      "see whether the checkpoint folder hangs on that machine; more time gives "
      "checkpoint-timeout of the coordinator";
  const uint64_t epoch = *stream.checkpoint->epoch();
  // Asked again only if the attempt has not ended by then.
  stream.upload_deadline_micros = now + parts_.checkpoint_timeout_micros;
  EndWithoutCheckpoint(
      stream, epoch,
      MakeError(detail, absl::StrCat("checkpoint ", epoch, ": worker ",
                                     absl::StrJoin(workers, ", "), " has not written its part in ",
                                     parts_.checkpoint_timeout_micros / 1'000'000, " s")));
}

// Nothing of the attempt depends on a checkpoint but its last one: the next interval makes another,
// from what the workers have kept of this one.
bool StreamJobs::GoesOnWithoutCheckpoint(Stream& stream, uint64_t epoch,
                                         const absl::Status& error) {
  if (stream.checkpoint->epoch() != epoch) return true;
  const bool may_pass = GetErrorDetail(error).retry == Retry::kSafe;
  if (!may_pass || epoch == stream.final_epoch) return false;
  if (++stream.failed_checkpoints >= kFailedCheckpointsMax) return false;
  LogError("epoch", absl::StrCat("a checkpoint of job ", stream.spec.job_id, " failed; it goes on"),
           error);
  stream.checkpoint->Abandon();
  stream.failed_checkpoint_epoch = epoch;
  if (stream.leaving.has_value()) stream.checkpoint_wanted = true;
  stream.last_error = error;
  changed_.NotifyAll();
  return true;
}

// An attempt that runs ends with the error, and is restarted if that can help. The last checkpoint
// of one that has ended is only made by a new attempt.
void StreamJobs::EndAttempt(uint64_t job_id, uint32_t attempt, const absl::Status& error) {
  {
    MutexLock lock(mutex_);
    Stream* stream = Find(job_id);
    if (stream == nullptr || stream->attempt != attempt) return;
    if (stream->attempt_ended && stream->phase == StreamPhase::kRunning) {
      ReleaseWorkers(*stream, error);
      return OnAttemptFailed(*stream, error);
    }
  }
  parts_.runs.Cancel(job_id, attempt, error);
}

void StreamJobs::StoreIfReady(Stream& stream) {
  if (!stream.checkpoint->ReadyToStore() || AwaitsSubscribers(stream)) return;
  const PublishedEpoch* published = stream.epochs->At(*stream.checkpoint->epoch());
  const EpochKind kind = published != nullptr ? published->kind : EpochKind::kCheckpoint;
  v1::CheckpointManifest manifest = stream.checkpoint->TakeManifest(parts_.clock.MonotonicMicros());
  manifest.set_plan_hash(stream.plan_hash);
  manifest.set_job_id(stream.spec.job_id);
  manifest.set_attempt(stream.attempt);
  for (const v1::TaskPlacement& placement : stream.placements) {
    *manifest.add_placements() = placement;
  }
  manifest.set_created_at_micros(parts_.clock.WallMicros());
  stream.kept_rows.AddTo(&manifest);
  const uint64_t job_id = stream.spec.job_id;
  work_.Add(job_id, [this, job_id, kind, made = std::move(manifest)]() mutable {
    StoreCheckpoint(job_id, std::move(made), kind);
  });
}

// Files first (the workers have done that), manifest second, pointer third (I2); what sinks have
// staged comes after that (I5), and that the job has ended comes last, because an ended job that
// keeps no view is not taken up again. *name is set as soon as the pointer has moved.
absl::Status StreamJobs::MakeDurable(const v1::CheckpointManifest& manifest, v1::JobState state,
                                     std::string* name) {
  MR_ASSIGN_OR_RETURN(const std::string written, parts_.checkpoints.WriteManifest(manifest));
  v1::CheckpointSummary summary = SummaryOf(manifest, written);
  summary.set_final(state != v1::JOB_STATE_RUNNING);
  auto kept = static_cast<int>(parts_.checkpoints_kept);
  {
    MutexLock lock(mutex_);
    const Stream* stream = Find(manifest.job_id());
    // A restart may go back to the oldest one; what those behind it have committed is withdrawn.
    if (stream != nullptr && stream->num_restarting > 0) kept = std::numeric_limits<int>::max();
  }
  bool over = false;
  MR_RETURN_IF_ERROR(parts_.store.Update(manifest.job_id(), [&](v1::JobRecord& record) {
    over = record.state() == v1::JOB_STATE_CANCELLED || record.state() == v1::JOB_STATE_FAILED;
    if (over) return;
    record.set_durable_epoch(manifest.epoch());
    record.set_checkpoint_manifest(written);
    *record.add_checkpoints() = summary;
    const int dropped = record.checkpoints_size() - kept;
    if (dropped > 0) record.mutable_checkpoints()->DeleteSubrange(0, dropped);
    if (record.state() == v1::JOB_STATE_CREATED) record.set_state(v1::JOB_STATE_RUNNING);
  }));
  if (over) return CancelledByUser();
  *name = written;
  MR_FAILPOINT("checkpoint.before_sink_commit");
  MR_RETURN_IF_ERROR(CommitSinks(manifest, CommitRound::kFirst));
  MR_FAILPOINT("checkpoint.after_sink_commit");
  if (state == v1::JOB_STATE_RUNNING) return absl::OkStatus();
  return parts_.store.Update(manifest.job_id(), [&](v1::JobRecord& record) {
    if (record.state() == v1::JOB_STATE_CANCELLED) return;
    record.set_state(state);
    record.set_ended_at_micros(parts_.clock.WallMicros());
  });
}

// From then on the files belong to whoever reads them: they are not asked for again.
absl::Status StreamJobs::CommitSinks(const v1::CheckpointManifest& manifest,
                                     CommitRound round) const {
  if (manifest.pending_files().empty()) return absl::OkStatus();
  const std::optional<v1::JobRecord> record = parts_.store.Get(manifest.job_id());
  if (!record.has_value() || record->committed_epoch() >= manifest.epoch()) {
    return absl::OkStatus();
  }
  const SinkCommit commit = SinkCommitOf(manifest, parts_.registry.file_cluster());
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(commit.files[0].final_path()));
  MR_RETURN_IF_ERROR(CommitSinkFiles(*file_system, commit, round));
  MR_FAILPOINT("checkpoint.before_mark_committed");
  return parts_.store.Update(manifest.job_id(), [&](v1::JobRecord& changed) {
    changed.set_committed_epoch(std::max(changed.committed_epoch(), manifest.epoch()));
  });
}

// The attempt has put the views together again from the last checkpoint, which stays: what the
// workers have written besides is not needed.
void StreamJobs::FinishServing(uint64_t job_id, uint32_t attempt) {
  const absl::Status removed = RemoveUnusedCheckpoints(job_id);
  if (!removed.ok()) LogError("epoch", "cannot remove unused files of checkpoints", removed);
  MutexLock lock(mutex_);
  Stream* stream = Find(job_id);
  if (stream == nullptr || stream->attempt != attempt) return;
  stream->checkpoint->Complete();
  if (stream->phase == StreamPhase::kRunning && stream->attempt_ended) {
    stream->phase = StreamPhase::kServing;
    // What went wrong while the views were loaded is over.
    stream->policy = RestartPolicy();
  }
  changed_.NotifyAll();
}

void StreamJobs::StoreCheckpoint(uint64_t job_id, v1::CheckpointManifest manifest, EpochKind kind) {
  v1::JobState state = v1::JOB_STATE_RUNNING;
  bool serves = false;
  {
    MutexLock lock(mutex_);
    const Stream* stream = Find(job_id);
    if (stream == nullptr || stream->attempt != manifest.attempt()) return;
    // Without epochs: it was restarted from another checkpoint meanwhile.
    if (stream->phase == StreamPhase::kCancelled || stream->epochs == nullptr) return;
    if (kind == EpochKind::kFinal) state = stream->StateAtEnd();
    serves = stream->final_durable;
  }
  if (serves) return FinishServing(job_id, manifest.attempt());
  std::string name;
  const absl::Status durable = MakeDurable(manifest, state, &name);
  if (!durable.ok()) {
    if (GetErrorDetail(durable).state == SqlState::kQueryCanceled) return;
    if (!parts_.store.Get(job_id).has_value()) return;  // Dropped.
    LogError("epoch", absl::StrCat("checkpoint of job ", job_id, " failed"), durable);
    if (!name.empty()) {
      // The next attempt goes on from where the record points, and finishes what is left.
      MutexLock lock(mutex_);
      Stream* stream = Find(job_id);
      if (stream == nullptr || stream->attempt != manifest.attempt()) return;
      stream->durable_epoch = manifest.epoch();
      stream->manifest = name;
    }
    return EndAttempt(job_id, manifest.attempt(), UploadMayPass(durable));
  }
  // Before the next checkpoint can begin.
  const absl::Status removed = RemoveUnusedCheckpoints(job_id);
  if (!removed.ok()) LogError("epoch", "cannot remove older checkpoints", removed);
  MR_CRASHPOINT("checkpoint.after_removal");
  const std::optional<WorkerId> leaving = AdoptCheckpoint(manifest, name, kind, state);
  if (leaving.has_value()) {
    parts_.runs.Cancel(job_id, manifest.attempt(), WorkerLeaves(*leaving));
  }
}

// The checkpoint is the newest. Returns the worker that has waited for it, to leave.
std::optional<WorkerId> StreamJobs::AdoptCheckpoint(const v1::CheckpointManifest& manifest,
                                                    const std::string& name, EpochKind kind,
                                                    v1::JobState state) {
  MutexLock lock(mutex_);
  Stream* stream = Find(manifest.job_id());
  if (stream == nullptr || stream->attempt != manifest.attempt()) return std::nullopt;
  stream->durable_epoch = manifest.epoch();
  stream->manifest = name;
  stream->durable_positions = RestoredEpoch(manifest).positions;
  const uint64_t rows_read = RowsRead(stream->durable_positions);
  if (rows_read > stream->durable_rows || kind == EpochKind::kFinal) {
    stream->policy.OnProgress(rows_read);
  }
  stream->durable_rows = rows_read;
  if (stream->turns.has_value()) stream->turns->OnDurable();
  for (FollowedTable& table : stream->tables) {
    const auto read = stream->durable_positions.find({table.scan_id, 0});
    if (read != stream->durable_positions.end()) table.durable_position = read->second.offset();
  }
  if (stream->checkpoint != nullptr) stream->checkpoint->Complete();
  if (std::exchange(stream->failed_checkpoints, 0) > 0) stream->last_error = absl::OkStatus();
  if (kind == EpochKind::kFinal) {
    stream->final_durable = state != v1::JOB_STATE_RUNNING;
    stream->serve_only = state == v1::JOB_STATE_STOPPED;
    // The tasks may have ended before the pointer was written; else they will end now.
    if (stream->phase == StreamPhase::kRunning && stream->attempt_ended) OnLastCheckpoint(*stream);
  }
  changed_.NotifyAll();
  return kind == EpochKind::kFinal ? std::nullopt : stream->leaving;
}

void StreamJobs::WantCheckpoint(uint64_t job_id) {
  MutexLock lock(mutex_);
  Stream* stream = Find(job_id);
  if (stream == nullptr || stream->phase != StreamPhase::kRunning) return;
  stream->checkpoint_wanted = true;
}

absl::StatusOr<v1::CheckpointSummary> StreamJobs::Checkpoint(uint64_t job_id, Cancellation& token) {
  uint64_t started_before = 0;
  uint32_t attempt = 0;
  {
    MutexLock lock(mutex_);
    Stream* stream = Find(job_id);
    if (stream == nullptr) return NoSuchStream(job_id);
    if (!stream->error.ok()) return NotRunning(*stream);
    started_before = newest_epoch_;
    // Of one that waits, the next.
    attempt = stream->attempt + (stream->phase == StreamPhase::kWaiting ? 1 : 0);
    stream->checkpoint_wanted = stream->phase != StreamPhase::kServing;
  }
  uint64_t epoch = 0;
  MR_RETURN_IF_ERROR(Wait(token, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    const Stream* stream = Find(job_id);
    if (stream == nullptr) return NoSuchStream(job_id);
    if (!stream->error.ok()) return NotRunning(*stream);
    epoch = stream->durable_epoch;
    // Nothing will be added to the last checkpoint of a job at its end.
    if (stream->phase == StreamPhase::kServing) return true;
    if (stream->failed_checkpoint_epoch > std::max(started_before, epoch)) {
      return stream->last_error;
    }
    if (stream->attempt > attempt && stream->attempt_started && epoch <= started_before &&
        !stream->last_error.ok()) {
      return stream->last_error;
    }
    return epoch > started_before;
  }));
  const std::optional<v1::JobRecord> record = parts_.store.Get(job_id);
  if (!record.has_value()) return NoSuchStream(job_id);
  for (const v1::CheckpointSummary& checkpoint : record->checkpoints()) {
    if (checkpoint.epoch() == epoch) return checkpoint;
  }
  // Others came meanwhile, and only a few are kept.
  if (record->checkpoints().empty()) return InternalError("a durable epoch without a checkpoint");
  return *record->checkpoints().rbegin();
}

}  // namespace millrace
