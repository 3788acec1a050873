#include "worker/exchange/peer_stream.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/data.pb.h"
#include "worker/exchange/frame_codec.h"

namespace millrace {

std::shared_ptr<PeerStream> PeerStream::Open(std::shared_ptr<grpc::Channel> channel,
                                             uint32_t own_worker, std::string peer) {
  std::shared_ptr<PeerStream> stream(new PeerStream(std::move(channel), std::move(peer)));
  stream->Start(own_worker);
  return stream;
}

void PeerStream::Start(uint32_t own_worker) {
  self_ = shared_from_this();
  stub_.PrepareBidiStreamingCall(&context_, "/millrace.v1.DataService/Exchange", {}, this);
  {
    MutexLock lock(mutex_);
    waiting_.push_back({EncodeHelloFrame(own_worker), {}});
    WriteNext();
  }
  StartRead(&reply_);
  // Tasks write at any time. Without a hold the call could be over, and its object gone, between a
  // look at broken_ and the write.
  AddHold();
  StartCall();
}

void PeerStream::Attach(std::shared_ptr<OutputChannel> output) {
  absl::Status failure;
  {
    MutexLock lock(mutex_);
    outputs_[output->address()] = output;
    failure = failure_;
  }
  if (!failure.ok()) output->OnFailed(failure);
}

void PeerStream::Detach(const ChannelAddress& channel) {
  MutexLock lock(mutex_);
  outputs_.erase(channel);
}

void PeerStream::Write(std::vector<grpc::ByteBuffer> frames,
                       std::weak_ptr<RemoteOutputChannel> channel) {
  MutexLock lock(mutex_);
  if (broken_) return;
  for (grpc::ByteBuffer& frame : frames) waiting_.push_back({std::move(frame), channel});
  if (!writing_) WriteNext();
}

void PeerStream::WriteNext() {
  if (waiting_.empty()) return;
  current_ = std::move(waiting_.front());
  waiting_.pop_front();
  writing_ = true;
  StartWrite(&current_.frame);
}

bool PeerStream::broken() const {
  MutexLock lock(mutex_);
  return broken_;
}

void PeerStream::WaitUntilDone() {
  MutexLock lock(mutex_);
  while (!done_) done_changed_.Wait(mutex_);
}

void PeerStream::OnWriteDone(bool ok) {
  std::shared_ptr<RemoteOutputChannel> written;
  std::deque<Entry> dropped;
  {
    MutexLock lock(mutex_);
    writing_ = false;
    const Entry done = std::exchange(current_, Entry());
    if (ok) {
      written = done.channel.lock();
      WriteNext();
    } else {
      // OnDone follows and tells why.
      broken_ = true;
      dropped.swap(waiting_);
    }
  }
  if (written != nullptr) written->OnFrameWritten();
}

void PeerStream::OnReadDone(bool ok) {
  if (!ok) return EndWriting();
  v1::ExchangeReply reply;
  grpc::ProtoBufferReader reader(&reply_);
  if (reply.ParseFromZeroCopyStream(&reader)) {
    const ChannelAddress address = FromProto(reply.channel());
    std::shared_ptr<OutputChannel> output;
    {
      MutexLock lock(mutex_);
      const auto it = outputs_.find(address);
      if (it != outputs_.end()) output = it->second.lock();
    }
    if (output != nullptr) {
      if (reply.closed()) output->OnClosed(address);
      if (reply.credit_bytes() > 0) {
        output->OnCredit(address, static_cast<int64_t>(reply.credit_bytes()));
      }
    }
  }
  reply_.Clear();
  StartRead(&reply_);
}

// The other side has ended the stream; OnDone follows and tells why.
void PeerStream::EndWriting() {
  std::deque<Entry> dropped;
  {
    MutexLock lock(mutex_);
    broken_ = true;
    dropped.swap(waiting_);
  }
  RemoveHold();
}

void PeerStream::OnDone(const grpc::Status& status) {
  absl::Status failure =
      MakeError(ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
                absl::StrCat("lost the connection to ", peer_, ": ",
                             status.ok() ? "the stream ended" : FromGrpcStatus(status).message()));
  std::vector<std::shared_ptr<OutputChannel>> outputs;
  std::deque<Entry> dropped;
  {
    MutexLock lock(mutex_);
    broken_ = true;
    failure_ = failure;
    dropped.swap(waiting_);
    for (const auto& [address, weak] : outputs_) {
      if (auto output = weak.lock()) outputs.push_back(std::move(output));
    }
  }
  for (const auto& output : outputs) output->OnFailed(failure);
  outputs.clear();
  // The last reference may be this one; nothing of this object is touched after `self` goes.
  const std::shared_ptr<PeerStream> self = std::move(self_);
  MutexLock lock(mutex_);
  done_ = true;
  done_changed_.NotifyAll();
}

std::shared_ptr<RemoteOutputChannel> RemoteOutputChannel::Connect(
    ChannelAddress address, int64_t window_bytes, std::shared_ptr<PeerStream> stream) {
  auto channel = std::make_shared<RemoteOutputChannel>(address, window_bytes, stream);
  stream->Attach(channel);
  return channel;
}

absl::Status RemoteOutputChannel::Send(StreamMessage message) {
  if (const auto* batch = std::get_if<Batch>(&message)) {
    MR_ASSIGN_OR_RETURN(const EncodedBatch encoded, encoder_.Encode(*batch));
    AddInFlight(encoded.body_size + kBatchOverheadBytes, batch->num_rows());
    Write(EncodeBatchFrames(address(), encoded));
    return absl::OkStatus();
  }
  std::vector<grpc::ByteBuffer> frames;
  frames.push_back(EncodeControlFrame(address(), message));
  Write(std::move(frames));
  return absl::OkStatus();
}

void RemoteOutputChannel::Write(std::vector<grpc::ByteBuffer> frames) {
  unwritten_frames_.fetch_add(static_cast<int64_t>(frames.size()));
  stream_->Write(std::move(frames), weak_from_this());
}

void RemoteOutputChannel::OnFrameWritten() {
  if (unwritten_frames_.fetch_sub(1) == 1) WakeProducer();
}

}  // namespace millrace
