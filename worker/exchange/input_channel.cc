#include "worker/exchange/input_channel.h"

#include "common/base/check.h"
#include "worker/exchange/batch_codec.h"

namespace millrace {

namespace {

bool SameOwner(const std::weak_ptr<CreditReceiver>& a, const std::weak_ptr<CreditReceiver>& b) {
  return !a.owner_before(b) && !b.owner_before(a);
}

}  // namespace

InputChannel::InputChannel(ChannelAddress address, uint32_t producer_worker, int64_t window_bytes)
    : address_(address),
      producer_worker_(producer_worker),
      window_bytes_(window_bytes),
      decoder_(std::make_unique<BatchDecoder>()) {}

InputChannel::~InputChannel() = default;

void InputChannel::SetCreditReceiver(std::weak_ptr<CreditReceiver> receiver) {
  std::shared_ptr<CreditReceiver> tell_closed;
  {
    MutexLock lock(mutex_);
    // The same receiver again, as with every frame but the first: nothing new.
    if (SameOwner(receiver, receiver_)) return;
    receiver_ = std::move(receiver);
    if (closed_) tell_closed = receiver_.lock();
  }
  if (tell_closed != nullptr) tell_closed->OnClosed(address_);
}

bool InputChannel::FedBy(const std::weak_ptr<CreditReceiver>& receiver) const {
  MutexLock lock(mutex_);
  return SameOwner(receiver, receiver_) || SameOwner(receiver_, {});
}

void InputChannel::SetConsumer(std::weak_ptr<Wakeable> consumer) {
  MutexLock lock(mutex_);
  consumer_ = std::move(consumer);
}

void InputChannel::Push(StreamMessage message, int64_t bytes) {
  {
    MutexLock lock(mutex_);
    if (std::holds_alternative<EndOfStream>(message)) end_received_ = true;
    if (closed_ || abandoned_) return;
    if (const auto* batch = std::get_if<Batch>(&message)) {
      received_.rows += static_cast<uint64_t>(batch->num_rows());
      (local_ ? received_.local_bytes : received_.remote_bytes) += static_cast<uint64_t>(bytes);
    }
    entries_.push_back({std::move(message), bytes});
    queued_bytes_ += bytes;
  }
  WakeConsumer();
}

void InputChannel::Fail(absl::Status status) {
  MR_CHECK(!status.ok());
  {
    MutexLock lock(mutex_);
    if (end_received_ || closed_ || abandoned_ || !failure_.ok()) return;
    failure_ = std::move(status);
  }
  WakeConsumer();
}

absl::StatusOr<std::optional<StreamMessage>> InputChannel::Pop() {
  std::optional<StreamMessage> message;
  std::shared_ptr<CreditReceiver> receiver;
  int64_t credit_bytes = 0;
  {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    if (entries_.empty()) return std::nullopt;
    Entry entry = std::move(entries_.front());
    entries_.pop_front();
    queued_bytes_ -= entry.bytes;
    taken_bytes_ += entry.bytes;
    message = std::move(entry.message);
    // Credit goes back in portions; a producer that may be standing still gets it at once.
    if (taken_bytes_ > 0 && (queued_bytes_ == 0 || taken_bytes_ * 4 >= window_bytes_)) {
      credit_bytes = std::exchange(taken_bytes_, 0);
      receiver = receiver_.lock();
    }
  }
  if (receiver != nullptr) receiver->OnCredit(address_, credit_bytes);
  return message;
}

void InputChannel::Close() {
  std::shared_ptr<CreditReceiver> receiver;
  std::deque<Entry> dropped;
  {
    MutexLock lock(mutex_);
    if (closed_ || abandoned_) return;
    closed_ = true;
    dropped.swap(entries_);
    queued_bytes_ = 0;
    if (!end_received_) receiver = receiver_.lock();
  }
  if (receiver != nullptr) receiver->OnClosed(address_);
}

void InputChannel::Abandon() {
  std::deque<Entry> dropped;
  MutexLock lock(mutex_);
  abandoned_ = true;
  dropped.swap(entries_);
  queued_bytes_ = 0;
}

void InputChannel::SetLocal() {
  MutexLock lock(mutex_);
  local_ = true;
}

InputChannel::Counts InputChannel::received() const {
  MutexLock lock(mutex_);
  return received_;
}

int64_t InputChannel::queued_bytes() const {
  MutexLock lock(mutex_);
  return queued_bytes_;
}

void InputChannel::WakeConsumer() {
  std::shared_ptr<Wakeable> consumer;
  {
    MutexLock lock(mutex_);
    consumer = consumer_.lock();
  }
  if (consumer != nullptr) consumer->Wake();
}

}  // namespace millrace
