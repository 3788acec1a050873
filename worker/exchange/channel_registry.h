#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "worker/exchange/input_channel.h"

namespace millrace {

// All channels that end in this process, by address: where the frames of other workers find them.
// Thread-safe.
class ChannelRegistry {
 public:
  // Before any producer may send: the coordinator starts an attempt only when all workers have
  // deployed it.
  void Register(std::shared_ptr<InputChannel> channel);
  // Forgets the channels of an attempt.
  void Unregister(uint64_t job, uint32_t attempt);

  // Null if no such channel is known: then the frame is of an attempt that is over, and is counted
  // (I6).
  std::shared_ptr<InputChannel> Find(const ChannelAddress& address);

  // The stream `stream` from `worker` broke: whoever still waits for rows that come over it gets
  // the error, also where nothing has come yet. Channels that a newer stream of that worker feeds
  // are not touched.
  void FailChannelsOf(uint32_t worker, const std::weak_ptr<CreditReceiver>& stream,
                      const absl::Status& status);

  uint64_t stale_frames() const { return stale_frames_.load(std::memory_order_relaxed); }

 private:
  mutable Mutex mutex_;
  absl::flat_hash_map<ChannelAddress, std::shared_ptr<InputChannel>> channels_
      ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> stale_frames_{0};
};

}  // namespace millrace
