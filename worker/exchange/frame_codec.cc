#include "worker/exchange/frame_codec.h"

#include <arrow/buffer.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/data.pb.h"
#include "worker/exchange/output_channel.h"

namespace millrace {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

using BufferPtr = std::shared_ptr<arrow::Buffer>;

// Bytes [begin, begin + size) of a buffer as a slice that keeps the buffer alive.
grpc::Slice BufferSlice(const BufferPtr& buffer, int64_t begin, int64_t size) {
  auto* held = new BufferPtr(buffer);
  return grpc::Slice(
      const_cast<uint8_t*>(buffer->data() + begin), static_cast<size_t>(size),
      [](void* user) { delete static_cast<BufferPtr*>(user); }, held);
}

void AppendTag(std::string* out, int field, WireFormatLite::WireType type) {
  uint8_t bytes[10];
  uint8_t* end =
      CodedOutputStream::WriteVarint32ToArray(WireFormatLite::MakeTag(field, type), bytes);
  out->append(reinterpret_cast<char*>(bytes), static_cast<size_t>(end - bytes));
}

void AppendVarint(std::string* out, uint64_t value) {
  uint8_t bytes[10];
  uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, bytes);
  out->append(reinterpret_cast<char*>(bytes), static_cast<size_t>(end - bytes));
}

grpc::ByteBuffer ToByteBuffer(const v1::ExchangeFrame& frame) {
  const grpc::Slice slice(frame.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// Walks over the parts of a body.
class BodyCursor {
 public:
  explicit BodyCursor(const std::vector<BufferPtr>& parts) : parts_(parts) {}

  // Appends the next `size` bytes as slices.
  void Take(int64_t size, std::vector<grpc::Slice>* slices) {
    while (size > 0) {
      const BufferPtr& part = parts_[part_];
      const int64_t piece = std::min(size, part->size() - offset_);
      if (piece > 0) slices->push_back(BufferSlice(part, offset_, piece));
      size -= piece;
      offset_ += piece;
      if (offset_ == part->size()) {
        ++part_;
        offset_ = 0;
      }
    }
  }

 private:
  const std::vector<BufferPtr>& parts_;
  size_t part_ = 0;
  int64_t offset_ = 0;
};

absl::Status Damaged(absl::string_view what) {
  return MakeError(SqlState::kProtocolViolation, absl::StrCat("damaged exchange frame: ", what));
}

bool ReadString(CodedInputStream& in, std::string* out) {
  uint32_t size = 0;
  return in.ReadVarint32(&size) && in.ReadString(out, static_cast<int>(size));
}

// A BatchFrame; `decoder` null = skip it. The body must be the last field, as EncodeBatchFrames
// writes it.
absl::Status ReadBatchFrame(CodedInputStream& in, BatchDecoder* decoder, ReceivedFrame* out) {
  BatchDecoder::ChunkHeader header;
  uint64_t body_bytes = 0;
  while (const uint32_t tag = in.ReadTag()) {
    uint64_t number = 0;
    bool ok = true;
    switch (WireFormatLite::GetTagFieldNumber(tag)) {
      case v1::BatchFrame::kIpcSchemaFieldNumber:
        ok = ReadString(in, &header.schema);
        break;
      case v1::BatchFrame::kIpcMetadataFieldNumber:
        ok = ReadString(in, &header.metadata);
        break;
      case v1::BatchFrame::kBodyOffsetFieldNumber:
        ok = in.ReadVarint64(&header.body_offset);
        break;
      case v1::BatchFrame::kBodySizeFieldNumber:
        ok = in.ReadVarint64(&header.body_size);
        break;
      case v1::BatchFrame::kHasWeightsFieldNumber:
        ok = in.ReadVarint64(&number);
        header.has_weights = number != 0;
        break;
      case v1::BatchFrame::kBodyFieldNumber: {
        ok = in.ReadVarint64(&body_bytes) &&
             static_cast<int64_t>(body_bytes) == in.BytesUntilLimit();
        if (!ok) break;
        if (decoder == nullptr) return absl::OkStatus();
        const auto body_size = static_cast<int64_t>(header.body_size);
        MR_ASSIGN_OR_RETURN(uint8_t* target, decoder->BeginChunk(std::move(header), body_bytes));
        if (!in.ReadRaw(target, static_cast<int>(body_bytes))) return Damaged("too short");
        MR_ASSIGN_OR_RETURN(std::optional<Batch> batch, decoder->EndChunk());
        if (batch.has_value()) {
          out->message = *std::move(batch);
          out->credit_bytes = body_size + kBatchOverheadBytes;
        }
        return absl::OkStatus();
      }
      default:
        ok = WireFormatLite::SkipField(&in, tag);
    }
    if (!ok) return Damaged("a batch");
  }
  return Damaged("a batch without a body");
}

absl::Status ReadBarrier(CodedInputStream& in, ReceivedFrame* out) {
  v1::BarrierFrame proto;
  if (!proto.ParseFromCodedStream(&in)) return Damaged("a barrier");
  out->message = Barrier{proto.epoch(), proto.checkpoint(), proto.final()};
  return absl::OkStatus();
}

// One field of a frame.
absl::Status ReadField(CodedInputStream& in, uint32_t tag, const FindDecoder& find_decoder,
                       BatchDecoder** decoder, ReceivedFrame* out) {
  const int field = WireFormatLite::GetTagFieldNumber(tag);
  const bool has_length =
      WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
  uint32_t length = 0;
  uint64_t number = 0;
  if (has_length ? !in.ReadVarint32(&length) : !in.ReadVarint64(&number)) return Damaged("a field");
  if (has_length) {
    const auto limit = in.PushLimit(static_cast<int>(length));
    absl::Status status;
    if (field == v1::ExchangeFrame::kChannelFieldNumber) {
      v1::ChannelAddress address;
      if (!address.ParseFromCodedStream(&in)) return Damaged("an address");
      out->channel = FromProto(address);
      *decoder = find_decoder(*out->channel);
    } else if (field == v1::ExchangeFrame::kBatchFieldNumber) {
      status = ReadBatchFrame(in, *decoder, out);
    } else if (field == v1::ExchangeFrame::kBarrierFieldNumber) {
      status = ReadBarrier(in, out);
    }
    if (!status.ok()) return status;
    if (in.BytesUntilLimit() > 0 && !in.Skip(in.BytesUntilLimit())) return Damaged("too short");
    in.PopLimit(limit);
  } else if (field == v1::ExchangeFrame::kSenderWorkerIdFieldNumber) {
    out->sender_worker = static_cast<uint32_t>(number);
  } else if (field == v1::ExchangeFrame::kWatermarkMicrosFieldNumber) {
    out->message = Watermark{static_cast<int64_t>(number)};
  } else if (field == v1::ExchangeFrame::kEndFieldNumber) {
    out->message = EndOfStream();
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ByteBuffer EncodeHelloFrame(uint32_t sender_worker) {
  v1::ExchangeFrame frame;
  frame.set_sender_worker_id(sender_worker);
  return ToByteBuffer(frame);
}

grpc::ByteBuffer EncodeControlFrame(const ChannelAddress& channel, const StreamMessage& message) {
  v1::ExchangeFrame frame;
  ToProto(channel, frame.mutable_channel());
  if (const auto* watermark = std::get_if<Watermark>(&message)) {
    frame.set_watermark_micros(watermark->micros);
  } else if (const auto* barrier = std::get_if<Barrier>(&message)) {
    v1::BarrierFrame* to = frame.mutable_barrier();
    to->set_epoch(barrier->epoch);
    to->set_checkpoint(barrier->checkpoint);
    to->set_final(barrier->final);
  } else {
    MR_CHECK(std::holds_alternative<EndOfStream>(message));
    frame.set_end(true);
  }
  return ToByteBuffer(frame);
}

std::vector<grpc::ByteBuffer> EncodeBatchFrames(const ChannelAddress& channel,
                                                const EncodedBatch& batch) {
  v1::ExchangeFrame outer;
  ToProto(channel, outer.mutable_channel());
  const std::string outer_bytes = outer.SerializeAsString();
  std::vector<grpc::ByteBuffer> frames;
  BodyCursor cursor(batch.body);
  int64_t offset = 0;
  do {
    const int64_t size = std::min(kChunkBytes, batch.body_size - offset);
    v1::BatchFrame chunk;
    if (offset == 0) {
      if (batch.schema != nullptr) chunk.set_ipc_schema(batch.schema->ToString());
      chunk.set_ipc_metadata(batch.metadata->ToString());
      chunk.set_has_weights(batch.has_weights);
    }
    chunk.set_body_offset(static_cast<uint64_t>(offset));
    chunk.set_body_size(static_cast<uint64_t>(batch.body_size));
    std::string inner = chunk.SerializeAsString();
    AppendTag(&inner, v1::BatchFrame::kBodyFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
    AppendVarint(&inner, static_cast<uint64_t>(size));
    std::string header = outer_bytes;
    AppendTag(&header, v1::ExchangeFrame::kBatchFieldNumber,
              WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
    AppendVarint(&header, inner.size() + static_cast<uint64_t>(size));
    header += inner;
    std::vector<grpc::Slice> slices;
    slices.emplace_back(header);
    cursor.Take(size, &slices);
    frames.emplace_back(slices.data(), slices.size());
    offset += size;
  } while (offset < batch.body_size);
  return frames;
}

grpc::ByteBuffer EncodeResultChunk(const IpcMessageParts& message, uint64_t rows) {
  v1::ResultChunk chunk;
  chunk.set_rows(rows);
  std::string header = chunk.SerializeAsString();
  AppendTag(&header, v1::ResultChunk::kIpcMessageFieldNumber,
            WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  AppendVarint(&header, static_cast<uint64_t>(message.size));
  std::vector<grpc::Slice> slices;
  slices.emplace_back(header);
  BodyCursor(message.parts).Take(message.size, &slices);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::StatusOr<ReceivedFrame> DecodeFrame(grpc::ByteBuffer& frame,
                                          const FindDecoder& find_decoder) {
  grpc::ProtoBufferReader reader(&frame);
  CodedInputStream in(&reader);
  ReceivedFrame received;
  BatchDecoder* decoder = nullptr;
  while (const uint32_t tag = in.ReadTag()) {
    MR_RETURN_IF_ERROR(ReadField(in, tag, find_decoder, &decoder, &received));
  }
  if (!in.ConsumedEntireMessage()) return Damaged("too short");
  return received;
}

}  // namespace millrace
