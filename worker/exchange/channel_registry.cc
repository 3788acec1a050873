#include "worker/exchange/channel_registry.h"

#include <vector>

#include "common/base/check.h"

namespace millrace {

void ChannelRegistry::Register(std::shared_ptr<InputChannel> channel) {
  MutexLock lock(mutex_);
  const ChannelAddress address = channel->address();
  const bool added = channels_.emplace(address, std::move(channel)).second;
  MR_CHECK(added);
}

void ChannelRegistry::Unregister(uint64_t job, uint32_t attempt) {
  std::vector<std::shared_ptr<InputChannel>> removed;
  MutexLock lock(mutex_);
  for (auto it = channels_.begin(); it != channels_.end();) {
    if (it->first.job != job || it->first.attempt != attempt) {
      ++it;
      continue;
    }
    removed.push_back(std::move(it->second));
    channels_.erase(it++);
  }
}

std::shared_ptr<InputChannel> ChannelRegistry::Find(const ChannelAddress& address) {
  {
    MutexLock lock(mutex_);
    const auto it = channels_.find(address);
    if (it != channels_.end()) return it->second;
  }
  stale_frames_.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

void ChannelRegistry::FailChannelsOf(uint32_t worker, const std::weak_ptr<CreditReceiver>& stream,
                                     const absl::Status& status) {
  std::vector<std::shared_ptr<InputChannel>> affected;
  {
    MutexLock lock(mutex_);
    for (const auto& [address, channel] : channels_) {
      if (channel->producer_worker() == worker && channel->FedBy(stream)) {
        affected.push_back(channel);
      }
    }
  }
  for (const auto& channel : affected) channel->Fail(status);
}

}  // namespace millrace
