#include "client/cpp/client.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "client/cpp/result_decoder.h"
#include "common/base/status.h"
#include "millrace/v1/cluster_service.pb.h"
#include "millrace/v1/sql_service.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

v1::ResultSchema OneBigint() {
  v1::ResultSchema schema;
  v1::Field* field = schema.mutable_schema()->add_fields();
  field->set_name("a");
  field->mutable_type()->set_id(v1::TYPE_ID_INT64);
  return schema;
}

v1::ResultBatch EncodedRows(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  auto batch = arrow::RecordBatch::Make(ToArrowSchema({{"a", SqlType::Of(TypeId::kInt64)}}),
                                        static_cast<int64_t>(values.size()), {*builder.Finish()});
  auto buffer = *arrow::ipc::SerializeRecordBatch(*batch, arrow::ipc::IpcWriteOptions::Defaults());
  v1::ResultBatch message;
  message.set_ipc_message(buffer->ToString());
  return message;
}

TEST(ResultDecoderTest, DecodesRows) {
  ResultDecoder decoder;
  ASSERT_TRUE(decoder.SetSchema(OneBigint()).ok());
  auto batch = decoder.Decode(EncodedRows({1, 2, 3}));
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ((*batch)->num_rows(), 3);
}

TEST(ResultDecoderTest, RefusesRowsBeforeASchema) {
  EXPECT_EQ(GetErrorDetail(ResultDecoder().Decode(EncodedRows({1})).status()).state,
            SqlState::kProtocolViolation);
}

TEST(ResultDecoderTest, RefusesWhatIsNoBatch) {
  ResultDecoder decoder;
  ASSERT_TRUE(decoder.SetSchema(OneBigint()).ok());
  v1::ResultBatch message;
  EXPECT_FALSE(decoder.Decode(message).ok());
  message.set_ipc_message(std::string(64, 'x'));
  EXPECT_FALSE(decoder.Decode(message).ok());
}

TEST(ClientTest, SaysWhereItCouldNotConnect) {
  auto client = Client::Connect({.server = "127.0.0.1:1", .connect_timeout_ms = 2000});
  EXPECT_EQ(GetErrorDetail(client.status()).state, SqlState::kConnectionFailure);
  EXPECT_NE(client.status().message().find("127.0.0.1:1"), absl::string_view::npos);
}

TEST(CancelTokenTest, IsSticky) {
  CancelToken token;
  EXPECT_FALSE(token.cancelled());
  token.Cancel();
  token.Cancel();
  EXPECT_TRUE(token.cancelled());
}

}  // namespace
}  // namespace millrace
