#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "worker/exchange/channel_registry.h"
#include "worker/exchange/input_channel.h"

namespace millrace {

// The receiving half of the connection from one other worker: puts what comes into the channels'
// queues, and sends their credits back. It always reads on, so a channel that stands still holds up
// no other. Keeps itself alive until gRPC is done with it.
class ExchangeReceiver final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                               public CreditReceiver,
                               public std::enable_shared_from_this<ExchangeReceiver> {
 public:
  // Begins to read. `registry` outlives the server that the stream belongs to.
  static ExchangeReceiver* Start(ChannelRegistry& registry);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  void OnCredit(const ChannelAddress& channel, int64_t bytes) override;
  void OnClosed(const ChannelAddress& channel) override;

 private:
  struct Reply {
    int64_t credit_bytes = 0;
    bool closed = false;
  };

  explicit ExchangeReceiver(ChannelRegistry& registry) : registry_(registry) {}
  absl::Status HandleFrame();
  void AddReply(const ChannelAddress& channel, Reply reply);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishOnce(const absl::Status& status);

  ChannelRegistry& registry_;
  // Of the read in progress.
  grpc::ByteBuffer frame_;
  uint32_t sender_worker_ = 0;

  Mutex mutex_;
  // Replies that wait, in the order of their first cause; those for the same channel are added up.
  std::deque<ChannelAddress> reply_order_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ChannelAddress, Reply> replies_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer writing_reply_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Set before Finish; then no write begins.
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status finish_status_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ExchangeReceiver> self_;
};

}  // namespace millrace
