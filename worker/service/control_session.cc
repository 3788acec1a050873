#include "worker/service/control_session.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <chrono>
#include <utility>

#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"

namespace millrace {
namespace {

// Plans of wide scripts are the largest messages.
constexpr int kMessageBytesMax = 64 << 20;
constexpr int kKeepaliveMillis = 2000;
// What may wait to be sent, and to be handled; some of the largest messages.
constexpr size_t kWaitingBytesMax = 64 << 20;
constexpr size_t kReceivedBytesMax = 256 << 20;

// Levels of nesting in a message; protobuf's own limit is 100, which 40 chained operators exceed.
constexpr int kRecursionMax = 10'000;

bool ParseMessage(grpc::ByteBuffer& bytes, v1::CoordinatorMessage* message) {
  grpc::ProtoBufferReader reader(&bytes);
  google::protobuf::io::CodedInputStream in(&reader);
  in.SetRecursionLimit(kRecursionMax);
  return message->ParseFromCodedStream(&in) && in.ConsumedEntireMessage();
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& coordinator) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  // A coordinator whose machine is gone is noticed too.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 2 * kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Each session connects anew; gRPC's own waiting times between attempts do not apply.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(coordinator, grpc::InsecureChannelCredentials(), arguments);
}

// Of a stream that the other side has ended, or that did not come about.
absl::Status EndOf(const grpc::Status& status) {
  if (status.ok()) {
    return MakeError(SqlState::kConnectionFailure, "the coordinator ended the stream");
  }
  // Said by gRPC, not by a coordinator: the server does not have the service.
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_details().empty()) {
    return MakeError(SqlState::kConnectionFailure,
                     "that is the coordinator's port for clients, or another server",
                     "set coordinator to the coordinator's control port (its setting "
                     "control-listen, 7462 unless set)");
  }
  return FromGrpcStatus(status);
}

}  // namespace

std::shared_ptr<ControlSession> ControlSession::Open(const std::string& coordinator,
                                                     const v1::WorkerHello& hello) {
  std::shared_ptr<ControlSession> session(new ControlSession());
  session->Start(coordinator, hello);
  return session;
}

void ControlSession::Start(const std::string& coordinator, const v1::WorkerHello& hello) {
  self_ = shared_from_this();
  stub_ = std::make_unique<grpc::GenericStub>(MakeChannel(coordinator));
  stub_->PrepareBidiStreamingCall(&context_, "/millrace.v1.ControlService/Connect", {}, this);
  {
    MutexLock lock(mutex_);
    v1::WorkerMessage message;
    *message.mutable_hello() = hello;
    waiting_.push_back(message.SerializeAsString());
    waiting_bytes_ = waiting_.back().size();
    WriteNext();
  }
  StartRead(&read_bytes_);
  // Other threads write at any time. Without a hold the call could be over, and its object gone,
  // between a look at ending_ and the write.
  AddHold();
  StartCall();
}

void ControlSession::Send(v1::WorkerMessage message) {
  std::string bytes = message.SerializeAsString();
  MutexLock lock(mutex_);
  if (ending_) return;
  waiting_bytes_ += bytes.size();
  waiting_.push_back(std::move(bytes));
  if (waiting_bytes_ > kWaitingBytesMax) {
    return Break(MakeError(SqlState::kConnectionFailure, "the coordinator does not read"));
  }
  if (!writing_) WriteNext();
}

void ControlSession::Break(absl::Status reason) {
  ending_ = true;
  broken_ = std::move(reason);
  waiting_.clear();
  waiting_bytes_ = 0;
  received_.clear();
  received_bytes_ = 0;
  context_.TryCancel();
}

void ControlSession::WriteNext() {
  if (waiting_.empty()) return;
  const grpc::Slice slice(waiting_.front());
  waiting_bytes_ -= waiting_.front().size();
  waiting_.pop_front();
  write_bytes_ = grpc::ByteBuffer(&slice, 1);
  writing_ = true;
  StartWrite(&write_bytes_);
}

ControlSession::Event ControlSession::Receive(int64_t timeout_micros) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::microseconds(timeout_micros);
  MutexLock lock(mutex_);
  while (true) {
    Event event;
    if (!received_.empty()) {
      event.message = std::move(received_.front().first);
      received_bytes_ -= received_.front().second;
      received_.pop_front();
      return event;
    }
    if (end_.has_value()) {
      event.end = end_;
      return event;
    }
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
        deadline - std::chrono::steady_clock::now());
    if (std::exchange(interrupted_, false) || left.count() <= 0) return event;
    changed_.WaitFor(mutex_, left);
  }
}

void ControlSession::Interrupt() {
  MutexLock lock(mutex_);
  interrupted_ = true;
  changed_.NotifyAll();
}

void ControlSession::Close() {
  MutexLock lock(mutex_);
  if (!end_.has_value()) {
    ending_ = true;
    // Whatever is still written gets a moment; the coordinator ends the stream when it sees ours
    // end.
    if (!writing_ && !reading_ended_) StartWritesDone();
    const auto patience = std::chrono::milliseconds(500);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!end_.has_value() && std::chrono::steady_clock::now() < deadline) {
      changed_.WaitFor(mutex_, std::chrono::microseconds(patience));
    }
    if (!end_.has_value()) context_.TryCancel();
  }
  while (!end_.has_value()) changed_.Wait(mutex_);
}

void ControlSession::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (!ok) {
    ending_ = true;
    waiting_.clear();
    waiting_bytes_ = 0;
    return;
  }
  WriteNext();
  if (!writing_ && ending_) StartWritesDone();
}

// Nothing is read any more, and no other thread begins to write; OnDone follows.
void ControlSession::EndReading() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    reading_ended_ = true;
    waiting_.clear();
    waiting_bytes_ = 0;
  }
  RemoveHold();
}

void ControlSession::OnReadDone(bool ok) {
  if (!ok) return EndReading();
  const size_t size = read_bytes_.Length();
  v1::CoordinatorMessage message;
  if (!ParseMessage(read_bytes_, &message)) {
    LogError("control", "cannot read a message of the coordinator",
             MakeError(SqlState::kProtocolViolation, "damaged message, or nested too deeply"));
    context_.TryCancel();
    return EndReading();
  }
  bool is_broken = false;
  {
    MutexLock lock(mutex_);
    is_broken = !broken_.ok();
    if (!is_broken) {
      received_.emplace_back(std::move(message), size);
      received_bytes_ += size;
    }
    if (received_bytes_ > kReceivedBytesMax) {
      Break(MakeError(SqlState::kConnectionFailure,
                      "this worker does not keep up with the coordinator's messages"));
    }
    changed_.NotifyAll();
  }
  if (is_broken) return EndReading();
  read_bytes_.Clear();
  StartRead(&read_bytes_);
}

void ControlSession::OnDone(const grpc::Status& status) {
  const std::shared_ptr<ControlSession> self = std::move(self_);
  MutexLock lock(mutex_);
  ending_ = true;
  waiting_.clear();
  end_ = broken_.ok() ? EndOf(status) : broken_;
  changed_.NotifyAll();
}

}  // namespace millrace
