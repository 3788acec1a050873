#include "worker/exchange/channel_address.h"

#include "millrace/v1/data.pb.h"

namespace millrace {

void ToProto(const ChannelAddress& address, v1::ChannelAddress* out) {
  out->set_job_id(address.job);
  out->set_attempt(address.attempt);
  out->set_exchange_id(address.exchange);
  out->set_producer_task(address.producer_task);
  out->set_consumer_task(address.consumer_task);
}

ChannelAddress FromProto(const v1::ChannelAddress& proto) {
  return {proto.job_id(), proto.attempt(), proto.exchange_id(), proto.producer_task(),
          proto.consumer_task()};
}

}  // namespace millrace
