#include "worker/exchange/exchange_output.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"

namespace millrace {

ExchangeOutput::ExchangeOutput(SpreadMode mode,
                               std::vector<std::shared_ptr<OutputChannel>> channels,
                               std::optional<HashPartitioner> partitioner)
    : mode_(mode),
      partitioner_(std::move(partitioner)),
      coalescers_(mode == SpreadMode::kHash ? channels.size() : 1) {
  MR_CHECK(!channels.empty());
  MR_CHECK((mode == SpreadMode::kHash) == partitioner_.has_value());
  for (auto& channel : channels) targets_.push_back({std::move(channel), {}});
}

absl::Status ExchangeOutput::Send(StreamMessage message) {
  if (closed_) return absl::OkStatus();
  if (auto* batch = std::get_if<Batch>(&message)) return SendBatch(std::move(*batch));
  MR_RETURN_IF_ERROR(FlushAll());
  for (Target& target : targets_) MR_RETURN_IF_ERROR(Enqueue(target, message));
  return absl::OkStatus();
}

absl::Status ExchangeOutput::SendBatch(Batch batch) {
  MR_FAILPOINT("exchange.before_send");
  if (mode_ == SpreadMode::kHash) {
    MR_ASSIGN_OR_RETURN(auto split, partitioner_->Split(batch));
    for (auto& [t, part] : split) {
      if (targets_[t].channel->closed()) continue;
      MR_ASSIGN_OR_RETURN(auto ready, coalescers_[t].Add(std::move(part)));
      if (ready.has_value()) MR_RETURN_IF_ERROR(Route(t, *std::move(ready)));
    }
    return absl::OkStatus();
  }
  MR_ASSIGN_OR_RETURN(auto ready, coalescers_[0].Add(std::move(batch)));
  if (!ready.has_value()) return absl::OkStatus();
  return Route(0, *std::move(ready));
}

absl::Status ExchangeOutput::Route(size_t index, Batch batch) {
  switch (mode_) {
    case SpreadMode::kHash:
      return Enqueue(targets_[index], std::move(batch));
    case SpreadMode::kBroadcast:
      for (Target& target : targets_) MR_RETURN_IF_ERROR(Enqueue(target, batch));
      return absl::OkStatus();
    case SpreadMode::kTurn:
      break;
  }
  // The next one that takes it now; if none does, the next one that is still open.
  const int64_t bytes = batch.ByteSize();
  size_t chosen = targets_.size();
  for (size_t k = 0; k < targets_.size(); ++k) {
    const size_t t = (next_turn_ + k) % targets_.size();
    if (targets_[t].channel->closed()) continue;
    if (chosen == targets_.size()) chosen = t;
    if (targets_[t].waiting.empty() && targets_[t].channel->MaySend(bytes)) {
      chosen = t;
      break;
    }
  }
  if (chosen == targets_.size()) return absl::OkStatus();
  next_turn_ = (chosen + 1) % targets_.size();
  return Enqueue(targets_[chosen], std::move(batch));
}

absl::Status ExchangeOutput::FlushAll() {
  for (size_t i = 0; i < coalescers_.size(); ++i) {
    MR_ASSIGN_OR_RETURN(auto ready, coalescers_[i].Flush());
    if (ready.has_value()) MR_RETURN_IF_ERROR(Route(i, *std::move(ready)));
  }
  return absl::OkStatus();
}

absl::Status ExchangeOutput::Enqueue(Target& target, StreamMessage message) {
  const bool is_batch = std::holds_alternative<Batch>(message);
  if (is_batch && target.channel->closed()) return absl::OkStatus();
  ++num_waiting_;
  if (is_batch) ++num_waiting_batches_;
  target.waiting.push_back(std::move(message));
  return PumpTarget(target);
}

absl::Status ExchangeOutput::PumpTarget(Target& target) {
  OutputChannel& channel = *target.channel;
  while (!target.waiting.empty()) {
    StreamMessage& front = target.waiting.front();
    const auto* batch = std::get_if<Batch>(&front);
    if (batch != nullptr) {
      if (!channel.closed()) {
        if (!channel.MaySend(batch->ByteSize())) return absl::OkStatus();
        MR_RETURN_IF_ERROR(channel.Send(std::move(front)));
      }
      --num_waiting_batches_;
    } else {
      MR_RETURN_IF_ERROR(channel.Send(std::move(front)));
    }
    --num_waiting_;
    target.waiting.pop_front();
  }
  return absl::OkStatus();
}

absl::Status ExchangeOutput::Pump() {
  for (Target& target : targets_) {
    MR_RETURN_IF_ERROR(target.channel->failure());
    if (!target.waiting.empty()) MR_RETURN_IF_ERROR(PumpTarget(target));
  }
  return absl::OkStatus();
}

absl::Status ExchangeOutput::FlushPartial() {
  for (size_t i = 0; i < coalescers_.size(); ++i) {
    if (coalescers_[i].empty()) continue;
    // A receiver that still has rows is not waiting for these; more may come until it is.
    const auto hungry = [](Target& target) { return target.channel->NothingInFlight(); };
    const bool flush = mode_ == SpreadMode::kHash
                           ? hungry(targets_[i])
                           : std::any_of(targets_.begin(), targets_.end(), hungry);
    if (!flush) continue;
    MR_ASSIGN_OR_RETURN(auto ready, coalescers_[i].Flush());
    if (ready.has_value()) MR_RETURN_IF_ERROR(Route(i, *std::move(ready)));
  }
  return absl::OkStatus();
}

bool ExchangeOutput::drained() const {
  return num_waiting_ == 0 &&
         std::all_of(targets_.begin(), targets_.end(),
                     [](const Target& target) { return target.channel->flushed(); });
}

bool ExchangeOutput::closed() const {
  return std::all_of(targets_.begin(), targets_.end(),
                     [](const Target& target) { return target.channel->closed(); });
}

void ExchangeOutput::Close(CloseReason) {
  closed_ = true;
  for (Target& target : targets_) target.waiting.clear();
  num_waiting_ = 0;
  num_waiting_batches_ = 0;
}

SentBytes ExchangeOutput::sent_bytes() const {
  SentBytes sent;
  for (const Target& target : targets_) {
    (target.channel->is_remote() ? sent.remote : sent.local) += target.channel->sent_bytes();
  }
  return sent;
}

std::optional<SentCounts> ExchangeOutput::sent() const {
  SentCounts counts;
  counts.exchange = targets_[0].channel->address().exchange;
  counts.bytes = sent_bytes();
  for (const Target& target : targets_) counts.rows += target.channel->sent_rows();
  return counts;
}

}  // namespace millrace
