#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grpc {
class Server;
}  // namespace grpc

namespace millrace {

class AttemptManager;
class ConnectionListener;

struct WorkerOptions {
  // host:port of the coordinator's control port; empty = the owner speaks to attempts() itself
  // (tests).
  std::string coordinator;
  // host:port to listen on for data; port 0 = chosen by the system.
  std::string listen = "127.0.0.1:0";
  // host[:port] that others are told; empty = the listen address, or, where that means all
  // addresses, the one on the way to the coordinator.
  std::string advertise;
  std::string name;
  std::string data_dir;
  uint32_t slots = 1;
  // Hosts that sources and sinks may connect to, as in AddressPolicy.
  std::vector<std::string> allowed_brokers;
  // Memory for queries and state; 0 = no limit for queries.
  uint64_t memory_bytes = 0;
  // As in ControlClientOptions.
  std::function<void(uint32_t worker_id, const std::string& data_address)> on_registered;
  std::function<void(const absl::Status& reason)> on_refused;
  // The coordinator asks the worker to leave; the owner is expected to call Leave.
  std::function<void()> on_leave_asked;
  // After Leave: nothing of the worker is needed any more, it can be destroyed.
  std::function<void()> on_drained;
};

// A worker: threads, channels, state, the data server and the connection to the coordinator, put
// together.
class Worker {
 public:
  // Listens, and begins to register. F0000 or 58030 if it cannot listen on the address.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(WorkerOptions options);
  // Cancels all tasks, takes leave of the coordinator, closes the server.
  ~Worker();
  // Wants to leave in good order: no new tasks come, bounded work ends, streaming jobs go on
  // elsewhere. `patience`: after this time the owner destroys it anyway. Once only; only with a
  // coordinator.
  void Leave(int64_t patience_micros);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // host:port of the data service, as listened on or advertised.
  const std::string& data_address() const { return data_address_; }
  AttemptManager& attempts();

 private:
  struct Parts;

  Worker();
  absl::Status Listen(const WorkerOptions& options);

  std::unique_ptr<Parts> parts_;
  std::string data_address_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ConnectionListener> listener_;
};

}  // namespace millrace
