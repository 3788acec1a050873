#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "coordinator/membership/shared_storage.h"
#include "coordinator/membership/worker_handshake.h"
#include "coordinator/membership/worker_registry.h"

namespace millrace {

// The door of the registry: connections that have not shown yet that they may join. Each has a
// deadline, and there is a bound on their number. Thread-safe.
class WorkerAdmission {
 public:
  // From a connection's beginning to its last proof.
  static constexpr int64_t kTimeoutMicros = 15'000'000;
  static constexpr size_t kConnectionsMax = 1024;

  // What is borrowed outlives the admission. Workers show that they share `folders`.
  WorkerAdmission(const Clock& clock, WorkerRegistry& registry, std::vector<SharedStorage> folders,
                  std::string version);

  // A new connection; returns its number for the calls below. 53000 if too many wait.
  absl::StatusOr<uint64_t> Open(std::shared_ptr<WorkerLink> link);
  // A message of a connection that has not joined. The worker's id once it has: from then on the
  // connection is the registry's. After an error the connection is forgotten; the caller ends it.
  absl::StatusOr<std::optional<WorkerId>> Receive(uint64_t connection,
                                                  const v1::WorkerMessage& message);
  // The connection is gone. Harmless if it has joined or was refused.
  void Forget(uint64_t connection);
  // Ends the connections that have taken too long. Called a few times a second.
  void ExpireSilent();
  // Ends all of them.
  void CloseAll(const absl::Status& reason);

 private:
  struct Waiting {
    std::shared_ptr<WorkerLink> link;
    WorkerHandshake handshake;
    int64_t deadline_micros = 0;
  };

  const Clock& clock_;
  WorkerRegistry& registry_;
  const std::vector<SharedStorage> folders_;
  const std::string version_;

  Mutex mutex_;
  uint64_t last_connection_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
