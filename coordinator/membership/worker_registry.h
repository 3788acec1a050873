#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/logging/log.h"
#include "coordinator/membership/membership_state.h"
#include "coordinator/metadata/id_allocator.h"

namespace millrace {

namespace v1 {
class CoordinatorMessage;
class WorkerMessage;
class WorkerWelcome;
}  // namespace v1

// The way to one connected worker. Thread-safe.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;
  // Queues a message; messages arrive in the order of the calls. Never blocks. A link whose bounded
  // queue is full closes itself: a worker that does not read is as good as lost.
  virtual void Send(v1::CoordinatorMessage message) = 0;
  // Ends the connection; `reason` is what the worker is told.
  virtual void Close(const absl::Status& reason) = 0;
};

// Who acts on what workers say. Messages of one worker come one after another, OnWorkerLost last.
class WorkerListener {
 public:
  virtual ~WorkerListener() = default;
  virtual void OnWorkerJoined(WorkerId worker) = 0;
  virtual void OnWorkerMessage(WorkerId worker, const v1::WorkerMessage& message) = 0;
  virtual void OnWorkerLost(WorkerId worker, const absl::Status& reason) = 0;
};

struct MembershipOptions {
  int64_t heartbeat_interval_micros = 1'000'000;
  // A worker that was silent for longer is fenced.
  int64_t heartbeat_timeout_micros = 5'000'000;
};

// The connected workers. A closed connection is a loss at once, silence is one after the timeout.
// Thread-safe; the listener is called without any lock held.
class WorkerRegistry {
 public:
  WorkerRegistry(const Clock& clock, MembershipOptions options, IdAllocator& worker_ids,
                 std::string cluster_id, std::string version);

  // Before the first worker can join. The listener must outlive all calls below; null ends the
  // deliveries.
  void SetListener(WorkerListener* listener);

  // A worker introduces itself. On success the welcome was sent over `link`, and other messages
  // follow it.
  absl::StatusOr<WorkerId> Join(const v1::WorkerHello& hello, std::shared_ptr<WorkerLink> link);
  void Receive(WorkerId worker, const v1::WorkerMessage& message);
  // The connection is gone. Harmless if the worker is lost already.
  void Disconnect(WorkerId worker, const absl::Status& reason);
  // Fences the workers that were silent for too long.
  void ExpireSilent();
  // Closes every connection.
  void CloseAll(const absl::Status& reason);

  // The worker gets no new tasks from now on. It does so too when it says that it leaves.
  void BeginDraining(WorkerId worker);
  // Nothing of it is needed any more: when its connection ends it has left, which is no loss.
  void LetGo(WorkerId worker);
  // As in MembershipState.
  absl::StatusOr<WorkerId> Find(absl::string_view id_or_name) const;

  // False if the worker is not connected: its loss is or will be reported.
  bool Send(WorkerId worker, v1::CoordinatorMessage message);

  bool has_active() const;
  // Those that take tasks.
  std::vector<WorkerEntry> Active() const;
  // Those that are about to leave too.
  std::vector<WorkerEntry> Connected() const;
  std::vector<WorkerEntry> All() const;
  // Returns when a worker is active or has joined, and at the latest after `at_most`.
  void AwaitActive(std::chrono::microseconds at_most) const;
  const MembershipOptions& options() const { return options_; }
  // Messages of workers that were fenced before.
  uint64_t stale_messages() const;
  // What tells this cluster's files from those of others: the first half of the cluster's id.
  std::string file_cluster() const { return cluster_id_.substr(0, cluster_id_.size() / 2); }

 private:
  Moment Now() const;
  void Lose(const std::vector<WorkerId>& workers, const absl::Status& reason, LogLevel level);

  const Clock& clock_;
  const MembershipOptions options_;
  IdAllocator& worker_ids_;
  const std::string cluster_id_;
  const std::string version_;

  mutable Mutex mutex_;
  mutable CondVar joined_;
  MembershipState state_ ABSL_GUARDED_BY(mutex_);
  std::map<WorkerId, std::shared_ptr<WorkerLink>> links_ ABSL_GUARDED_BY(mutex_);
  WorkerListener* listener_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t stale_messages_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
