#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

namespace millrace {

namespace v1 {
class ChannelAddress;
}  // namespace v1

// Names a channel: a directed pair of tasks of one exchange, in one attempt of a job.
struct ChannelAddress {
  uint64_t job = 0;
  uint32_t attempt = 0;
  uint32_t exchange = 0;
  uint32_t producer_task = 0;
  uint32_t consumer_task = 0;

  friend auto operator<=>(const ChannelAddress&, const ChannelAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const ChannelAddress& a) {
    return H::combine(std::move(state), a.job, a.attempt, a.exchange, a.producer_task,
                      a.consumer_task);
  }
};

void ToProto(const ChannelAddress& address, v1::ChannelAddress* out);
ChannelAddress FromProto(const v1::ChannelAddress& proto);

}  // namespace millrace
