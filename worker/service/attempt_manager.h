#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "arrow/type_fwd.h"
#include "common/base/mutex.h"
#include "worker/service/attempt.h"
#include "worker/service/blocking_threads.h"

namespace millrace {

namespace v1 {
class CancelAttempt;
class CoordinatorMessage;
class DeployAttempt;
class StorageProof;
}  // namespace v1

// Where messages to the coordinator go. Thread-safe; never blocks.
class ControlOutbox {
 public:
  virtual ~ControlOutbox() = default;
  virtual void Send(v1::WorkerMessage message) = 0;
};

struct AttemptManagerOptions {
  // Shared: where checkpoints lie unless a job says otherwise.
  std::string data_dir;
  // Of this process: where the state of streaming jobs lies.
  std::string state_folder;
  // What all tasks together should not exceed, for people to see; 0 = unknown.
  uint64_t memory_bytes_max = 0;
  // Limit of a query that came without one; 0 = none.
  uint64_t query_memory_bytes = 0;
  // Null: streaming jobs are refused.
  const StateResources* state_resources = nullptr;
  // How long the loss of the coordinator waits for tasks to end. A task ends within a step, which
  // takes milliseconds; loading and uploading stop within some more.
  int64_t disconnect_patience_micros = 10'000'000;
  // Told once when the coordinator has asked to drain and no task is left.
  std::function<void()> on_drained;
};

// All attempts on this worker: acts on the coordinator's messages. Handle, OnStorageProved, Connect
// and Disconnect are for one thread, the rest is thread-safe.
class AttemptManager final : public AttemptOwner {
 public:
  AttemptManager(const WorkerParts& parts, AttemptManagerOptions options);
  // Cancels what runs and waits for it.
  ~AttemptManager() override;

  // What this worker has shown of the shared folders, before it joins: checkpoints are kept in no
  // others.
  void OnStorageProved(const v1::StorageProof& proof);
  // The coordinator has given this process the id; messages go to `outbox` from now on.
  void Connect(uint32_t worker_id, std::shared_ptr<ControlOutbox> outbox);
  // The coordinator is lost: cancels all attempts and waits some seconds until their tasks have
  // ended, which they do within a step; forgets all views. What does not end in time goes when it
  // does; its messages reach nobody.
  void Disconnect();
  void Handle(v1::CoordinatorMessage message);

  // The rows of a root task, and their columns; null if there is no such task here.
  std::shared_ptr<ResultQueue> FindResult(uint64_t job, uint32_t attempt, uint32_t fragment,
                                          uint32_t task_index,
                                          std::shared_ptr<arrow::Schema>* schema) const;
  // A result was read to its end, or its reader has gone.
  void OnResultRead(uint64_t job, uint32_t attempt);
  void FillHeartbeat(v1::Heartbeat* heartbeat) const;
  uint64_t stale_messages() const;

  // AttemptOwner.
  void SendToCoordinator(v1::WorkerMessage message) override;
  void RunBlocking(std::function<void()> work) override;
  void OnTasksEnded(uint64_t job, uint32_t attempt) override;

 private:
  using Key = std::pair<uint64_t, uint32_t>;
  struct Entry {
    // Null while it is being built.
    std::shared_ptr<Attempt> attempt;
    bool cancelled = false;
    // Ends what takes long in it, also while it is being built.
    std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  };

  void Deploy(v1::DeployAttempt deploy);
  // Builds the attempt and enters it; on the blocking thread for streaming jobs and large plans.
  void Build(const std::shared_ptr<const v1::DeployAttempt>& deploy);
  void Cancel(const v1::CancelAttempt& cancel);
  void AnswerCancel(Key key);
  // The attempt a message is for; null (and counted) if it is not here.
  std::shared_ptr<Attempt> FindOrCount(uint64_t job, uint32_t attempt);
  // Forgets the attempt if its tasks have ended and its results were read.
  void RemoveIfOver(Key key);
  Attempt::StateOptions StateOptionsOf(const v1::DeployAttempt& deploy) const;
  // Cancels all attempts; the keys of those that have not ended when the time is up.
  std::vector<Key> CancelAll(int64_t patience_micros);

  const WorkerParts parts_;
  const AttemptManagerOptions options_;
  mutable Mutex mutex_;
  CondVar changed_;
  uint32_t worker_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<ControlOutbox> outbox_ ABSL_GUARDED_BY(mutex_);
  // Of the shared folders, by path.
  std::map<std::string, std::string> storage_tokens_ ABSL_GUARDED_BY(mutex_);
  std::map<Key, Entry> attempts_ ABSL_GUARDED_BY(mutex_);
  // Attempts of streaming jobs whose views may still be read, also after their tasks have ended.
  std::set<Key> view_owners_ ABSL_GUARDED_BY(mutex_);
  uint64_t stale_messages_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;
  // Last, so that it ends first.
  BlockingThreads blocking_;
};

}  // namespace millrace
