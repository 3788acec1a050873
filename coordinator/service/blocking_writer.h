#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "coordinator/job/cancellation.h"
#include "grpc/grpc.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"

namespace millrace {

// How long a client may stand still, and what it is told then.
struct StallLimit {
  std::chrono::milliseconds timeout;
  // "the client has taken no rows"; the time is put behind it.
  std::string message;
  // Where the limit comes from; may be empty.
  std::string setting;
};

// When a message leaves: at once, or together with the one behind it, or the end, which must come
// soon.
enum class Leaves : uint8_t { kNow, kWithNext };

// A response stream that a thread of ours writes with blocking calls. One message is on its way at
// a time, so a client that does not read stops the writer, and after the limit's time ends the call
// (I7). The cancellation is cancelled when the client goes away. Kept alive by gRPC until the call
// is over and by the writing thread's shared_ptr.
template <typename Response>
class BlockingWriter final : public grpc::ServerWriteReactor<Response>,
                             public std::enable_shared_from_this<BlockingWriter<Response>> {
 public:
  // The call's context lives as long as the call.
  BlockingWriter(grpc::CallbackServerContext& context, StallLimit limit)
      : context_(context), limit_(std::move(limit)) {}

  // Once, before the reactor is returned to gRPC.
  grpc::ServerWriteReactor<Response>* Begin() {
    self_ = this->shared_from_this();
    return this;
  }

  Cancellation& cancellation() { return cancellation_; }

  // Waits until the previous message is on the wire.
  absl::Status Write(Response response, Leaves leaves = Leaves::kNow) {
    MR_RETURN_IF_ERROR(AwaitWritten());
    MutexLock lock(mutex_);
    if (broken_) return CancelledByUser();
    message_ = std::move(response);
    writing_ = true;
    grpc::WriteOptions options;
    if (leaves == Leaves::kWithNext) options.set_buffer_hint();
    this->StartWrite(&message_, options);
    return absl::OkStatus();
  }

  // Ends the call; nothing may be written after it.
  void End(const absl::Status& status) {
    const absl::Status written = AwaitWritten();
    MutexLock lock(mutex_);
    this->Finish(ToGrpcStatus(status.ok() ? written : status));
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    broken_ = broken_ || !ok;
    written_.NotifyAll();
  }

  void OnCancel() override {
    {
      MutexLock lock(mutex_);
      broken_ = true;
      written_.NotifyAll();
    }
    cancellation_.Cancel(CancelledByUser());
  }

  void OnDone() override { self_.reset(); }

 private:
  // Gives the client up when the time is up.
  absl::Status AwaitWritten() {
    {
      MutexLock lock(mutex_);
      const auto deadline = std::chrono::steady_clock::now() + limit_.timeout;
      while (writing_ && !broken_) {
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) break;
        written_.WaitFor(mutex_, left);
      }
      if (!writing_ || broken_) return absl::OkStatus();
      broken_ = true;
    }
    const std::string reason = StallReason();
    // A call that is cancelled does not know its peer any more.
    Log(LogLevel::kWarning, "client", "a client has not read its result in time",
        {{"peer", context_.peer()}, {"timeout_ms", limit_.timeout.count()}});
    // What waits to be sent would keep the call for ever. This is TryCancel, which would tell the
    // client nothing but that it was the server; an error's detail does not fit in.
    grpc_call_cancel_with_status(context_.c_call(), GRPC_STATUS_CANCELLED, reason.c_str(), nullptr);
    return MakeError(SqlState::kQueryCanceled, reason);
  }

  std::string StallReason() const {
    const double seconds = std::chrono::duration<double>(limit_.timeout).count();
    std::string reason = absl::StrCat(limit_.message, " for ", seconds, " s");
    if (!limit_.setting.empty()) {
      absl::StrAppend(&reason, "; read on in time, or raise ", limit_.setting);
    }
    return reason;
  }

  grpc::CallbackServerContext& context_;
  const StallLimit limit_;
  std::shared_ptr<BlockingWriter> self_;
  Cancellation cancellation_;

  Mutex mutex_;
  CondVar written_;
  Response message_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // The client has gone, or must be given up.
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
