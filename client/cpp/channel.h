#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace millrace {

// A connection to a coordinator's client port. It is opened by the first call and again when it has
// broken; pings find out that the other side is gone while a call waits.
std::shared_ptr<grpc::Channel> MakeClientChannel(const std::string& server);

// How a call has ended. What the server has not said itself gets an SQLSTATE here: 08006, which can
// be tried again, for a connection that failed, 57014 for a deadline that has passed.
absl::Status CallStatus(const grpc::Status& status);

// 22023 unless `server` is host:port, port 1 to 65535: gRPC would try what is none until the
// deadline.
absl::Status CheckServerAddress(const std::string& server);

// Why the first call, for the server's version, has failed at `server` (host:port): nobody is
// there, which can be tried again, or it is another server than a coordinator's for clients.
absl::Status ConnectStatus(const std::string& server, const grpc::Status& status);

// 0 = no deadline.
void SetTimeout(grpc::ClientContext& context, std::chrono::milliseconds timeout);

// The calls of a client that are sent again: says after each failure whether another try may begin,
// and waits before it does. The deadline holds for all tries together.
class RetryLoop {
 public:
  // The calls go over `channel`, which outlives this. 0 = no deadline.
  RetryLoop(grpc::Channel& channel, int retries, std::chrono::milliseconds timeout);

  // What is left for the next try: at least a millisecond; 0 = no deadline.
  std::chrono::milliseconds left() const;
  // True if `status` says that the same again can help, and there are tries and time for it.
  bool Again(const absl::Status& status);
  // A try has got something: the next failure is a new one.
  void Progressed() {
    retries_left_ = retries_;
    pause_ = kFirstPause;
  }

 private:
  static constexpr std::chrono::milliseconds kFirstPause{100};

  void Pause();

  grpc::Channel& channel_;
  const std::chrono::steady_clock::time_point begin_;
  const std::chrono::milliseconds timeout_;
  const int retries_;
  int retries_left_ = retries_;
  std::chrono::milliseconds pause_ = kFirstPause;
};

}  // namespace millrace
