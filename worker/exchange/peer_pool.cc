#include "worker/exchange/peer_pool.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/exchange/peer_stream.h"

namespace millrace {
namespace {

// A frame is a chunk and its header; schemas of wide tables are the largest headers.
constexpr int kMessageBytesMax = 64 << 20;
constexpr int kKeepaliveMillis = 5000;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A connection of its own, not shared with other channels to the same address.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

PeerPool::~PeerPool() { CloseAll(); }

std::shared_ptr<PeerStream> PeerPool::Get(uint32_t own_worker, uint32_t worker,
                                          const std::string& address) {
  MutexLock lock(mutex_);
  std::shared_ptr<PeerStream>& stream = streams_[worker];
  if (stream == nullptr || stream->broken()) {
    stream = PeerStream::Open(MakeChannel(address), own_worker,
                              absl::StrCat("worker ", worker, " at ", address));
  }
  return stream;
}

void PeerPool::CloseAll() {
  std::map<uint32_t, std::shared_ptr<PeerStream>> streams;
  {
    MutexLock lock(mutex_);
    streams.swap(streams_);
  }
  for (const auto& [worker, stream] : streams) stream->Cancel();
  for (const auto& [worker, stream] : streams) stream->WaitUntilDone();
}

}  // namespace millrace
