#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace {

namespace v1 {
class CoordinatorMessage;
class WorkerHello;
class WorkerMessage;
class WorkerWelcome;
}  // namespace v1

// Told of what the coordinator sends; all calls come from one thread, in the order of the stream.
class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  // Everything but the welcome. Must not wait for long: heartbeats go on, but no further message is read meanwhile.
  virtual void OnMessage(const v1::CoordinatorMessage& message) = 0;
  // The stream is over, and with it this worker's registration; the last call. OK if it was closed by Close.
  virtual void OnDisconnected(const absl::Status& status) = 0;
};

// The worker's end of ControlService.Connect: one stream, kept open. Thread-safe.
//
// Outgoing messages wait in a bounded queue. The bound is far above what live tasks can have outstanding, so reaching it means
// that the coordinator does not read any more: the stream is then given up.
class ControlClient {
 public:
  // Connects, says hello and waits for the welcome. FAILED_PRECONDITION if the coordinator has another version, 08006 if it does
  // not answer within `timeout_ms`. `handler` must live until OnDisconnected has returned, or until this is destroyed.
  static absl::StatusOr<std::unique_ptr<ControlClient>> Connect(const std::string& coordinator,
                                                                const v1::WorkerHello& hello,
                                                                int64_t timeout_ms,
                                                                ControlHandler& handler);
  // Closes, and waits for the handler's last call.
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  const v1::WorkerWelcome& welcome() const;

  // Begins to read and to call the handler; once, after the caller has made ready what the handler needs.
  void Start();
  // Queues a message; it is dropped if the stream is over.
  void Send(v1::WorkerMessage message);
  // Ends the stream. Idempotent.
  void Close();

 private:
  struct Impl;
  explicit ControlClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
