#include "client/cpp/client.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/result_decoder.h"
#include "common/base/status.h"
#include "millrace/v1/cluster_service.grpc.pb.h"
#include "millrace/v1/job_service.grpc.pb.h"
#include "millrace/v1/sql_service.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

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

TEST(ClientTest, SaysThatAServerIsNotForClients) {
  v1::ClusterService::Service no_methods;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&no_methods);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto client = Client::Connect({.server = absl::StrCat("127.0.0.1:", port)});
  EXPECT_EQ(client.status().message(),
            absl::StrCat("127.0.0.1:", port, " is not a coordinator's port for clients"));
  const ErrorDetail detail = GetErrorDetail(client.status());
  EXPECT_EQ(detail.state, SqlState::kConnectionFailure);
  EXPECT_EQ(detail.retry, Retry::kNever);
  EXPECT_NE(detail.hint.find("listen"), std::string::npos);
}

class OneVersion final : public v1::ClusterService::Service {
 public:
  grpc::Status GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*,
                          v1::GetVersionResponse*) override {
    return grpc::Status::OK;
  }
};

// A coordinator that is away after each status.
class BreakingWatches final : public v1::JobService::Service {
 public:
  grpc::Status Watch(grpc::ServerContext*, const v1::WatchJobRequest*,
                     grpc::ServerWriter<v1::WatchJobResponse>* out) override {
    v1::WatchJobResponse response;
    response.mutable_status()->set_state(++calls < 3 ? v1::JOB_STATE_RUNNING
                                                     : v1::JOB_STATE_FINISHED);
    out->Write(response);
    return calls < 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone") : grpc::Status::OK;
  }
  std::atomic<int> calls = 0;
};

class WatchTest : public ::testing::Test {
 protected:
  WatchTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&cluster_);
    builder.RegisterService(&jobs_);
    server_ = builder.BuildAndStart();
    client_ = *Client::Connect({.server = absl::StrCat("127.0.0.1:", port)});
  }

  OneVersion cluster_;
  BreakingWatches jobs_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(WatchTest, GoesOnWhenTheCoordinatorIsBack) {
  std::vector<v1::JobState> states;
  const absl::Status watched = client_->WatchJob("1", [&](const v1::JobStatus& status) {
    states.push_back(status.state());
    return true;
  });
  EXPECT_TRUE(watched.ok()) << watched;
  EXPECT_THAT(states,
              ElementsAre(v1::JOB_STATE_RUNNING, v1::JOB_STATE_RUNNING, v1::JOB_STATE_FINISHED));
}

TEST_F(WatchTest, IsNotTriedAgainAfterItWasCancelled) {
  CancelToken cancel;
  const absl::Status watched = client_->WatchJob(
      "1",
      [&](const v1::JobStatus&) {
        cancel.Cancel();
        return true;
      },
      &cancel);
  EXPECT_FALSE(watched.ok());
  EXPECT_EQ(jobs_.calls, 1);
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
