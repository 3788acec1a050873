#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "worker/exchange/channel_address.h"
#include "worker/runtime/stream_message.h"
#include "worker/runtime/wakeable.h"

namespace millrace {

class BatchDecoder;

// Where the consumer's end of a channel reports to: the producer's end, or the stream to the worker
// that holds it. Thread-safe; called without any lock held.
class CreditReceiver {
 public:
  virtual ~CreditReceiver() = default;
  // The consumer has taken so many bytes: the producer may have that many more in flight.
  virtual void OnCredit(const ChannelAddress& channel, int64_t bytes) = 0;
  // The consumer wants no more rows of this channel.
  virtual void OnClosed(const ChannelAddress& channel) = 0;
};

// The consumer's end of a channel: the messages that have come and were not yet taken. Its bytes
// are bounded by the credit that the producer's end keeps. Thread-safe; one producer, one consumer.
class InputChannel {
 public:
  // `producer_worker` sends here; `window_bytes` is the credit that the producer begins with.
  InputChannel(ChannelAddress address, uint32_t producer_worker, int64_t window_bytes);
  ~InputChannel();

  const ChannelAddress& address() const { return address_; }
  uint32_t producer_worker() const { return producer_worker_; }
  int64_t window_bytes() const { return window_bytes_; }

  // Producer's side. Who gets the credits; set before the first Push, again if a stream is
  // replaced.
  void SetCreditReceiver(std::weak_ptr<CreditReceiver> receiver);
  // True if the credits go to `receiver`, or nobody has claimed them yet.
  bool FedBy(const std::weak_ptr<CreditReceiver>& receiver) const;
  // Appends a message and wakes the consumer. `bytes`: what it costs of the credit; 0 for all but
  // batches.
  void Push(StreamMessage message, int64_t bytes);
  // The way to the producer is gone. Nothing happens if the stream of messages had ended.
  void Fail(absl::Status status);
  // Turns frames into batches. Only for the thread that receives the producer's frames.
  BatchDecoder& decoder() { return *decoder_; }

  // Consumer's side.
  void SetConsumer(std::weak_ptr<Wakeable> consumer);
  // The next message, none if there is none now, or why there will be no more.
  absl::StatusOr<std::optional<StreamMessage>> Pop();
  // The consumer wants no more rows: drops what is here, tells the producer.
  void Close();
  // The consumer is gone; the producer hears of that elsewhere.
  void Abandon();

  // The producer is a task of this process. Set when the two ends are connected.
  void SetLocal();
  // What has come so far: rows, and bytes as Push was told, by where they came from.
  struct Counts {
    uint64_t rows = 0;
    uint64_t local_bytes = 0;
    uint64_t remote_bytes = 0;
  };
  Counts received() const;

  // Bytes that wait here, for tests.
  int64_t queued_bytes() const;

 private:
  struct Entry {
    StreamMessage message;
    int64_t bytes;
  };

  void WakeConsumer();

  const ChannelAddress address_;
  const uint32_t producer_worker_;
  const int64_t window_bytes_;
  const std::unique_ptr<BatchDecoder> decoder_;
  mutable Mutex mutex_;
  std::weak_ptr<CreditReceiver> receiver_ ABSL_GUARDED_BY(mutex_);
  std::weak_ptr<Wakeable> consumer_ ABSL_GUARDED_BY(mutex_);
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  int64_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool local_ ABSL_GUARDED_BY(mutex_) = false;
  Counts received_ ABSL_GUARDED_BY(mutex_);
  // Taken, and not yet given back as credit.
  int64_t taken_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool end_received_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
