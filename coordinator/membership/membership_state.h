#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"

namespace millrace {

namespace v1 {
class Heartbeat;
class WorkerHello;
}  // namespace v1

enum class WorkerPhase : uint8_t { kActive, kDraining, kLost };

// What one attempt of a streaming job keeps on a worker.
struct JobStateBytes {
  uint64_t job_id = 0;
  uint32_t attempt = 0;
  // Operators' tables and views.
  uint64_t memory_bytes = 0;
  // State database.
  uint64_t disk_bytes = 0;
};

// What is known of one worker process.
struct WorkerEntry {
  WorkerId id;
  std::string name;
  std::string version;
  std::string data_address;
  uint64_t incarnation = 0;
  uint64_t pid = 0;
  uint32_t slots = 0;
  WorkerPhase phase = WorkerPhase::kActive;
  // It was draining, and nothing of it was needed any more: the end of its connection is no loss.
  bool let_go = false;
  uint32_t running_tasks = 0;
  uint64_t rss_bytes = 0;
  uint64_t cpu_micros = 0;
  // Bytes that tasks hold now, and may hold, for rows and state.
  uint64_t memory_used_bytes = 0;
  uint64_t memory_bytes_max = 0;
  // Free where the worker's data folder lies.
  uint64_t disk_free_bytes = 0;
  // Empty for a lost worker: what it kept is gone.
  std::vector<JobStateBytes> state_sizes;
  // Why a lost worker was lost.
  std::string lost_reason;
  int64_t joined_wall_micros = 0;
  int64_t last_heartbeat_wall_micros = 0;
  // For the failure detector.
  int64_t last_heard_monotonic_micros = 0;
};

// One moment on both clocks.
struct Moment {
  int64_t monotonic_micros = 0;
  int64_t wall_micros = 0;
};

// FAILED_PRECONDITION (55000) with a hint if a worker of this kind cannot join: another version, no
// slots, no address.
absl::Status CheckHello(const v1::WorkerHello& hello, absl::string_view coordinator_version);

// The members of the cluster, as plain data: no thread, no clock. A worker's id is used once; a
// lost one stays listed (the newest kLostKept of them), so that people can see what happened.
class MembershipState {
 public:
  static constexpr size_t kLostKept = 64;

  // Adds a worker under a new `id`. Returns the ids of active workers that are the same process (it
  // has reconnected): they are lost now.
  std::vector<WorkerId> Join(WorkerId id, const v1::WorkerHello& hello, Moment now);
  // Any message counts as a sign of life.
  void Heard(WorkerId id, Moment now);
  void ApplyHeartbeat(WorkerId id, const v1::Heartbeat& heartbeat, Moment now);
  // False if it was lost before or was never there. `reason`: for people.
  bool Lose(WorkerId id, absl::string_view reason);
  // The workers that have been silent for longer than `timeout_micros`; they are lost now. To be
  // called much more often than that: after a gap of half of it this process itself has stood still
  // (stopped, or its machine asleep) and has not read what they said, so their time begins anew.
  std::vector<WorkerId> Expire(Moment now, int64_t timeout_micros);

  // The worker gets no new tasks from now on. Harmless if it is lost.
  void BeginDraining(WorkerId id);
  // Nothing of the worker, which is draining, is needed any more.
  void LetGo(WorkerId id);
  bool WasLetGo(WorkerId id) const;
  // The worker with this id, or else with this name. Lost ones have no name any more. 42704 if
  // there is none, 55000 if it is lost, or if several have the name.
  absl::StatusOr<WorkerId> Find(absl::string_view id_or_name) const;

  bool IsActive(WorkerId id) const;
  // Some worker is.
  bool has_active() const;
  // By id.
  std::vector<WorkerEntry> Active() const;
  // Those that are about to leave too.
  std::vector<WorkerEntry> Connected() const;
  std::vector<WorkerEntry> All() const;

 private:
  void ForgetOldLosses();

  std::map<WorkerId, WorkerEntry> workers_;
  // When Expire was called last; 0 = never.
  int64_t expiry_monotonic_micros_ = 0;
};

}  // namespace millrace
