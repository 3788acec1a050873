#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"
#include "common/base/mutex.h"
#include "worker/assembly/task_assembler.h"
#include "worker/memory/memory_budget.h"
#include "worker/runtime/scan_mailbox.h"
#include "worker/runtime/task.h"

namespace millrace {

namespace v1 {
class DeployAttempt;
class Heartbeat;
class InjectBarrier;
class SplitAssignment;
class WorkerMessage;
}  // namespace v1

struct StateResources;

// What an attempt needs of its worker. Thread-safe.
class AttemptOwner {
 public:
  virtual ~AttemptOwner() = default;
  // Dropped if the coordinator is not connected.
  virtual void SendToCoordinator(v1::WorkerMessage message) = 0;
  // Runs `work` where it may wait for disks.
  virtual void RunBlocking(std::function<void()> work) = 0;
  // Every task of the attempt has ended. Called from a task's thread.
  virtual void OnTasksEnded(uint64_t job, uint32_t attempt) = 0;
};

// This worker's part of one attempt of a job: its tasks from deployment to their end, and what they
// tell the coordinator. Thread-safe.
class Attempt final : public TaskListener,
                      public SplitRequester,
                      public std::enable_shared_from_this<Attempt> {
 public:
  // Where and how a streaming attempt keeps its state.
  struct StateOptions {
    // Of this process.
    std::string local_folder;
    // Of the job, in shared storage.
    std::string checkpoint_folder;
    // As in JobStateOptions.
    std::optional<std::string> checkpoint_token;
    // Null: streaming jobs are refused.
    const StateResources* resources = nullptr;
    // Set when the attempt is cancelled, also while it is being built.
    std::shared_ptr<std::atomic<bool>> stop;
  };

  // Builds the tasks; blocks on disks if the job has state, which is restored here.
  static absl::StatusOr<std::shared_ptr<Attempt>> Create(
      std::shared_ptr<const v1::DeployAttempt> deploy, uint32_t own_worker,
      const WorkerParts& parts, const StateOptions& state, AttemptOwner& owner);
  ~Attempt() override;

  uint64_t job() const { return job_; }
  uint32_t attempt() const { return attempt_; }
  bool streaming() const { return streaming_; }
  // Columns of the result, as clients see them.
  std::shared_ptr<arrow::Schema> result_schema() const;

  void Start();
  // Tasks end within a step; OnTasksEnded follows.
  void Cancel();
  void Assign(const v1::SplitAssignment& assignment);
  void Inject(const v1::InjectBarrier& inject);
  // Null if the task's rows are not the result.
  std::shared_ptr<ResultQueue> FindResult(uint32_t fragment, uint32_t task_index) const;
  // `view_bytes`: what the view store has of this attempt.
  void FillHeartbeat(uint64_t view_bytes, v1::Heartbeat* heartbeat) const;
  // What the tasks hold for rows and state. They count the rows of their views, too, but not beyond
  // their ends.
  uint64_t memory_bytes(uint64_t view_bytes) const {
    return std::max(static_cast<uint64_t>(memory_.used()), view_bytes);
  }

  bool tasks_ended() const;
  // True if nobody will ask for anything of this attempt any more.
  bool results_read() const;

  // TaskListener.
  void OnEpochProcessed(const v1::EpochAck& ack, bool checkpoint) override;
  void OnTaskDone(const v1::TaskProgress& progress, TaskOutcome outcome) override;
  // SplitRequester.
  void RequestSplits(uint32_t scan_id, uint32_t task_index,
                     const std::vector<uint64_t>& finished_split_ids) override;

 private:
  Attempt(std::shared_ptr<const v1::DeployAttempt> deploy, AttemptOwner& owner,
          int64_t memory_bytes_max, MemoryBudget* all_queries);
  absl::Status OpenState(uint32_t own_worker, const WorkerParts& parts, const StateOptions& state);
  // Opens the operators of all tasks, several at a time: they load what they need of their state.
  absl::Status OpenTasks();
  // Writes checkpoints until the newest one that the tasks have passed is written.
  void WriteCheckpoints();
  void WriteCheckpoint(uint64_t epoch);

  const std::shared_ptr<const v1::DeployAttempt> deploy_;
  AttemptOwner& owner_;
  const uint64_t job_;
  const uint32_t attempt_;
  const bool streaming_;
  MemoryBudget memory_;
  std::shared_ptr<std::atomic<bool>> stop_;
  // Used by the tasks, and by a blocking thread for checkpoints.
  std::unique_ptr<JobStateStore> state_;
  // Of the state on this worker; removed with the attempt.
  std::string local_folder_;
  // Fixed once the attempt is created.
  std::vector<AssembledTask> tasks_;

  mutable Mutex mutex_;
  size_t num_running_ ABSL_GUARDED_BY(mutex_) = 0;
  // Tasks that have processed a checkpoint barrier, by epoch.
  std::map<uint64_t, size_t> checkpoint_acks_ ABSL_GUARDED_BY(mutex_);
  // A thread is in WriteCheckpoints.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // The newest checkpoint that all tasks have passed; an older one that is still being written is
  // not wanted any more.
  std::atomic<uint64_t> newest_checkpoint_{0};
};

}  // namespace millrace
