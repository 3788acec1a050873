#include "worker/service/control_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <deque>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/control.grpc.pb.h"

namespace millrace {
namespace {

constexpr size_t kQueuedMessagesMax = 100000;
// Plans with large constants, and manifests.
constexpr int kMessageBytesMax = 64 << 20;
constexpr int kKeepAliveMs = 2000;
// How long the coordinator may take to answer the end of the stream.
constexpr std::chrono::seconds kCloseTimeout{2};

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepAliveMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct ControlClient::Impl {
  using Stream = grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>;

  explicit Impl(ControlHandler& control_handler) : handler(control_handler) {}

  ControlHandler& handler;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ControlService::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream;
  v1::WorkerWelcome welcome;
  std::thread reader;
  std::thread writer;

  Mutex mutex;
  CondVar changed;
  std::deque<v1::WorkerMessage> queue ABSL_GUARDED_BY(mutex);
  // No more messages are taken; the writer ends when the queue is empty.
  bool closed ABSL_GUARDED_BY(mutex) = false;
  // Close was called: the end of the stream is no error.
  bool wanted ABSL_GUARDED_BY(mutex) = false;
  bool finished ABSL_GUARDED_BY(mutex) = false;

  void Read() {
    v1::CoordinatorMessage message;
    while (stream->Read(&message)) handler.OnMessage(message);
    bool was_wanted;
    {
      MutexLock lock(mutex);
      closed = true;
      was_wanted = wanted;
      changed.NotifyAll();
    }
    writer.join();
    const absl::Status status = FromGrpcStatus(stream->Finish());
    {
      MutexLock lock(mutex);
      finished = true;
      changed.NotifyAll();
    }
    if (was_wanted) {
      handler.OnDisconnected(absl::OkStatus());
    } else {
      handler.OnDisconnected(status.ok() ? MakeError(SqlState::kConnectionFailure,
                                                     "the coordinator closed the connection")
                                         : status);
    }
  }

  void Write() {
    while (true) {
      v1::WorkerMessage message;
      {
        MutexLock lock(mutex);
        while (queue.empty() && !closed) changed.Wait(mutex);
        if (queue.empty()) break;
        message = std::move(queue.front());
        queue.pop_front();
      }
      if (!stream->Write(message)) break;
    }
    stream->WritesDone();
  }
};

ControlClient::ControlClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<ControlClient>> ControlClient::Connect(
    const std::string& coordinator, const v1::WorkerHello& hello, int64_t timeout_ms,
    ControlHandler& handler) {
  auto impl = std::make_unique<Impl>(handler);
  impl->channel = MakeChannel(coordinator);
  if (!impl->channel->WaitForConnected(std::chrono::system_clock::now() +
                                       std::chrono::milliseconds(timeout_ms))) {
    return MakeError(SqlState::kConnectionFailure,
                     absl::StrCat("cannot reach the coordinator at ", coordinator));
  }
  impl->stub = v1::ControlService::NewStub(impl->channel);
  impl->stream = impl->stub->Connect(&impl->context);
  v1::WorkerMessage first;
  *first.mutable_hello() = hello;
  v1::CoordinatorMessage answer;
  if (!impl->stream->Write(first) || !impl->stream->Read(&answer) || !answer.has_welcome()) {
    impl->context.TryCancel();
    const absl::Status status = FromGrpcStatus(impl->stream->Finish());
    return WithContext(status.ok() ? MakeError(SqlState::kProtocolViolation, "no welcome") : status,
                       absl::StrCat("the coordinator at ", coordinator, " refused this worker"));
  }
  impl->welcome = answer.welcome();
  return std::unique_ptr<ControlClient>(new ControlClient(std::move(impl)));
}

const v1::WorkerWelcome& ControlClient::welcome() const { return impl_->welcome; }

void ControlClient::Start() {
  Impl* impl = impl_.get();
  impl->writer = std::thread([impl] { impl->Write(); });
  impl->reader = std::thread([impl] { impl->Read(); });
}

void ControlClient::Send(v1::WorkerMessage message) {
  MutexLock lock(impl_->mutex);
  if (impl_->closed) return;
  if (impl_->queue.size() >= kQueuedMessagesMax) {
    impl_->closed = true;
    impl_->queue.clear();
    impl_->context.TryCancel();
  } else {
    impl_->queue.push_back(std::move(message));
  }
  impl_->changed.NotifyAll();
}

void ControlClient::Close() {
  MutexLock lock(impl_->mutex);
  impl_->wanted = true;
  impl_->closed = true;
  impl_->changed.NotifyAll();
}

ControlClient::~ControlClient() {
  Close();
  if (impl_->reader.joinable()) {
    {
      MutexLock lock(impl_->mutex);
      if (!impl_->finished) impl_->changed.WaitFor(impl_->mutex, kCloseTimeout);
      if (!impl_->finished) impl_->context.TryCancel();
    }
    impl_->reader.join();
    return;
  }
  // Never started: nobody else ends the call.
  impl_->context.TryCancel();
  impl_->stream->Finish();
}

}  // namespace millrace
