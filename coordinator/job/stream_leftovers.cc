#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "coordinator/job/sink_commit.h"
#include "coordinator/job/stale_files.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/job/stream_jobs.h"
#include "millrace/v1/catalog.pb.h"

// What streaming jobs leave on the disks, and when it goes.

namespace millrace {
namespace {

// Above every attempt.
constexpr uint32_t kAllAttempts = UINT32_MAX;

}  // namespace

// No checkpoint of the job may be under way.
absl::Status StreamJobs::RemoveUnusedCheckpoints(uint64_t job_id) const {
  const std::optional<v1::JobRecord> record = parts_.store.Get(job_id);
  if (!record.has_value()) return absl::OkStatus();
  std::vector<std::string> kept;
  if (record->durable_epoch() > 0) kept.push_back(record->checkpoint_manifest());
  for (const v1::CheckpointSummary& checkpoint : record->checkpoints()) {
    kept.push_back(checkpoint.manifest());
  }
  MR_FAILPOINT("checkpoint.before_removal");
  return parts_.checkpoints.RemoveUnused(job_id, kept);
}

absl::Status StreamJobs::RemoveStaged(uint64_t job_id, const v1::PhysicalPlan& plan,
                                      uint32_t before_attempt) const {
  return RemoveStaleFiles(plan, {parts_.registry.file_cluster(), job_id}, before_attempt);
}

// What earlier attempts have left. Only after the number of `attempt` is durable: a pointer whose
// write has reported an error may be on the disk all the same, until the next write has settled
// that, and what it points to and has promised to commit must be there as long.
void StreamJobs::RemoveLeftovers(const AttemptSpec& attempt) const {
  const absl::Status unused = RemoveUnusedCheckpoints(attempt.job_id);
  if (!unused.ok()) LogError("job", "cannot remove what an earlier attempt has left", unused);
  const absl::Status cleaned = RemoveStaged(attempt.job_id, *attempt.plan, attempt.attempt);
  if (!cleaned.ok()) LogError("job", "cannot remove staged files of an earlier attempt", cleaned);
}

void StreamJobs::CleanUpCancelled(uint64_t job_id) {
  work_.Add(job_id, [this, job_id] {
    const absl::Status removed = RemoveCancelled(job_id);
    if (removed.ok()) return;
    LogError("job", "cannot remove what a cancelled job has left; tried again at the next start",
             removed);
  });
}

// Readers see the files of an epoch all, or none of them, also of the last one.
absl::Status StreamJobs::FinishCommit(const v1::JobRecord& record) const {
  if (record.checkpoint_manifest().empty()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(const v1::CheckpointManifest manifest,
                      parts_.checkpoints.ReadManifest(record.checkpoint_manifest()));
  return CommitSinks(manifest, CommitRound::kRepeated);
}

// A cancelled job is not restarted: only its record stays. The job's file goes last, because it
// says where the rest is, and that there is still something to do.
absl::Status StreamJobs::RemoveCancelled(uint64_t job_id) {
  const std::optional<v1::JobRecord> record = parts_.store.Get(job_id);
  if (!record.has_value() || record->state() != v1::JOB_STATE_CANCELLED) return absl::OkStatus();
  const absl::StatusOr<v1::StreamJobFile> file = parts_.files.Read(job_id);
  if (GetErrorDetail(file.status()).state == SqlState::kUndefinedFile) return absl::OkStatus();
  MR_RETURN_IF_ERROR(file.status());
  const absl::Status finished = FinishCommit(*record);
  const SqlState state = GetErrorDetail(finished).state;
  const bool is_lost = state == SqlState::kDataCorrupted || state == SqlState::kUndefinedFile;
  if (!finished.ok() && !is_lost) return finished;
  MR_RETURN_IF_ERROR(RemoveStaged(job_id, file->plan(), kAllAttempts));
  MR_RETURN_IF_ERROR(parts_.store.Update(job_id, [](v1::JobRecord& changed) {
    changed.clear_checkpoints();
    changed.clear_checkpoint_manifest();
  }));
  MR_RETURN_IF_ERROR(parts_.checkpoints.RemoveAll(job_id));
  return parts_.files.Remove(job_id);
}

}  // namespace millrace
