#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/mutex.h"
#include "worker/exchange/batch_codec.h"
#include "worker/exchange/output_channel.h"

namespace millrace {

class RemoteOutputChannel;

// The sending half of the connection to one other worker: one stream with the frames of many
// channels, in order. What waits here is bounded by the credit of the channels. Thread-safe. Keeps
// itself alive until gRPC is done with it.
class PeerStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public std::enable_shared_from_this<PeerStream> {
 public:
  // Opens the stream; that the worker cannot be reached shows later. `peer` names it in errors.
  static std::shared_ptr<PeerStream> Open(std::shared_ptr<grpc::Channel> channel,
                                          uint32_t own_worker, std::string peer);

  // Credits, closings and failures for the channel go to `output` from now on.
  void Attach(std::shared_ptr<OutputChannel> output);
  void Detach(const ChannelAddress& channel);
  // Sends frames, next to each other; `channel` hears of each one that has gone. After a failure
  // they are dropped.
  void Write(std::vector<grpc::ByteBuffer> frames, std::weak_ptr<RemoteOutputChannel> channel);

  // True once the stream cannot be used any more.
  bool broken() const;
  // Ends the stream; what was not sent is lost.
  void Cancel() { context_.TryCancel(); }
  // Blocks until gRPC is done with the stream.
  void WaitUntilDone();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  struct Entry {
    grpc::ByteBuffer frame;
    std::weak_ptr<RemoteOutputChannel> channel;
  };

  PeerStream(std::shared_ptr<grpc::Channel> channel, std::string peer)
      : stub_(std::move(channel)), peer_(std::move(peer)) {}
  void Start(uint32_t own_worker);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndWriting();

  grpc::GenericStub stub_;
  const std::string peer_;
  grpc::ClientContext context_;
  // Of the read in progress.
  grpc::ByteBuffer reply_;
  mutable Mutex mutex_;
  CondVar done_changed_;
  std::deque<Entry> waiting_ ABSL_GUARDED_BY(mutex_);
  // The write in progress.
  Entry current_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ChannelAddress, std::weak_ptr<OutputChannel>> outputs_
      ABSL_GUARDED_BY(mutex_);
  // Set from Start to OnDone.
  std::shared_ptr<PeerStream> self_;
};

// A channel whose consumer is in another process.
class RemoteOutputChannel final : public OutputChannel,
                                  public std::enable_shared_from_this<RemoteOutputChannel> {
 public:
  static std::shared_ptr<RemoteOutputChannel> Connect(ChannelAddress address, int64_t window_bytes,
                                                      std::shared_ptr<PeerStream> stream);
  // Use Connect.
  RemoteOutputChannel(ChannelAddress address, int64_t window_bytes,
                      std::shared_ptr<PeerStream> stream)
      : OutputChannel(address, window_bytes), stream_(std::move(stream)) {}
  ~RemoteOutputChannel() override { stream_->Detach(address()); }

  absl::Status Send(StreamMessage message) override;
  bool flushed() const override { return unwritten_frames_.load() == 0; }
  bool is_remote() const override { return true; }

  // For the stream.
  void OnFrameWritten();

 private:
  void Write(std::vector<grpc::ByteBuffer> frames);

  const std::shared_ptr<PeerStream> stream_;
  BatchEncoder encoder_;
  std::atomic<int64_t> unwritten_frames_{0};
};

}  // namespace millrace
