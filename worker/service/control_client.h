#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "worker/service/attempt_manager.h"

namespace millrace {

class ControlSession;

namespace v1 {
class WorkerHello;
class WorkerWelcome;
}  // namespace v1

struct ControlClientOptions {
  // host:port of the coordinator's control port.
  std::string coordinator;
  std::string name;
  uint32_t slots = 1;
  // host:port under which others reach this worker's data service.
  std::string data_address;
  // Called once for each registration, from the client's thread.
  std::function<void(uint32_t worker_id)> on_registered;
  // The coordinator will never take this worker (another version): no further attempt is made.
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
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

 private:
  void RunThread();
  // Until the stream ends or the client stops.
  absl::Status RunSession();
  void SendHeartbeat(ControlSession& session);
  v1::WorkerHello Hello() const;
  bool stopping() const;

  const ControlClientOptions options_;
  AttemptManager& attempts_;
  const Clock& clock_;
  const uint64_t incarnation_;
  // The current session got its welcome. Only for the thread.
  bool registered_ = false;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ControlSession> session_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace millrace
