#include "worker/exchange/exchange_receiver.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/data.pb.h"
#include "worker/exchange/frame_codec.h"

namespace millrace {

ExchangeReceiver* ExchangeReceiver::Start(ChannelRegistry& registry) {
  std::shared_ptr<ExchangeReceiver> receiver(new ExchangeReceiver(registry));
  receiver->self_ = receiver;
  receiver->StartRead(&receiver->frame_);
  return receiver.get();
}

void ExchangeReceiver::OnReadDone(bool ok) {
  if (ok) {
    if (absl::Status status = HandleFrame(); !status.ok()) {
      LogError("exchange", absl::StrCat("stream from worker ", sender_worker_, " refused"), status);
      registry_.FailChannelsOf(sender_worker_, weak_from_this(), status);
      FinishOnce(status);
      return;
    }
    frame_.Clear();
    StartRead(&frame_);
    return;
  }
  // The sender ended the stream or is gone. Channels whose End has come are not affected.
  registry_.FailChannelsOf(
      sender_worker_, weak_from_this(),
      MakeError(ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
                absl::StrCat("lost the connection from worker ", sender_worker_)));
  FinishOnce(absl::OkStatus());
}

absl::Status ExchangeReceiver::HandleFrame() {
  std::shared_ptr<InputChannel> channel;
  MR_ASSIGN_OR_RETURN(ReceivedFrame received,
                      DecodeFrame(frame_, [&](const ChannelAddress& address) -> BatchDecoder* {
                        channel = registry_.Find(address);
                        return channel == nullptr ? nullptr : &channel->decoder();
                      }));
  if (received.sender_worker != 0) sender_worker_ = received.sender_worker;
  if (channel == nullptr) {
    // The consumer is gone, or its attempt is an older one. Without an answer the producer would
    // wait for credit for ever: a consumer that wanted nothing may go before the first frame has
    // named a receiver for its "closed".
    if (received.channel.has_value()) OnClosed(*received.channel);
    return absl::OkStatus();
  }
  if (channel->producer_worker() != sender_worker_) {
    return MakeError(SqlState::kProtocolViolation,
                     absl::StrCat("worker ", sender_worker_, " sends on a channel of worker ",
                                  channel->producer_worker()));
  }
  channel->SetCreditReceiver(weak_from_this());
  if (received.message.has_value()) {
    channel->Push(*std::move(received.message), received.credit_bytes);
  }
  return absl::OkStatus();
}

void ExchangeReceiver::OnCredit(const ChannelAddress& channel, int64_t bytes) {
  AddReply(channel, {bytes, false});
}

void ExchangeReceiver::OnClosed(const ChannelAddress& channel) { AddReply(channel, {0, true}); }

void ExchangeReceiver::AddReply(const ChannelAddress& channel, Reply reply) {
  MutexLock lock(mutex_);
  if (finishing_) return;
  const auto [it, added] = replies_.try_emplace(channel);
  if (added) reply_order_.push_back(channel);
  it->second.credit_bytes += reply.credit_bytes;
  it->second.closed = it->second.closed || reply.closed;
  if (!writing_) WriteNext();
}

void ExchangeReceiver::WriteNext() {
  if (reply_order_.empty()) return;
  const ChannelAddress address = reply_order_.front();
  reply_order_.pop_front();
  const auto it = replies_.find(address);
  v1::ExchangeReply reply;
  ToProto(address, reply.mutable_channel());
  reply.set_credit_bytes(static_cast<uint64_t>(it->second.credit_bytes));
  reply.set_closed(it->second.closed);
  replies_.erase(it);
  const grpc::Slice slice(reply.SerializeAsString());
  writing_reply_ = grpc::ByteBuffer(&slice, 1);
  writing_ = true;
  StartWrite(&writing_reply_);
}

void ExchangeReceiver::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (finishing_) {
    if (!std::exchange(finished_, true)) Finish(ToGrpcStatus(finish_status_));
    return;
  }
  // Not ok: the sender is gone; the read in progress fails too and ends the stream.
  if (ok) WriteNext();
}

void ExchangeReceiver::FinishOnce(const absl::Status& status) {
  MutexLock lock(mutex_);
  if (finishing_) return;
  finishing_ = true;
  finish_status_ = status;
  if (!writing_ && !std::exchange(finished_, true)) Finish(ToGrpcStatus(status));
}

void ExchangeReceiver::OnDone() {
  // Channels may still hold this object for a moment; they cannot start anything any more.
  const std::shared_ptr<ExchangeReceiver> self = std::move(self_);
}

}  // namespace millrace
