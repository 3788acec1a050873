#include "worker/exchange/frame_codec.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <gmock/gmock.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "millrace/v1/data.pb.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

const ChannelAddress kAddress{7, 2, 3, 4, 5};

std::string BytesOf(const grpc::ByteBuffer& frame) {
  grpc::Slice slice;
  EXPECT_TRUE(frame.DumpToSingleSlice(&slice).ok());
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

grpc::ByteBuffer FromBytes(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

// Encodes and decodes over one channel.
class Wire {
 public:
  Batch Send(const Batch& batch) {
    auto encoded = encoder_.Encode(batch);
    EXPECT_TRUE(encoded.ok()) << encoded.status();
    auto frames = EncodeBatchFrames(kAddress, *encoded);
    num_frames = frames.size();
    for (size_t i = 0; i < frames.size(); ++i) {
      auto received = DecodeFrame(frames[i], [&](const ChannelAddress&) { return &decoder_; });
      EXPECT_TRUE(received.ok()) << received.status();
      if (!received.ok()) break;
      EXPECT_EQ(received->channel, kAddress);
      EXPECT_EQ(received->message.has_value(), i + 1 == frames.size());
      if (received->message.has_value()) return std::get<Batch>(*received->message);
    }
    return {};
  }

  size_t num_frames = 0;

 private:
  BatchEncoder encoder_;
  BatchDecoder decoder_;
};

TEST(FrameCodecTest, BatchesKeepTheirRows) {
  const Schema schema = TextSchema("int8 k, text s, numeric(2) n, bool b, date d");
  Wire wire;
  const Batch batch =
      TextBatch("1 one 1.25 t 3 | null null null null null | 3 '' -7.00 f 0", schema);
  EXPECT_EQ(RowsOf(wire.Send(batch)), RowsOf(batch));
  // A slice sends its own rows only; the schema went with the first batch.
  EXPECT_EQ(RowsOf(wire.Send(batch.Slice(1, 2))), RowsOf(batch.Slice(1, 2)));
  EXPECT_EQ(RowsOf(wire.Send(batch.Slice(0, 0))), RowsOf(batch.Slice(0, 0)));
}

TEST(FrameCodecTest, WeightsMayComeAndGo) {
  const Schema schema = TextSchema("int8 k");
  Wire wire;
  EXPECT_THAT(RowsOf(wire.Send(TextBatch("1", schema))), ElementsAre("1"));
  EXPECT_THAT(RowsOf(wire.Send(TextBatch("+ 1 | -2 2", schema))), ElementsAre("+1 1", "-2 2"));
  EXPECT_THAT(RowsOf(wire.Send(TextBatch("3", schema))), ElementsAre("3"));
}

TEST(FrameCodecTest, DictionariesArriveAsText) {
  const Schema schema = TextSchema("text s");
  Wire wire;
  const Batch received = wire.Send(TextBatchWithDictionaries("a | b | null | a", schema));
  EXPECT_EQ(received.column(0)->type_id(), arrow::Type::STRING);
  EXPECT_THAT(RowsOf(received), ElementsAre("a", "b", "null", "a"));
  EXPECT_THAT(RowsOf(wire.Send(TextBatch("c", schema))), ElementsAre("c"));
}

TEST(FrameCodecTest, BatchesWithoutColumns) {
  Wire wire;
  EXPECT_EQ(wire.Send(Batch({}, 5)).num_rows(), 5);
}

TEST(FrameCodecTest, BigBatchesTravelInChunks) {
  std::vector<int64_t> values(500'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i * i);
  const auto length = static_cast<int64_t>(values.size());
  const Batch batch(
      {std::make_shared<arrow::Int64Array>(length, arrow::Buffer::FromVector(std::move(values)))},
      length);
  Wire wire;
  const Batch received = wire.Send(batch);
  EXPECT_EQ(wire.num_frames, 4);
  EXPECT_TRUE(received.column(0)->Equals(*batch.column(0)));
}

TEST(FrameCodecTest, DecimalsAreAlignedForVectorCode) {
  const Schema schema = TextSchema("int2 a, numeric(2) n");
  Wire wire;
  const Batch received = wire.Send(TextBatch("1 1.00 | 2 2.00 | 3 3.00", schema));
  EXPECT_EQ(received.column(1)->data()->buffers[1]->address() % 16, 0);
}

TEST(FrameCodecTest, ProtobufReadsTheFrames) {
  BatchEncoder encoder;
  auto encoded = encoder.Encode(TextBatch("1 abc", TextSchema("int8 k, text s")));
  ASSERT_OK(encoded);
  const auto frames = EncodeBatchFrames(kAddress, *encoded);
  v1::ExchangeFrame frame;
  ASSERT_TRUE(frame.ParseFromString(BytesOf(frames[0])));
  EXPECT_EQ(frame.channel().job_id(), 7);
  EXPECT_EQ(frame.batch().body_size(), frame.batch().body().size());
  EXPECT_FALSE(frame.batch().ipc_schema().empty());
}

TEST(FrameCodecTest, ControlMessages) {
  const auto decode = [](grpc::ByteBuffer frame) {
    auto received = DecodeFrame(frame, [](const ChannelAddress&) { return nullptr; });
    EXPECT_TRUE(received.ok()) << received.status();
    return *received;
  };
  EXPECT_EQ(decode(EncodeHelloFrame(9)).sender_worker, 9);
  const auto watermark = decode(EncodeControlFrame(kAddress, Watermark{-5}));
  EXPECT_EQ(std::get<Watermark>(*watermark.message).micros, -5);
  EXPECT_EQ(watermark.channel, kAddress);
  const auto barrier =
      decode(EncodeControlFrame(kAddress, Barrier{.epoch = 3, .checkpoint = true, .final = false}));
  EXPECT_EQ(std::get<Barrier>(*barrier.message).epoch, 3);
  EXPECT_TRUE(std::get<Barrier>(*barrier.message).checkpoint);
  const auto end = decode(EncodeControlFrame(kAddress, EndOfStream()));
  EXPECT_TRUE(std::holds_alternative<EndOfStream>(*end.message));
}

TEST(FrameCodecTest, SkipsBatchesOfUnknownChannels) {
  BatchEncoder encoder;
  auto encoded = encoder.Encode(TextBatch("1", TextSchema("int8 k")));
  ASSERT_OK(encoded);
  auto frames = EncodeBatchFrames(kAddress, *encoded);
  auto received = DecodeFrame(frames[0], [](const ChannelAddress&) { return nullptr; });
  ASSERT_OK(received);
  EXPECT_FALSE(received->message.has_value());
}

TEST(FrameCodecTest, EveryCutFrameIsRefused) {
  BatchEncoder encoder;
  auto encoded = encoder.Encode(TextBatch("1 abc", TextSchema("int8 k, text s")));
  ASSERT_OK(encoded);
  const std::string bytes = BytesOf(EncodeBatchFrames(kAddress, *encoded)[0]);
  for (size_t length = 1; length < bytes.size(); ++length) {
    SCOPED_TRACE(length);
    BatchDecoder decoder;
    grpc::ByteBuffer cut = FromBytes(bytes.substr(0, length));
    auto received = DecodeFrame(cut, [&](const ChannelAddress&) { return &decoder; });
    // A cut behind a whole field is a smaller frame without a batch.
    EXPECT_FALSE(received.ok() && received->message.has_value());
  }
}

TEST(FrameCodecTest, RefusesChunksOutOfOrder) {
  BatchDecoder decoder;
  BatchDecoder::ChunkHeader header;
  header.body_offset = 8;
  header.body_size = 16;
  EXPECT_ERROR(decoder.BeginChunk(header, 8), SqlState::kProtocolViolation, "middle");
  header.body_offset = 0;
  EXPECT_ERROR(decoder.BeginChunk(header, 8), SqlState::kProtocolViolation, "schema");
}

TEST(FrameCodecTest, RefusesColumnsThatChange) {
  BatchEncoder encoder;
  ASSERT_OK(encoder.Encode(TextBatch("1", TextSchema("int8 k"))));
  EXPECT_ERROR(encoder.Encode(TextBatch("1", TextSchema("int4 k"))), SqlState::kInternalError,
               "changed");
}

}  // namespace
}  // namespace millrace
