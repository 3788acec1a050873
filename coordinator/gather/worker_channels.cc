#include "coordinator/gather/worker_channels.h"

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace millrace {
namespace {

// A chunk of a result is one batch; operators keep them far below this.
constexpr int kChunkBytesMax = 256 << 20;
constexpr int kKeepaliveMillis = 5000;

}  // namespace

WorkerChannels::WorkerChannels() = default;
WorkerChannels::~WorkerChannels() = default;

std::shared_ptr<grpc::Channel> WorkerChannels::Get(const std::string& address) {
  MutexLock lock(mutex_);
  std::shared_ptr<grpc::Channel>& channel = channels_[address];
  if (channel == nullptr) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kChunkBytesMax);
    // A worker whose machine has vanished is noticed too.
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMillis);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    // A restarted worker may get the port of its predecessor: never share a connection with an
    // older channel.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }
  return channel;
}

void WorkerChannels::Forget(const std::string& address) {
  MutexLock lock(mutex_);
  channels_.erase(address);
}

}  // namespace millrace
