#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "worker/service/attempt_manager.h"

namespace millrace {

class ControlSession;

namespace v1 {
class CoordinatorMessage;
class WorkerHello;
}  // namespace v1

struct ControlClientOptions {
  // host:port of the coordinator's control port.
  std::string coordinator;
  std::string name;
  uint32_t slots = 1;
  // host:port under which others reach this worker's data service. A host that stands for all
  // addresses is replaced by the one that this machine has on its way to the coordinator.
  std::string data_address;
  // Called once for each registration, from the client's thread.
  std::function<void(uint32_t worker_id, const std::string& data_address)> on_registered;
  // The registration does not hold any more.
  std::function<void()> on_lost;
  // The coordinator asks the worker to leave: the owner calls Leave when it is ready.
  std::function<void()> on_leave_asked;
  // After Leave: nobody is there (any more) who could still need this worker.
  std::function<void()> on_alone;
  // The coordinator will never take this worker (another version, storage that is not shared): no
  // further attempt is made.
  std::function<void(const absl::Status& reason)> on_refused;
};

// Keeps this worker registered: one thread that connects, hands the coordinator's messages on in
// order, and sends heartbeats. When the coordinator is lost, all attempts are cancelled, and the
// worker registers again as a new one.
class ControlClient {
 public:
  // `attempts` and `clock` outlive the client. Begins to connect.
  ControlClient(ControlClientOptions options, AttemptManager& attempts, const Clock& clock);
  // Takes leave of the coordinator.
  ~ControlClient();
  // Tells the coordinator that this worker is about to leave, and will wait so long for its answer,
  // a Drain message. Once only.
  void Leave(int64_t patience_micros);
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

 private:
  void RunThread();
  // Until the stream ends or the client stops.
  absl::Status RunSession();
  // Acts on one message of a session. The welcome sets the interval of heartbeats.
  void Handle(v1::CoordinatorMessage message, const v1::WorkerHello& hello,
              const std::shared_ptr<ControlSession>& session, int64_t* interval_micros);
  void SendHeartbeat(ControlSession& session);
  absl::StatusOr<v1::WorkerHello> Hello() const;
  bool stopping() const;
  bool leaving() const;
  bool registered() const;

  const ControlClientOptions options_;
  AttemptManager& attempts_;
  const Clock& clock_;
  const uint64_t incarnation_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  // The current session got its welcome.
  bool registered_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ControlSession> session_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace millrace
