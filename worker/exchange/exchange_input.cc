#include "worker/exchange/exchange_input.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {

ExchangeInput::ExchangeInput(std::vector<std::shared_ptr<InputChannel>> channels,
                             int64_t initial_watermark_micros)
    : watermark_micros_(Watermark::kMinWatermark) {
  for (auto& channel : channels) {
    channels_.push_back({std::move(channel), initial_watermark_micros, std::nullopt, false});
  }
}

absl::StatusOr<std::optional<StreamMessage>> ExchangeInput::Poll() {
  while (true) {
    MR_ASSIGN_OR_RETURN(auto combined, Combined());
    if (combined.has_value()) return combined;
    bool found = false;
    for (size_t k = 0; k < channels_.size() && !found; ++k) {
      Channel& channel = channels_[(next_channel_ + k) % channels_.size()];
      if (channel.ended || channel.barrier.has_value()) continue;
      MR_ASSIGN_OR_RETURN(auto message, channel.channel->Pop());
      if (!message.has_value()) continue;
      // The next Poll begins with the next channel.
      next_channel_ = (next_channel_ + k + 1) % channels_.size();
      if (std::holds_alternative<Batch>(*message)) return message;
      MR_RETURN_IF_ERROR(Take(channel, *message));
      found = true;
    }
    if (!found) return std::nullopt;
  }
}

absl::Status ExchangeInput::Take(Channel& channel, const StreamMessage& message) {
  changed_ = true;
  if (const auto* watermark = std::get_if<Watermark>(&message)) {
    channel.watermark_micros = std::max(channel.watermark_micros, watermark->micros);
  } else if (const auto* barrier = std::get_if<Barrier>(&message)) {
    for (const Channel& other : channels_) {
      if (other.barrier.has_value() && other.barrier->epoch != barrier->epoch) {
        return MakeError(SqlState::kProtocolViolation,
                         absl::StrCat("barrier ", barrier->epoch, " came where ",
                                      other.barrier->epoch, " was expected"));
      }
    }
    channel.barrier = *barrier;
    ++num_blocked_;
  } else {
    channel.ended = true;
    channel.watermark_micros = Watermark::kMaxWatermark;
    ++num_ended_;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StreamMessage>> ExchangeInput::Combined() {
  if (!changed_ || end_given_) return std::nullopt;
  // The end of all channels says more than any watermark.
  if (num_ended_ == channels_.size()) {
    end_given_ = true;
    return EndOfStream();
  }
  int64_t least = Watermark::kMaxWatermark;
  for (const Channel& channel : channels_) least = std::min(least, channel.watermark_micros);
  if (least > watermark_micros_) {
    watermark_micros_ = least;
    return Watermark{least};
  }
  changed_ = false;
  if (num_blocked_ == 0 || num_blocked_ + num_ended_ < channels_.size()) return std::nullopt;
  std::optional<Barrier> barrier;
  for (Channel& channel : channels_) {
    if (channel.barrier.has_value()) barrier = std::exchange(channel.barrier, std::nullopt);
  }
  num_blocked_ = 0;
  return *barrier;
}

std::optional<ReceivedCounts> ExchangeInput::received() const {
  if (channels_.empty()) return std::nullopt;
  ReceivedCounts counts;
  counts.exchange = channels_[0].channel->address().exchange;
  for (const Channel& channel : channels_) {
    const InputChannel::Counts received = channel.channel->received();
    counts.rows += received.rows;
    counts.local_bytes += received.local_bytes;
    counts.remote_bytes += received.remote_bytes;
  }
  return counts;
}

void ExchangeInput::Close(CloseReason reason) {
  for (Channel& channel : channels_) {
    if (reason == CloseReason::kFinished) {
      channel.channel->Close();
    } else {
      channel.channel->Abandon();
    }
  }
}

}  // namespace millrace
