#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/exchange/batch_codec.h"
#include "worker/exchange/channel_address.h"
#include "worker/runtime/stream_message.h"

namespace grpc {
class ByteBuffer;
}  // namespace grpc

namespace millrace {

// ExchangeFrames on the wire. What is written here is what protobuf would write, so any protobuf
// reader understands it; the bodies of batches, however, are taken from the arrays' own memory and
// are received into the memory of the new arrays.

inline constexpr int64_t kChunkBytes = int64_t{1} << 20;

// The first frame of a stream.
grpc::ByteBuffer EncodeHelloFrame(uint32_t sender_worker);
// A watermark, barrier or end.
grpc::ByteBuffer EncodeControlFrame(const ChannelAddress& channel, const StreamMessage& message);
// A batch, in frames of at most kChunkBytes of body.
std::vector<grpc::ByteBuffer> EncodeBatchFrames(const ChannelAddress& channel,
                                                const EncodedBatch& batch);
// A ResultChunk with an IPC message.
grpc::ByteBuffer EncodeResultChunk(const IpcMessageParts& message, uint64_t rows);

// What a frame brought.
struct ReceivedFrame {
  // 0 = not a hello.
  uint32_t sender_worker = 0;
  std::optional<ChannelAddress> channel;
  // Absent for chunks that do not complete a batch, for a hello, and for channels that are not
  // known.
  std::optional<StreamMessage> message;
  // What a batch costs of the channel's credit.
  int64_t credit_bytes = 0;
};

// The decoder of a channel; null if the channel is not known, then the frame's content is skipped.
using FindDecoder = std::function<BatchDecoder*(const ChannelAddress&)>;

// 08P01 if the frame is damaged.
absl::StatusOr<ReceivedFrame> DecodeFrame(grpc::ByteBuffer& frame, const FindDecoder& find_decoder);

}  // namespace millrace
