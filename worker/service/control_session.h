#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "millrace/v1/control.pb.h"
#include "worker/service/attempt_manager.h"

namespace millrace {

// One Connect stream to the coordinator, from the hello to its end. What waits in either direction
// is bounded: a side that does not keep up ends the stream. Thread-safe. Keeps itself alive until
// gRPC is done with it.
class ControlSession final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                             public ControlOutbox,
                             public std::enable_shared_from_this<ControlSession> {
 public:
  // Opens the stream and sends the hello; that the coordinator cannot be reached shows as the end.
  static std::shared_ptr<ControlSession> Open(const std::string& coordinator,
                                              const v1::WorkerHello& hello);

  // Queues a message; dropped once the stream has ended.
  void Send(v1::WorkerMessage message) override;

  // What Receive found: a message, or the stream's end, or neither before the time was up.
  struct Event {
    std::optional<v1::CoordinatorMessage> message;
    std::optional<absl::Status> end;
  };
  // The next message in order. Returns early when Interrupt is called.
  Event Receive(int64_t timeout_micros);
  void Interrupt();

  // Ends the stream in good order, and waits until gRPC is done with it.
  void Close();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  ControlSession() = default;
  void Start(const std::string& coordinator, const v1::WorkerHello& hello);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndReading();
  // Ends the stream at once because somebody does not keep up.
  void Break(absl::Status reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Messages are parsed here and not by gRPC, because expressions in plans nest deeper than
  // protobuf allows by default.
  std::unique_ptr<grpc::GenericStub> stub_;
  grpc::ClientContext context_;
  // Of the read in progress.
  grpc::ByteBuffer read_bytes_;
  Mutex mutex_;
  CondVar changed_;
  // With their sizes on the wire.
  std::deque<std::pair<v1::CoordinatorMessage, size_t>> received_ ABSL_GUARDED_BY(mutex_);
  size_t received_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Serialized.
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of the write in progress.
  grpc::ByteBuffer write_bytes_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  // No message may be sent any more.
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  // The call may be over: nothing is started on it.
  bool reading_ended_ ABSL_GUARDED_BY(mutex_) = false;
  // Why Break was called.
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ControlSession> self_;
};

}  // namespace millrace
