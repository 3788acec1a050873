#include "worker/exchange/output_channel.h"

#include <utility>

#include "common/base/check.h"

namespace millrace {

void OutputChannel::SetProducer(std::weak_ptr<Wakeable> producer) {
  MutexLock lock(mutex_);
  producer_ = std::move(producer);
}

bool OutputChannel::MaySend(int64_t bytes) {
  MutexLock lock(mutex_);
  if (in_flight_bytes_ == 0 || in_flight_bytes_ + bytes <= window_bytes_) return true;
  producer_waits_ = true;
  return false;
}

void OutputChannel::AddInFlight(int64_t bytes, int64_t rows) {
  sent_bytes_.fetch_add(static_cast<uint64_t>(bytes), std::memory_order_relaxed);
  sent_rows_.fetch_add(static_cast<uint64_t>(rows), std::memory_order_relaxed);
  MutexLock lock(mutex_);
  in_flight_bytes_ += bytes;
}

absl::Status OutputChannel::failure() const {
  if (!failed_.load(std::memory_order_acquire)) return absl::OkStatus();
  MutexLock lock(mutex_);
  return failure_;
}

void OutputChannel::OnCredit(const ChannelAddress&, int64_t bytes) {
  {
    MutexLock lock(mutex_);
    in_flight_bytes_ -= bytes;
    if (in_flight_bytes_ < 0) in_flight_bytes_ = 0;
    if (!std::exchange(producer_waits_, false)) return;
  }
  WakeProducer();
}

void OutputChannel::OnClosed(const ChannelAddress&) {
  closed_.store(true, std::memory_order_release);
  WakeProducer();
}

void OutputChannel::OnFailed(absl::Status status) {
  MR_CHECK(!status.ok());
  {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return;
    failure_ = std::move(status);
    failed_.store(true, std::memory_order_release);
  }
  WakeProducer();
}

void OutputChannel::WakeProducer() {
  std::shared_ptr<Wakeable> producer;
  {
    MutexLock lock(mutex_);
    producer = producer_.lock();
  }
  if (producer != nullptr) producer->Wake();
}

std::shared_ptr<LocalOutputChannel> LocalOutputChannel::Connect(std::shared_ptr<InputChannel> to) {
  auto channel = std::make_shared<LocalOutputChannel>(to);
  to->SetLocal();
  to->SetCreditReceiver(channel);
  return channel;
}

absl::Status LocalOutputChannel::Send(StreamMessage message) {
  int64_t bytes = 0;
  if (const auto* batch = std::get_if<Batch>(&message)) {
    bytes = batch->ByteSize() + kBatchOverheadBytes;
    AddInFlight(bytes, batch->num_rows());
  }
  to_->Push(std::move(message), bytes);
  return absl::OkStatus();
}

}  // namespace millrace
