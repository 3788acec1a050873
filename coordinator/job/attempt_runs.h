#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "coordinator/epoch/task_key.h"
#include "coordinator/job/attempt_state.h"
#include "coordinator/job/ended_attempts.h"
#include "coordinator/job/task_rates.h"
#include "coordinator/membership/worker_registry.h"
#include "coordinator/scheduler/idle_tasks.h"
#include "coordinator/scheduler/split_pool.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

// One try to run a plan.
struct AttemptSpec {
  uint64_t job_id = 0;
  uint32_t attempt = 1;
  std::shared_ptr<const v1::PhysicalPlan> plan;
  std::vector<ScanSplits> scans;
  std::map<std::string, std::string> settings;
  // Per worker; 0 = the worker decides.
  uint64_t memory_bytes_max = 0;
  // The script that the plan is a step of: its last counters are kept for a while. 0 = none.
  uint64_t script_job_id = 0;
  // Streaming: scans read only what barriers allow.
  bool scans_wait = false;
  // Streaming: goes on from this checkpoint.
  std::optional<v1::CheckpointManifest> restore;
};

// A scan of a running attempt whose files are watched.
struct FollowedScan {
  uint64_t job_id = 0;
  uint32_t attempt = 0;
  uint32_t scan_id = 0;
  v1::ScanNode node;
};

// What an attempt leaves.
struct AttemptOutcome {
  absl::Status status;
  std::vector<v1::StagedFile> staged_files;
  uint64_t sink_rows = 0;
  // Bounded jobs: malformed rows that the scans have kept.
  std::vector<v1::KeptRow> kept_rows;
  // The last counters of every task.
  std::vector<v1::TaskProgress> tasks;
  // Tasks that were lost with their workers, and the files and partitions that those had to read.
  std::set<TaskKey> lost_tasks;
  std::set<std::string> lost_reading;
};

// Who waits for an attempt. Called without any lock of AttemptRuns, from the threads that deliver
// workers' messages; OnEnded is the last call.
class AttemptObserver {
 public:
  virtual ~AttemptObserver() = default;
  // All tasks were told to start.
  virtual void OnStarted() = 0;
  virtual void OnEnded(AttemptOutcome outcome) = 0;
};

// Runs attempts on the workers: places and deploys tasks, hands out splits, collects states and
// counters, cancels. Messages of attempts that it does not know (older ones, above all) are dropped
// and counted (I6); epochs and checkpoints are not its business. Thread-safe.
class AttemptRuns final : public WorkerListener {
 public:
  AttemptRuns(WorkerRegistry& registry, const Clock& clock);

  // Returns the placements once the deployments are on their way. Does not call the observer
  // itself, and after an error nobody does.
  absl::StatusOr<std::vector<v1::TaskPlacement>> Start(AttemptSpec spec,
                                                       std::shared_ptr<AttemptObserver> observer);
  // Harmless if the attempt has ended.
  void Cancel(uint64_t job_id, uint32_t attempt, const absl::Status& reason);
  // Ends attempts whose cancellation some worker has not answered in time. Called a few times a
  // second.
  void ExpireCancellations();

  // Scans to which files can be added, of attempts whose tasks run.
  std::vector<FollowedScan> FollowedScans() const;
  // Files whose splits the scan has, or has had.
  std::set<std::string> KnownFiles(uint64_t job_id, uint32_t attempt, uint32_t scan_id) const;
  // Splits of new files; dropped if the attempt is no longer the current one.
  void AddSplits(uint64_t job_id, uint32_t attempt, uint32_t scan_id,
                 std::vector<v1::Split> splits);

  // Tasks of the job's current attempt; empty if none runs.
  std::vector<v1::TaskProgress> Progress(uint64_t job_id) const;
  // The same with the plan and with rates; of a script's step also when it has ended, as long as
  // that is kept. No plan: nothing is known of the job.
  AttemptTasks LastTasks(uint64_t job_id) const;
  // Those of every job, by age.
  std::vector<AttemptTasks> AllTasks() const;
  uint64_t stale_messages() const;
  // An attempt has tasks on the worker.
  bool Uses(WorkerId worker) const;

  void OnWorkerJoined(WorkerId worker) override;
  void OnWorkerMessage(WorkerId worker, const v1::WorkerMessage& message) override;
  void OnWorkerLost(WorkerId worker, const absl::Status& reason) override;

 private:
  struct Run {
    AttemptSpec spec;
    std::vector<v1::TaskPlacement> placements;
    std::map<TaskKey, WorkerId> worker_of;
    std::optional<AttemptState> state;
    // Its worker starts the tasks without being told.
    bool starts_itself = false;
    std::map<uint32_t, SplitPool> pools;
    // Paths of the splits that a task of a scan was given last: it asks when it has read them.
    std::map<std::pair<uint32_t, uint32_t>, std::vector<std::string>> reading;
    // Of the plan: see MeetingScans.
    std::map<uint32_t, std::set<uint32_t>> meeting_scans;
    std::map<TaskKey, v1::TaskProgress> progress;
    std::optional<TaskRates> rates;
    std::vector<v1::StagedFile> staged_files;
    uint64_t sink_rows = 0;
    std::vector<v1::KeptRow> kept_rows;
    std::set<TaskKey> lost_tasks;
    std::set<std::string> lost_reading;
    int64_t cancel_deadline_micros = INT64_MAX;
    std::shared_ptr<AttemptObserver> observer;
  };
  // What the observer must hear after the lock is released.
  struct Notice {
    std::shared_ptr<AttemptObserver> observer;
    AttemptState::Action action = AttemptState::Action::kNone;
    AttemptOutcome outcome;
  };

  absl::StatusOr<std::unique_ptr<Run>> MakeRun(AttemptSpec spec,
                                               std::shared_ptr<AttemptObserver> observer) const;
  void Deploy(Run& run, Notice& notice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first splits of all scans, which are on one worker.
  static void HandOutSplits(Run& run, WorkerId worker, v1::DeployAttempt* deploy);
  static void NoteLostTask(Run& run, const TaskKey& task);
  Run* FindRun(uint64_t job_id, uint32_t attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does what the state asks for; may remove the run.
  Notice Act(Run& run, AttemptState::Action action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Notice OnTaskUpdate(Run& run, const v1::TaskUpdate& update) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnSplitRequest(Run& run, WorkerId worker, const v1::SplitRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AnswerSplitRequest(Run& run, SplitPool& pool, uint32_t task_index, WorkerId worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells the tasks of a scan what has changed for them because others have got splits.
  void SpreadNews(const Run& run, SplitPool& pool, const SplitPool::News& before,
                  uint32_t asking_task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How far the task has come in the pool's scan, and all tasks in those that meet a scan.
  static TaskTime TimeOf(const Run& run, const SplitPool& pool, uint32_t task);
  static std::vector<TaskTime> TimesOfMeetingScans(const Run& run, uint32_t scan_id);
  // Event time goes on without the tasks whose partitions, or followed files, are all idle.
  void TellIdleTasks(Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ApplyProgress(const v1::TaskProgress& progress) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Notice Dispatch(Run& run, WorkerId worker, const v1::WorkerMessage& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Tell(Notice notice);
  // Counters and rates of now.
  AttemptTasks TasksOf(const Run& run) const;
  // Tasks that have not reported their end before that of their attempt.
  static void SettleTasks(Run& run);

  WorkerRegistry& registry_;
  const Clock& clock_;

  mutable Mutex mutex_;
  // One attempt of a job at a time.
  std::map<uint64_t, std::unique_ptr<Run>> runs_ ABSL_GUARDED_BY(mutex_);
  EndedAttempts ended_ ABSL_GUARDED_BY(mutex_);
  uint64_t stale_messages_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
