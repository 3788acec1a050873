#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "worker/exchange/channel_address.h"
#include "worker/exchange/input_channel.h"
#include "worker/runtime/stream_message.h"
#include "worker/runtime/wakeable.h"

namespace millrace {

// The producer's end of a channel: sends messages and keeps account of the credit. The producer
// asks MaySend before it sends a batch; all other messages need no credit. Send is for the
// producer's thread, the rest is thread-safe.
class OutputChannel : public CreditReceiver {
 public:
  OutputChannel(ChannelAddress address, int64_t window_bytes)
      : address_(address), window_bytes_(window_bytes) {}

  const ChannelAddress& address() const { return address_; }
  void SetProducer(std::weak_ptr<Wakeable> producer);

  // True if a batch of `bytes` may be sent now: the window has room, or nothing is in flight. If
  // not, the producer is woken when credit comes.
  bool MaySend(int64_t bytes);
  // True if the consumer has taken everything. If not, the producer is woken when credit comes.
  bool NothingInFlight() { return MaySend(window_bytes_ + 1); }
  virtual absl::Status Send(StreamMessage message) = 0;
  // False while something that was sent has not left this process; the producer is woken when it
  // has. A producer that goes earlier would not notice that it never will.
  virtual bool flushed() const { return true; }

  // The consumer wants no more rows.
  bool closed() const { return closed_.load(std::memory_order_acquire); }
  // Not OK when the way to the consumer is gone.
  absl::Status failure() const;

  // Bytes that were sent so far.
  uint64_t sent_bytes() const { return sent_bytes_.load(std::memory_order_relaxed); }
  uint64_t sent_rows() const { return sent_rows_.load(std::memory_order_relaxed); }
  virtual bool is_remote() const = 0;

  void OnCredit(const ChannelAddress& channel, int64_t bytes) override;
  void OnClosed(const ChannelAddress& channel) override;
  void OnFailed(absl::Status status);

 protected:
  // Counts a batch, and takes from the credit what it costs. Before the batch leaves.
  void AddInFlight(int64_t bytes, int64_t rows);
  void WakeProducer();

 private:
  const ChannelAddress address_;
  const int64_t window_bytes_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> sent_bytes_{0};
  std::atomic<uint64_t> sent_rows_{0};
  mutable Mutex mutex_;
  std::weak_ptr<Wakeable> producer_ ABSL_GUARDED_BY(mutex_);
  int64_t in_flight_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool producer_waits_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

// A channel between two tasks of one process: passes pointers.
class LocalOutputChannel final : public OutputChannel {
 public:
  // Made as a shared_ptr, and connected with Connect.
  explicit LocalOutputChannel(std::shared_ptr<InputChannel> to)
      : OutputChannel(to->address(), to->window_bytes()), to_(std::move(to)) {}
  static std::shared_ptr<LocalOutputChannel> Connect(std::shared_ptr<InputChannel> to);

  absl::Status Send(StreamMessage message) override;
  bool is_remote() const override { return false; }

 private:
  const std::shared_ptr<InputChannel> to_;
};

// What a batch costs of a channel's credit beside its bytes, so that batches without columns are
// bounded too.
inline constexpr int64_t kBatchOverheadBytes = 64;

}  // namespace millrace
