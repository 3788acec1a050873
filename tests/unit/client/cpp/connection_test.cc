#include "millrace/connection.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "common/types/sql_type.h"
#include "millrace/v1/cluster_service.grpc.pb.h"
#include "millrace/v1/job_service.grpc.pb.h"
#include "millrace/v1/sql_service.grpc.pb.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

grpc::Status Broken() { return {grpc::StatusCode::UNAVAILABLE, "the connection broke"}; }

// Answers calls as a test wants, and remembers what it was asked.
class FakeCoordinator final : public v1::SqlService::Service {
 public:
  grpc::Status Execute(grpc::ServerContext* context, const v1::ExecuteRequest* request,
                       grpc::ServerWriter<v1::ExecuteResponse>* out) override {
    {
      MutexLock lock(mutex_);
      requests_.push_back(*request);
      if (failures_ > 0) {
        --failures_;
        return Broken();
      }
    }
    if (request->sql() == "hang") {
      while (!context->IsCancelled()) std::this_thread::yield();
      return grpc::Status::CANCELLED;
    }
    v1::ExecuteResponse start;
    start.mutable_statement_start();
    out->Write(start);
    if (request->sql() == "SET") {
      v1::ExecuteResponse changed;
      changed.mutable_setting_changed()->set_name("parallelism");
      changed.mutable_setting_changed()->set_value("3");
      out->Write(changed);
    }
    for (int i = 0; i < ResultSets(request->sql()); ++i) WriteRows(out);
    if (request->sql() == "late error") {
      return ToGrpcStatus(MakeError(SqlState::kDivisionByZero, "division by zero"));
    }
    v1::ExecuteResponse notice;
    notice.mutable_notice()->set_message("by the way");
    out->Write(notice);
    v1::ExecuteResponse end;
    end.mutable_statement_end()->set_tag("SELECT");
    end.mutable_statement_end()->set_rows(3);
    out->Write(end);
    return grpc::Status::OK;
  }

  void FailNext(int calls) {
    MutexLock lock(mutex_);
    failures_ = calls;
  }
  std::vector<v1::ExecuteRequest> requests() const {
    MutexLock lock(mutex_);
    return requests_;
  }

 private:
  static int ResultSets(const std::string& sql) {
    if (sql == "two results") return 2;
    return sql == "rows" || sql == "late error" ? 1 : 0;
  }

  static void WriteRows(grpc::ServerWriter<v1::ExecuteResponse>* out) {
    v1::ExecuteResponse schema;
    v1::Field* field = schema.mutable_schema()->mutable_schema()->add_fields();
    field->set_name("a");
    field->mutable_type()->set_id(v1::TYPE_ID_INT64);
    out->Write(schema);
    for (const std::vector<int64_t>& values :
         {std::vector<int64_t>{1, 2}, std::vector<int64_t>{}, std::vector<int64_t>{3}}) {
      arrow::Int64Builder builder;
      EXPECT_TRUE(builder.AppendValues(values).ok());
      auto batch =
          arrow::RecordBatch::Make(ToArrowSchema({{"a", SqlType::Of(TypeId::kInt64)}}),
                                   static_cast<int64_t>(values.size()), {*builder.Finish()});
      v1::ExecuteResponse message;
      message.mutable_batch()->set_ipc_message(
          (*arrow::ipc::SerializeRecordBatch(*batch, arrow::ipc::IpcWriteOptions::Defaults()))
              ->ToString());
      message.mutable_batch()->set_rows(values.size());
      out->Write(message);
    }
  }

  mutable Mutex mutex_;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<v1::ExecuteRequest> requests_ ABSL_GUARDED_BY(mutex_);
};

class FakeJobs final : public v1::JobService::Service {
 public:
  grpc::Status Submit(grpc::ServerContext*, const v1::SubmitJobRequest* request,
                      v1::SubmitJobResponse* response) override {
    ids.insert(request->request_id());
    if (++calls < 3) return Broken();
    response->set_job_id("9");
    return grpc::Status::OK;
  }
  grpc::Status Restart(grpc::ServerContext*, const v1::RestartJobRequest* request,
                       v1::RestartJobResponse* response) override {
    ids.insert(request->request_id());
    if (++calls < 3) return Broken();
    response->set_restored_epoch(request->checkpoint_epoch());
    return grpc::Status::OK;
  }
  // The stream breaks after each status.
  grpc::Status Watch(grpc::ServerContext*, const v1::WatchJobRequest*,
                     grpc::ServerWriter<v1::WatchJobResponse>* out) override {
    v1::WatchJobResponse response;
    response.mutable_status()->set_state(++watched < 4 ? v1::JOB_STATE_RUNNING
                                                       : v1::JOB_STATE_FINISHED);
    out->Write(response);
    return watched < 4 ? Broken() : grpc::Status::OK;
  }

  int calls = 0;
  int watched = 0;
  std::set<std::string> ids;
};

class FakeCluster final : public v1::ClusterService::Service {
 public:
  grpc::Status GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*,
                          v1::GetVersionResponse* response) override {
    response->set_version("1.2.3");
    return grpc::Status::OK;
  }
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() : server_(Serve({&sql_, &jobs_, &cluster_})) {
    auto opened = Connection::Open({.server = absl::StrCat("127.0.0.1:", port_)});
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    if (opened.ok()) connection_ = *std::move(opened);
  }
  ~ConnectionTest() override {
    connection_.reset();
    if (server_ != nullptr) server_->Shutdown();
  }
  // On the port that the first one got.
  std::unique_ptr<grpc::Server> Serve(const std::vector<grpc::Service*>& services) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port_), grpc::InsecureServerCredentials(),
                             &port_);
    for (grpc::Service* service : services) builder.RegisterService(service);
    return builder.BuildAndStart();
  }

  int port_ = 0;
  FakeCoordinator sql_;
  FakeJobs jobs_;
  FakeCluster cluster_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, ReadsBatchesToTheEnd) {
  EXPECT_EQ(connection_->server_version(), "1.2.3");
  auto rows = connection_->Query("rows");
  ASSERT_TRUE(rows.ok()) << rows.error().ToString();
  EXPECT_EQ((*rows)->schema()->field(0)->name(), "a");
  std::vector<int64_t> values;
  while (true) {
    auto batch = (*rows)->Next();
    ASSERT_TRUE(batch.ok()) << batch.error().ToString();
    if (*batch == nullptr) break;
    EXPECT_GT((*batch)->num_rows(), 0);
    const auto& column = static_cast<const arrow::Int64Array&>(*(*batch)->column(0));
    for (int64_t row = 0; row < column.length(); ++row) values.push_back(column.Value(row));
  }
  EXPECT_EQ(values, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ((*rows)->Next().value(), nullptr) << "the end stays the end";
  ASSERT_EQ((*rows)->notices().size(), 1);
  EXPECT_EQ((*rows)->notices()[0].message, "by the way");
}

TEST_F(ConnectionTest, ACallIsBroughtOverARestartOfTheServer) {
  server_->Shutdown();
  server_.reset();
  FakeCoordinator again;
  std::thread restart([&] {
    // Nobody is there for a while.
    const auto visitor =
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_), grpc::InsecureChannelCredentials());
    EXPECT_FALSE(visitor->WaitForConnected(std::chrono::system_clock::now() + milliseconds(700)));
    server_ = Serve({&again});
  });
  const auto outcomes = connection_->Run("CREATE");
  restart.join();
  ASSERT_NE(server_, nullptr) << "somebody has taken the port";
  EXPECT_TRUE(outcomes.ok()) << outcomes.error().ToString();
  EXPECT_EQ(again.requests().size(), 1);
  // It ends before what it serves.
  server_->Shutdown();
  server_.reset();
}

TEST_F(ConnectionTest, ABrokenCallIsSentAgainUnderTheSameId) {
  sql_.FailNext(2);
  const auto outcomes = connection_->Run("CREATE");
  ASSERT_TRUE(outcomes.ok()) << outcomes.error().ToString();
  ASSERT_EQ(outcomes->size(), 1);
  EXPECT_EQ(outcomes->front().tag, "SELECT");
  const auto requests = sql_.requests();
  ASSERT_EQ(requests.size(), 3);
  EXPECT_FALSE(requests[0].request_id().empty());
  EXPECT_EQ(requests[0].request_id(), requests[2].request_id());
  ASSERT_TRUE(connection_->Run("CREATE").ok());
  EXPECT_NE(sql_.requests().back().request_id(), requests[0].request_id());
}

TEST_F(ConnectionTest, ErrorsBehindTheFirstRowsAreNotTriedAgain) {
  auto rows = connection_->Query("late error");
  ASSERT_TRUE(rows.ok());
  Result<std::shared_ptr<arrow::RecordBatch>> batch = (*rows)->Next();
  while (batch.ok() && *batch != nullptr) batch = (*rows)->Next();
  ASSERT_FALSE(batch.ok());
  EXPECT_EQ(batch.error().sqlstate, "22012");
  EXPECT_EQ((*rows)->Next().error().sqlstate, "22012");
  EXPECT_EQ(sql_.requests().size(), 1);
}

TEST_F(ConnectionTest, SeveralResultSetsAreRefused) {
  auto rows = connection_->Query("two results");
  ASSERT_TRUE(rows.ok());
  Result<std::shared_ptr<arrow::RecordBatch>> batch = (*rows)->Next();
  while (batch.ok() && *batch != nullptr) batch = (*rows)->Next();
  ASSERT_FALSE(batch.ok());
  EXPECT_EQ(batch.error().sqlstate, "0A000");
}

TEST_F(ConnectionTest, SettingsAreSentWithLaterCalls) {
  ASSERT_TRUE(connection_->Run("SET").ok());
  ASSERT_TRUE(connection_->Run("CREATE").ok());
  EXPECT_EQ(sql_.requests().back().settings().at("parallelism"), "3");
  ASSERT_TRUE(connection_->Run("CREATE", {.settings = {{"parallelism", "5"}}}).ok());
  EXPECT_EQ(sql_.requests().back().settings().at("parallelism"), "5");
}

TEST_F(ConnectionTest, ACallHasADeadline) {
  const auto run = connection_->Run("hang", {.timeout = milliseconds(50)});
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().sqlstate, "57014");
}

TEST_F(ConnectionTest, AnotherThreadCanCancelAStream) {
  auto rows = connection_->Query("rows");
  ASSERT_TRUE(rows.ok());
  std::thread other([&] { (*rows)->Cancel(); });
  other.join();
  Result<std::shared_ptr<arrow::RecordBatch>> batch = (*rows)->Next();
  while (batch.ok() && *batch != nullptr) batch = (*rows)->Next();
  // All may have come before the cancellation.
  if (!batch.ok()) {
    EXPECT_EQ(batch.error().sqlstate, "57014");
  }
}

TEST_F(ConnectionTest, ASubmissionIsSentAgainUnderTheSameId) {
  const auto id = connection_->SubmitJob("SELECT 1");
  ASSERT_TRUE(id.ok()) << id.error().ToString();
  EXPECT_EQ(*id, "9");
  EXPECT_EQ(jobs_.calls, 3);
  EXPECT_EQ(jobs_.ids.size(), 1);
}

TEST_F(ConnectionTest, ARestartIsSentAgainUnderTheSameId) {
  const auto epoch = connection_->RestartJob("9", {.checkpoint_epoch = 40});
  ASSERT_TRUE(epoch.ok()) << epoch.error().ToString();
  EXPECT_EQ(*epoch, 40);
  EXPECT_EQ(jobs_.calls, 3);
  EXPECT_EQ(jobs_.ids.size(), 1);
}

TEST_F(ConnectionTest, AWatchGoesOnWhenItBreaks) {
  const auto last = connection_->WaitForJob("9");
  ASSERT_TRUE(last.ok()) << last.error().ToString();
  EXPECT_EQ(last->state, JobState::kFinished);
  EXPECT_EQ(jobs_.watched, 4);
}

TEST_F(ConnectionTest, TextThatIsNoUtf8IsRefusedHere) {
  EXPECT_EQ(connection_->Run("SELECT '\xe9'").error().sqlstate, "22021");
  EXPECT_TRUE(sql_.requests().empty());
}

TEST(ConnectionOpenTest, WhatIsNoAddressIsRefusedAtOnce) {
  for (const char* server : {"x", "127.0.0.1", ":99999", "a b:1", "http://127.0.0.1:1", "h:0"}) {
    const auto opened = Connection::Open({.server = server});
    ASSERT_FALSE(opened.ok()) << server;
    EXPECT_EQ(opened.error().sqlstate, "22023") << server;
    EXPECT_FALSE(opened.error().retry_safe) << server;
  }
}

TEST(ConnectionOpenTest, NobodyThereIsAnError) {
  const auto opened =
      Connection::Open({.server = "127.0.0.1:1", .connect_timeout = milliseconds(100)});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().sqlstate, "08006");
  EXPECT_TRUE(opened.error().retry_safe);
}

}  // namespace
}  // namespace millrace
