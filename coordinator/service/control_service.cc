#include "coordinator/service/control_service.h"

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"

namespace millrace {
namespace {

// More than this is never under way to a worker that reads.
constexpr size_t kQueuedMessagesMax = 16384;

using ControlReactor = grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>;

// The stream of one worker: reads one message after another, writes from a bounded queue. It is
// kept alive by gRPC (until OnDone) and by the registry, which holds it as the worker's link.
class ControlStream final : public ControlReactor,
                            public WorkerLink,
                            public std::enable_shared_from_this<ControlStream> {
 public:
  ControlStream(WorkerAdmission& admission, WorkerRegistry& registry)
      : admission_(admission), registry_(registry) {}

  void Begin() {
    self_ = shared_from_this();
    const absl::StatusOr<uint64_t> connection = admission_.Open(self_);
    if (!connection.ok()) return Close(connection.status());
    connection_ = *connection;
    StartRead(&incoming_);
  }

  void Send(v1::CoordinatorMessage message) override {
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      if (queue_.size() < kQueuedMessagesMax) {
        queue_.push_back(std::move(message));
        WriteNext();
        return;
      }
    }
    Close(MakeError(SqlState::kConnectionFailure, "the worker does not read its messages"));
  }

  void Close(const absl::Status& reason) override {
    MutexLock lock(mutex_);
    FinishOnce(reason);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Close(absl::OkStatus());
      return;
    }
    if (!worker_.has_value()) {
      if (!Introduce()) return;
    } else {
      registry_.Receive(*worker_, incoming_);
    }
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (finished_) {
      // Close has left it to the end of this write, whether that came through or not.
      Finish(ToGrpcStatus(final_status_));
    } else if (!ok) {
      FinishOnce(absl::UnavailableError("the connection is broken"));
    } else {
      WriteNext();
    }
  }

  void OnCancel() override { Close(absl::CancelledError("the worker has gone")); }

  void OnDone() override {
    if (worker_.has_value()) {
      registry_.Disconnect(*worker_, absl::UnavailableError("the connection was closed"));
    } else {
      admission_.Forget(connection_);
    }
    self_.reset();
  }

 private:
  // The messages before the worker has joined. False if it was refused.
  bool Introduce() {
    const absl::StatusOr<std::optional<WorkerId>> worker =
        admission_.Receive(connection_, incoming_);
    if (!worker.ok()) {
      LogError("membership", "a worker was refused", worker.status());
      Close(worker.status());
      return false;
    }
    worker_ = *worker;
    return true;
  }

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || queue_.empty()) return;
    writing_ = true;
    StartWrite(&queue_.front());
  }

  // A write that is under way ends first.
  void FinishOnce(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    final_status_ = reason;
    if (!writing_) Finish(ToGrpcStatus(final_status_));
  }

  WorkerAdmission& admission_;
  WorkerRegistry& registry_;
  std::shared_ptr<ControlStream> self_;
  // For the admission.
  uint64_t connection_ = 0;
  // Touched by one read after another only.
  v1::WorkerMessage incoming_;
  std::optional<WorkerId> worker_;

  Mutex mutex_;
  std::deque<v1::CoordinatorMessage> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status final_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

ControlReactor* ControlService::Connect(grpc::CallbackServerContext*) {
  auto stream = std::make_shared<ControlStream>(admission_, registry_);
  stream->Begin();
  return stream.get();
}

}  // namespace millrace
