#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "coordinator/epoch/checkpoint_files.h"
#include "coordinator/epoch/cut.h"
#include "coordinator/epoch/job_epochs.h"
#include "coordinator/job/attempt_runs.h"
#include "coordinator/job/cancellation.h"
#include "coordinator/job/changes_view.h"
#include "coordinator/job/job_files.h"
#include "coordinator/job/job_queues.h"
#include "coordinator/job/job_store.h"
#include "coordinator/job/stream_spec.h"
#include "coordinator/job/stream_view.h"
#include "coordinator/membership/worker_registry.h"
#include "coordinator/metadata/id_allocator.h"
#include "coordinator/scheduler/split_enumerator.h"
#include "coordinator/scheduler/table_log.h"

namespace millrace {

enum class CommitRound : uint8_t;

// The streaming jobs: starts epochs, publishes them, makes checkpoints, starts attempts again after
// a loss, binds readers to a cut. What is durable of a job: its record, its file (plan, splits),
// its last manifest. Thread-safe.
class StreamJobs {
 public:
  struct Parts {
    AttemptRuns& runs;
    WorkerRegistry& registry;
    JobStore& store;
    IdAllocator& epoch_ids;
    const CheckpointFiles& checkpoints;
    const JobFiles& files;
    const Clock& clock;
    // What streams read of stored tables; empty: none of them does.
    TableLogReader table_log = {};
    // Newest checkpoints of each job that are kept, at least 1.
    uint32_t checkpoints_kept = 3;
    // A checkpoint whose epoch is published waits so long for workers to write their parts.
    int64_t checkpoint_timeout_micros = 300'000'000;
  };
  explicit StreamJobs(Parts parts);
  ~StreamJobs();

  // Writes the job's file, then starts the first attempt. The record stays CREATED until the first
  // epoch is published.
  absl::Status Start(StreamSpec spec);
  // Takes up a job of an earlier process, also one that has failed. Attempts start when workers are
  // there.
  absl::Status Recover(const v1::JobRecord& record, StreamOptions defaults);
  // The first published epoch; it has all rows that stored tables had at the start.
  absl::Status WaitFirstEpoch(uint64_t job_id, Cancellation& token);
  // A last durable epoch, then nothing more is read; views stay readable. Returns when it is done.
  // If the token ends it before the last epoch has begun, the job goes on as if nothing had been
  // asked.
  absl::Status Stop(uint64_t job_id, Cancellation& token);
  // The job's next epoch is a checkpoint. Returns at once; a job that does not run ignores it.
  void WantCheckpoint(uint64_t job_id);
  // Makes a checkpoint with everything that was read before the call, and returns when it is the
  // newest. A job at its end has one already. 55000 if the job has failed or was cancelled; the
  // cause if the attempt ends meanwhile.
  absl::StatusOr<v1::CheckpointSummary> Checkpoint(uint64_t job_id, Cancellation& token);
  // The job goes on from a checkpoint, spread over the slots that are there; a running one makes a
  // last checkpoint first, unless it is to go back. Files that sinks have committed after that
  // checkpoint are withdrawn, so that every row is outside once. Returns when it is recorded; the
  // attempt starts when workers are there. 55000 if the job was cancelled or has finished, 42704 if
  // the checkpoint is not kept. After an error a running job runs on.
  absl::StatusOr<RestartAnswer> Restart(const RestartRequest& request, Cancellation& token);
  // While the answer lives, no attempt of the job begins and no checkpoint of it is dropped.
  absl::StatusOr<std::shared_ptr<void>> HoldForRestart(uint64_t job_id, Cancellation& token);
  // At once; what it has committed outside stays, views are no longer readable, and everything else
  // but its record is removed once its tasks have ended. A job that has finished stays as it is.
  absl::Status Cancel(uint64_t job_id, const absl::Status& reason);
  // Removes what a cancelled job has left, staged files and checkpoints; in the background. Cancel
  // does it itself, so it is for jobs of an earlier process.
  void CleanUpCancelled(uint64_t job_id);
  // Cancels, and removes every trace but the files of sinks; `also` is written with the removal of
  // the record.
  absl::Status Drop(uint64_t job_id, const std::vector<MetadataWrite>& also = {});

  // 55000 while a view is not readable (retry safe if it will be).
  absl::StatusOr<BoundViews> BindViews(const std::set<ViewRead>& reads);
  // The same; waits up to `timeout_micros` for views that will be readable.
  absl::StatusOr<BoundViews> AwaitViews(const std::set<ViewRead>& reads, int64_t timeout_micros,
                                        Cancellation& token);
  // Every running job has published an epoch that was started after the call.
  absl::Status Flush(Cancellation& token);
  // Waits until `done` says so or fails; it is asked after every change. 57014 after
  // `timeout_micros`.
  using Condition = std::function<absl::StatusOr<bool>(const StreamView&)>;
  absl::Status WaitUntil(uint64_t job_id, const Condition& done, int64_t timeout_micros,
                         Cancellation& token);

  // Readers of the changes of a view (stream_subscribers.cc). A subscriber that was added must be
  // removed by who uses it; it is used by one thread. What has changed behind the newest published
  // epoch is kept for it.
  absl::StatusOr<uint64_t> AddSubscriber(uint64_t object_id);
  void RemoveSubscriber(uint64_t subscriber);
  // It has everything up to `epoch`: only what changed behind it is kept.
  void AdvanceSubscriber(uint64_t subscriber, uint64_t epoch);
  // Its job makes a checkpoint soon, also if nothing has come in.
  void WantChangesDurable(uint64_t subscriber);
  // Waits until `ready` says so. 55000 once the view is gone or its job was cancelled or has
  // failed.
  absl::StatusOr<ChangesView> AwaitChanges(uint64_t subscriber,
                                           const std::function<bool(const ChangesView&)>& ready,
                                           Cancellation& token);
  // The parts of the view, for the changes in (after, through]; 0 = all rows at `through`.
  std::vector<ViewPartAtEpoch> ChangesBetween(uint64_t subscriber, uint64_t after,
                                              uint64_t through) const;

  // Ends every wait, now and from now on: the process ends.
  void Shutdown();

  std::optional<StreamView> View(uint64_t job_id) const;
  std::vector<StreamView> Views() const;
  uint64_t stale_messages() const;

  // A version of the table was committed: the streams that read it get what is new. Whoever flushes
  // after this call sees it.
  void OnTableChanged(uint64_t object_id);
  // How far all checkpoints have read the table's log, and attempts that go on from them do not
  // look back; UINT64_MAX if nobody reads it.
  uint64_t TableReadEverywhere(uint64_t object_id) const;
  // Calls `join`, which makes segments up to `end_position` one, while no job comes to go on from
  // further back; 40001 without a call if that is not read everywhere (any more).
  absl::StatusOr<uint64_t> JoinSegments(uint64_t object_id, uint64_t end_position,
                                        absl::FunctionRef<absl::StatusOr<uint64_t>()> join) const;

  // Starts epochs and attempts that are due. Called every few milliseconds.
  void Tick();
  // What workers report of epochs and checkpoints; other messages are ignored.
  void OnWorkerMessage(WorkerId worker, const v1::WorkerMessage& message);
  // Jobs that wait for workers give those that come together a moment to be all there.
  void OnWorkerJoined();
  void OnWorkerLost(WorkerId worker);
  // The worker wants to leave in good order and gets no new tasks: jobs with tasks on it make a
  // checkpoint, and go on without it from there; views at their end are put together elsewhere.
  void OnWorkerDraining(WorkerId worker);

 private:
  class Observer;
  struct FollowedTable;
  struct KeptChanges;
  struct Subscriber;
  struct Stream;

  // stream_jobs.cc
  static absl::Status NotRunning(const Stream& stream);
  std::shared_ptr<Stream> EndRun(uint64_t job_id, const absl::Status& reason);
  Stream* Find(uint64_t job_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<BoundViews> BindLocked(const std::set<ViewRead>& reads)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  StreamView ViewOf(const Stream& stream) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Wait(Cancellation& token, const std::function<absl::StatusOr<bool>()>& done);

  // stream_restarts.cc
  absl::StatusOr<std::shared_ptr<Stream>> Load(const v1::JobRecord& record) const;
  using Work = std::function<absl::Status()>;
  absl::Status WaitForTurn(uint64_t job_id, Cancellation& token, const Work& work);
  absl::Status Drain(const v1::JobRecord& record, Cancellation& token);
  absl::StatusOr<RestartAnswer> RestartNow(const RestartRequest& request);
  absl::Status EndForRestart(Stream& stream);
  absl::StatusOr<std::shared_ptr<Stream>> FindRestartable(const v1::JobRecord& record);
  absl::StatusOr<PositionMap> HoldTarget(Stream& stream, const v1::CheckpointSummary& target);
  uint32_t ParallelismNow(const StreamSpec& spec) const;
  absl::Status Respread(StreamSpec& spec) const;
  absl::Status RecordRestart(const RestartRequest& request, const v1::CheckpointSummary& target,
                             uint32_t attempt);
  absl::Status WithdrawNewer(const Stream& stream) const;

  // stream_attempts.cc
  absl::Status StartAttempt(uint64_t job_id);
  static absl::Status CheckPlan(const Stream& stream, const v1::CheckpointManifest& manifest);
  absl::StatusOr<AttemptSpec> PrepareAttempt(const Stream& stream, PublishedEpoch* restored) const;
  void Launch(Stream& stream, AttemptSpec attempt, PublishedEpoch restored)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ScheduleRestart(Stream& stream, const absl::Status& cause)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnLastCheckpoint(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Restarts the job, or fails it, as its policy says.
  void OnAttemptFailed(Stream& stream, const absl::Status& cause)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::set<TaskKey> LostTasks(const Stream& stream) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndTurnIfIdle(Stream& stream, int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FailStream(Stream& stream, const absl::Status& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReleaseWorkers(Stream& stream, const absl::Status& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnStarted(uint64_t job_id, uint32_t attempt);
  void OnEnded(uint64_t job_id, uint32_t attempt, const AttemptOutcome& outcome);

  // stream_tables.cc
  // kFirst: every task of the scan hears of it, also if there is nothing.
  enum class HandOut : uint8_t { kFirst, kNews };
  static void FindTables(Stream& stream);
  static void RestoreTables(Stream& stream, const PositionMap& positions);
  static PositionMap TablePositions(const Stream& stream);
  static bool LogIsLong(const Stream& stream);
  static void ReleaseTables(Stream& stream, const PublishedEpoch& published);
  void HoldLogs(Stream& stream, const PositionMap& positions);
  void HandOutLog(Stream& stream, FollowedTable& table, HandOut which)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // stream_checkpoints.cc
  void OnCheckpointDone(WorkerId worker, const v1::CheckpointDone& done);
  bool GoesOnWithoutCheckpoint(Stream& stream, uint64_t epoch, const absl::Status& error)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ExpireCheckpoint(Stream& stream, int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndWithoutCheckpoint(Stream& stream, uint64_t epoch, const absl::Status& error)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndAttemptSoon(const Stream& stream, const absl::Status& error);
  void EndAttempt(uint64_t job_id, uint32_t attempt, const absl::Status& error);
  void StoreIfReady(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StoreCheckpoint(uint64_t job_id, v1::CheckpointManifest manifest, EpochKind kind);
  std::optional<WorkerId> AdoptCheckpoint(const v1::CheckpointManifest& manifest,
                                          const std::string& name, EpochKind kind,
                                          v1::JobState state);
  void FinishServing(uint64_t job_id, uint32_t attempt);
  absl::Status MakeDurable(const v1::CheckpointManifest& manifest, v1::JobState state,
                           std::string* name);
  absl::Status CommitSinks(const v1::CheckpointManifest& manifest, CommitRound round) const;

  // stream_leftovers.cc
  absl::Status RemoveUnusedCheckpoints(uint64_t job_id) const;
  absl::Status RemoveStaged(uint64_t job_id, const v1::PhysicalPlan& plan,
                            uint32_t before_attempt) const;
  void RemoveLeftovers(const AttemptSpec& attempt) const;
  absl::Status FinishCommit(const v1::JobRecord& record) const;
  absl::Status RemoveCancelled(uint64_t job_id);

  // stream_subscribers.cc
  static ChangesView ChangesOf(const Stream& stream, const Subscriber& subscriber);
  uint64_t SubscriberFloor(const Stream& stream) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepChanges(Stream& stream, const PublishedEpoch& published)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AwaitsSubscribers(const Stream& stream) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // stream_epochs.cc
  bool AttemptIsDue(Stream& stream, int64_t now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<EpochKind> DueEpoch(Stream& stream, int64_t now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static bool CheckpointIsDue(const Stream& stream, int64_t now);
  // Something is published that is not durable.
  static bool AwaitsCheckpoint(const Stream& stream);
  static std::optional<EpochKind> DueTurn(Stream& stream, int64_t now);
  static void AllowRows(Stream& stream, EpochKind kind, v1::InjectBarrier& barrier);
  bool SourcesAreQuiet(const Stream& stream, int64_t now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartEpoch(Stream& stream, uint64_t epoch, EpochKind kind, int64_t now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Stream* FindRunning(uint64_t job_id, uint32_t attempt, WorkerId worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnEpochAck(WorkerId worker, const v1::EpochAck& ack);
  void Publish(Stream& stream, const PublishedEpoch& published)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t RetentionFloor() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(const std::set<WorkerId>& workers, const v1::CoordinatorMessage& message);

  const Parts parts_;

  // Held while segments are joined, and while a job comes to go on from further back.
  mutable Mutex join_mutex_;
  mutable Mutex mutex_ ABSL_ACQUIRED_AFTER(join_mutex_);
  CondVar changed_;
  std::map<uint64_t, std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  // The newest epoch that was given out.
  uint64_t newest_epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  // Workers that join one after another are awaited until then.
  int64_t settled_micros_ ABSL_GUARDED_BY(mutex_) = 0;
  // Reports of older attempts.
  uint64_t stale_messages_ ABSL_GUARDED_BY(mutex_) = 0;
  // Cuts that statements read: epoch → statements.
  std::map<uint64_t, int> pinned_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Subscriber> subscribers_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_subscriber_ ABSL_GUARDED_BY(mutex_) = 0;
  // Pins outlive statements, not this object; they find out here.
  std::shared_ptr<StreamJobs*> self_;

  // Last: its work uses everything above.
  JobQueues work_;
};

}  // namespace millrace
