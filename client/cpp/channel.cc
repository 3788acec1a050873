#include "client/cpp/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/host_port.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"

namespace millrace {
namespace {

// Results come in messages of at most one batch; a row may be 50 MB and more.
constexpr int kMessageBytesMax = 1 << 30;
constexpr int kKeepaliveMillis = 10'000;
// One attempt to connect. A server far away or on a busy machine takes its time, and how long a
// caller wants to wait is the deadline of the call.
constexpr int kConnectionAttemptMillisMax = 10'000;
constexpr int kReconnectMillisMin = 100;
constexpr int kReconnectMillisMax = 2'000;
constexpr std::chrono::milliseconds kLongestPause(2'000);

}  // namespace

std::shared_ptr<grpc::Channel> MakeClientChannel(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  // No proxy from the environment: the address is meant as written.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMillisMin);
  // Named after the pause between attempts, but gRPC takes it for the time that one may last.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectionAttemptMillisMax);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMillisMax);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status CallStatus(const grpc::Status& status) {
  if (status.ok() || !status.error_details().empty()) return FromGrpcStatus(status);
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return MakeError(
        ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
        absl::StrCat("connection to the coordinator failed: ", status.error_message()));
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return MakeError(SqlState::kQueryCanceled, "the deadline of the call has passed");
  }
  return FromGrpcStatus(status);
}

absl::Status CheckServerAddress(const std::string& server) {
  MR_ASSIGN_OR_RETURN(const HostPort parsed, SplitHostPort(server));
  if (parsed.port != 0) return absl::OkStatus();
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("invalid address \"", server, "\""), "the port is from 1 to 65535");
}

absl::Status ConnectStatus(const std::string& server, const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  ErrorDetail detail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe};
  if (status.error_code() != grpc::StatusCode::UNIMPLEMENTED) {
    return MakeError(detail, absl::StrCat("cannot reach a coordinator at ", server));
  }
  detail.hint = "name a coordinator's port for clients (its setting listen, 7461 unless set)";
  detail.blame = Blame::kUser;
  detail.retry = Retry::kNever;
  return MakeError(detail, absl::StrCat(server, " is not a coordinator's port for clients"));
}

void SetTimeout(grpc::ClientContext& context, std::chrono::milliseconds timeout) {
  if (timeout.count() > 0) context.set_deadline(std::chrono::system_clock::now() + timeout);
}

RetryLoop::RetryLoop(grpc::Channel& channel, int retries, std::chrono::milliseconds timeout)
    : channel_(channel),
      begin_(std::chrono::steady_clock::now()),
      timeout_(timeout),
      retries_(retries) {}

std::chrono::milliseconds RetryLoop::left() const {
  if (timeout_.count() <= 0) return timeout_;
  const auto used = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin_);
  return std::max(std::chrono::milliseconds(1), timeout_ - used);
}

bool RetryLoop::Again(const absl::Status& status) {
  if (status.ok() || GetErrorDetail(status).retry != Retry::kSafe) return false;
  if (retries_left_ <= 0 || (timeout_.count() > 0 && left() <= pause_)) return false;
  --retries_left_;
  Pause();
  pause_ = std::min(2 * pause_, kLongestPause);
  return true;
}

void RetryLoop::Pause() {
  const auto until = std::chrono::system_clock::now() + pause_;
  // A channel gets on with connecting only while a thread waits on it: after a plain sleep the next
  // try would find the old failure.
  if (channel_.GetState(true) == GRPC_CHANNEL_READY) {
    std::this_thread::sleep_until(until);
    return;
  }
  // A server that breaks every connection is not called without a pause.
  std::this_thread::sleep_for(kFirstPause / 2);
  channel_.WaitForConnected(until);
}

}  // namespace millrace
