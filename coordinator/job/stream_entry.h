#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/epoch/checkpoint_progress.h"
#include "coordinator/epoch/kept_row_log.h"
#include "coordinator/job/restart_policy.h"
#include "coordinator/job/scan_turns.h"
#include "coordinator/job/stream_jobs.h"
#include "millrace/v1/status.pb.h"

namespace millrace {

// A scan of a stored table, and how far its log was handed out to the current attempt.
struct StreamJobs::FollowedTable {
  uint32_t scan_id = 0;
  uint32_t fragment = 0;
  uint64_t object_id = 0;
  std::string name;
  uint64_t position = 0;
  // Up to there.
  uint64_t rows = 0;
  // Of the last checkpoint: where an attempt would go on.
  uint64_t durable_position = 0;
  // What each task was given.
  std::vector<uint64_t> rows_of_task;
  // Keep the files of what was handed out, up to a position, until an epoch with it is published.
  std::vector<std::pair<uint64_t, std::shared_ptr<const CatalogSnapshot>>> pins;
};

// What one epoch changed in the job's views, as long as somebody may have to read it.
struct StreamJobs::KeptChanges {
  uint64_t epoch = 0;
  uint64_t rows = 0;
  // It is made durable, if nothing goes wrong.
  bool checkpoint = false;
};

// A reader of the changes of a view; guarded by the mutex of StreamJobs.
struct StreamJobs::Subscriber {
  uint64_t job_id = 0;
  uint64_t object_id = 0;
  // The view's, for messages.
  std::string name;
  // It has everything up to this epoch; what changed behind it is kept.
  uint64_t floor = 0;
  // Too much would have to be kept: it is given up.
  bool behind = false;
};

// In which a row that ends a process is read again, or a checkpoint made.
inline constexpr int64_t kTrialMicros = 10'000'000;
// … unless there is none: so long a topic's broker may take to send what it has.
inline constexpr int64_t kIdleTurnMicros = 3'000'000;
inline int64_t TurnMicros(const RestartPolicy& policy) {
  return kTrialMicros << policy.longer_turns();
}

// One streaming job, guarded by the mutex of StreamJobs.
struct StreamJobs::Stream {
  StreamSpec spec;
  // Of spec.planned.
  std::string plan_hash;
  StreamPhase phase = StreamPhase::kWaiting;
  // The current attempt, or the last one.
  uint32_t attempt = 0;
  // The attempt's tasks are running (not only deployed).
  bool attempt_started = false;
  // They have all ended; the last checkpoint may still be under way.
  bool attempt_ended = false;
  std::vector<v1::TaskPlacement> placements;
  std::set<WorkerId> workers;
  std::set<WorkerId> source_workers;
  std::unique_ptr<JobEpochs> epochs;
  std::unique_ptr<CheckpointProgress> checkpoint;
  KeptRowLog kept_rows;
  std::vector<FollowedTable> tables;
  // Something was handed out since the newest epoch was started.
  bool tables_changed = false;

  // Where the current attempt went on; 0 = at the beginning.
  uint64_t restored_epoch = 0;
  // Published epochs of the attempt that some reader has not fetched, ascending.
  std::deque<KeptChanges> kept_changes;
  // The checkpoint under way waits so long for readers to fetch its epoch.
  int64_t fetch_deadline_micros = 0;
  // … and, once its epoch is published, so long for workers to write their parts.
  int64_t upload_deadline_micros = 0;

  uint64_t durable_epoch = 0;
  std::string manifest;
  // How far it had read.
  PositionMap durable_positions;
  // Rows that the last durable epoch had read.
  uint64_t durable_rows = 0;
  // The newest epoch of the attempt for which a sink has staged files. A watermark can close
  // windows without a further row, and their files wait for a durable epoch too.
  uint64_t staged_epoch = 0;
  // A worker of the attempt wants to leave: the attempt ends with its next checkpoint.
  std::optional<WorkerId> leaving;
  // A worker of the attempt is lost, and the attempt has not ended yet: what it kept of the views
  // cannot be read.
  bool worker_lost = false;
  // The last durable epoch was the final one: attempts only serve the views, and change nothing
  // that is durable.
  bool final_durable = false;
  bool ever_published = false;

  int64_t next_epoch_micros = 0;
  int64_t next_checkpoint_micros = 0;
  int64_t last_epoch_micros = 0;
  bool epoch_forced = false;
  // The next epoch is to be a checkpoint.
  bool checkpoint_wanted = false;
  // The attempt's last epoch, once it is started.
  uint64_t final_epoch = 0;
  // Checkpoints that could not be written since the last one that was, and the newest of them.
  int failed_checkpoints = 0;
  uint64_t failed_checkpoint_epoch = 0;
  // The last look found that nothing had come in since the newest published epoch.
  bool quiet = false;
  // What the tasks had reported as read when the last epoch was started.
  uint64_t rows_in_at_epoch = 0;
  bool stop_requested = false;
  // Calls of Stop that wait.
  int num_stopping = 0;
  // Restarts under way: meanwhile no attempt begins, and no checkpoint is dropped.
  int num_restarting = 0;
  // The attempt ends with its next checkpoint, and another one goes on from there.
  bool drains = false;
  // Nothing is read any more: only what the checkpoint holds is served (a stopped job after a
  // restart).
  bool serve_only = false;

  // When the next attempt may start.
  int64_t restart_at_micros = 0;
  // Since when it could, as far as workers are there; 0 = not yet.
  int64_t startable_since_micros = 0;
  RestartPolicy policy;
  // The attempt's turn: so long it keeps others from starting theirs while a job is on trial, and
  // what it is lost with is its own doing.
  int64_t trial_until_micros = 0;
  int64_t launched_micros = 0;
  // While the attempt's scans read only what each epoch allows.
  std::optional<ScanTurns> turns;
  // Why the last attempt has ended; recorded with the number of the next one.
  std::optional<absl::Status> restart_cause;
  int64_t attempt_ended_wall_micros = 0;
  bool start_queued = false;
  absl::Status error;
  // Why the newest attempt that was not the last one had ended.
  absl::Status last_error;
  std::vector<v1::TaskProgress> last_tasks;

  // Whether the attempt has shown an epoch and has read nothing behind its checkpoint, and `lost`
  // of last_tasks waited for more when they were last heard of. Not knowing counts as no: a row
  // that ends a process at once is read before the first heartbeat.
  bool StoodIdle(const std::set<TaskKey>& lost) const;
  // Every row of the input is in the newest published epoch, and no more will come.
  bool InputHasEnded() const { return epochs->sources_ended() && tables.empty(); }
  // What the job is once its final epoch is durable.
  v1::JobState StateAtEnd() const {
    if (InputHasEnded()) return v1::JOB_STATE_FINISHED;
    return drains && !stop_requested ? v1::JOB_STATE_RUNNING : v1::JOB_STATE_STOPPED;
  }
};

// Why an attempt ends that is to be followed by another one.
absl::Status RestartedOnRequest();
absl::Status WorkerLeaves(WorkerId worker);

absl::Status NoSuchStream(uint64_t job_id);
// Why a view cannot be read that no stream keeps.
absl::Status NobodyKeeps(const JobStore& jobs, uint64_t object_id);

// The plan keeps the view.
bool KeepsView(const v1::PhysicalPlan& plan, uint64_t object_id);
// The parts of a view: one for each task that keeps some of its rows.
void AddParts(const v1::PhysicalPlan& plan, const std::vector<v1::TaskPlacement>& placements,
              const ViewPartAtEpoch& base, std::vector<ViewPartAtEpoch>& parts);

// False for a job that only writes to sinks: at its end there is nothing to serve.
bool KeepsViews(const v1::PhysicalPlan& plan);

}  // namespace millrace
