#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/operator_context.h"
#include "worker/runtime/actor.h"
#include "worker/runtime/chain.h"
#include "worker/runtime/chain_driver.h"

namespace millrace {

namespace v1 {
class EpochAck;
class KeptRow;
class StagedFile;
class TaskProgress;
}  // namespace v1

class TaskStateStore;

// What distinguishes a task from the others of its attempt.
struct TaskIdentity {
  uint64_t job_id = 0;
  uint32_t attempt = 0;
  uint32_t fragment = 0;
  uint32_t task_index = 0;
  uint32_t worker_id = 0;
  bool streaming = false;
};

// How a task came to its end: OK with `cancelled` false, an error, or cancelled.
struct TaskOutcome {
  absl::Status status;
  bool cancelled = false;
  // What bounded sinks have staged; only of finished tasks.
  std::vector<v1::StagedFile> staged_files;
  // Malformed rows that the scans of a bounded task have kept; only of finished tasks.
  std::vector<v1::KeptRow> kept_rows;
};

// Told of a task's life. Called from the task's thread, with no lock held.
class TaskListener {
 public:
  virtual ~TaskListener() = default;
  // The task's chain has processed a barrier.
  virtual void OnEpochProcessed(const v1::EpochAck& ack, bool checkpoint) = 0;
  // Everything of the task is closed; it does not run again.
  virtual void OnTaskDone(const v1::TaskProgress& progress, TaskOutcome outcome) = 0;
};

// Runs a chain on the actor pool, from opening its parts to closing them. All that happens to the
// chain happens in Step; the public functions are thread-safe.
class Task final : public Actor {
 public:
  struct Options {
    TaskIdentity identity;
    Chain chain;
    // Contexts' common part; node_id and counters are filled in for each operator.
    OperatorContext context;
    // Null unless streaming.
    std::unique_ptr<TaskStateStore> state;
  };

  Task(ActorPool& pool, const Clock& clock, TaskListener& listener);
  ~Task() override;

  // Before Start. Apart from the constructor, because the chain's inputs and outputs want
  // the task as Wakeable.
  void Init(Options options);

  // Opens the operators, which may wait for disks; before Start, and not on the pool. Else the
  // first step opens them.
  absl::Status OpenOperators();

  // Nothing runs before this; that the task is woken earlier does no harm.
  void Start();

  // Makes the task close everything and end; at most one step later.
  void Cancel();

  const TaskIdentity& identity() const { return identity_; }
  void FillProgress(v1::TaskProgress* out) const;

 protected:
  StepResult Step() override;

 private:
  // What other threads may see, copied once a step.
  struct Snapshot;

  // What is not open yet.
  absl::Status OpenRest();
  void PassBarrier(const Barrier& barrier);
  // What the epoch that ends here has touched.
  void CountEpoch(v1::EpochAck* ack);
  static void FillOperators(const Snapshot& from, v1::TaskProgress* out);
  static void FillExchanges(const Snapshot& from, v1::TaskProgress* out);
  static void FillScans(const Snapshot& from, v1::TaskProgress* out);
  StepResult End(absl::Status status, bool cancelled);
  absl::Status CloseAll(CloseReason reason);
  void Publish(absl::string_view waiting_for, int state);

  const Clock& clock_;
  TaskListener& listener_;
  TaskIdentity identity_;
  // The task's share of what the query holds.
  std::unique_ptr<MemoryBudget> memory_;
  Chain chain_;
  std::vector<OperatorContext> contexts_;
  std::unique_ptr<TaskStateStore> state_store_;
  std::unique_ptr<std::vector<v1::StagedFile>> staged_files_;
  std::unique_ptr<ChainDriver> driver_;
  bool operators_opened_ = false;
  bool inputs_opened_ = false;
  bool done_ = false;
  uint64_t busy_micros_ = 0;
  uint64_t epoch_ = 0;
  // By operator: what earlier acknowledgements reported, and what the newest epoch added.
  struct CountedOperator {
    uint64_t rows_touched = 0;
    uint64_t epoch_rows_touched = 0;
    uint64_t view_rows_changed = 0;
  };
  std::vector<CountedOperator> counted_;
  absl::Status error_;
  std::atomic<bool> started_{false};
  std::atomic<bool> cancelled_{false};
  mutable Mutex mutex_;
  std::unique_ptr<Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
