#include "coordinator/gather/result_gather.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "millrace/v1/data.grpc.pb.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using Progress = ResultGather::Progress;

// A worker whose root tasks give a schema and then some chunks of one row; task 9 fails after its
// first chunk, task 8 never ends.
class FakeDataService final : public v1::DataService::Service {
 public:
  grpc::Status FetchResult(grpc::ServerContext* context, const v1::FetchResultRequest* request,
                           grpc::ServerWriter<v1::ResultChunk>* writer) override {
    v1::ResultChunk chunk;
    chunk.set_ipc_message("schema");
    writer->Write(chunk);
    for (int i = 0; i < chunks_per_task; ++i) {
      chunk.set_ipc_message(absl::StrCat("task", request->task_index(), "-", i));
      chunk.set_rows(1);
      if (!writer->Write(chunk)) break;
    }
    if (request->task_index() == 9) {
      v1::ResultChunk failed;
      ToProto(MakeError(SqlState::kDivisionByZero, "division by zero"), failed.mutable_error());
      writer->Write(failed);
    }
    while (request->task_index() == 8 && !context->IsCancelled()) {
      std::this_thread::yield();
    }
    return grpc::Status::OK;
  }
  int chunks_per_task = 2;
};

class ResultGatherTest : public ::testing::Test {
 protected:
  ResultGatherTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~ResultGatherTest() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::vector<ResultTask> Tasks(const std::vector<uint32_t>& indices) const {
    std::vector<ResultTask> tasks;
    for (uint32_t index : indices) tasks.push_back({1, 1, 0, index, address_});
    return tasks;
  }

  // Everything until the end.
  static std::vector<std::string> Drain(ResultGather& gather, absl::Status* error) {
    std::vector<std::string> messages;
    while (true) {
      v1::ResultChunk chunk;
      const auto progress = gather.Next(std::chrono::milliseconds(10'000), &chunk);
      if (!progress.ok()) *error = progress.status();
      if (!progress.ok() || *progress != Progress::kChunk) return messages;
      messages.push_back(chunk.ipc_message());
    }
  }

  FakeDataService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  WorkerChannels channels_;
};

TEST_F(ResultGatherTest, ChunksOfOneTaskKeepTheirOrder) {
  absl::Status error;
  ResultGather gather(channels_, Tasks({3}));
  EXPECT_THAT(Drain(gather, &error), ElementsAre("schema", "task3-0", "task3-1"));
  EXPECT_TRUE(error.ok()) << error;
}

TEST_F(ResultGatherTest, ManyTasksGiveOneSchema) {
  absl::Status error;
  ResultGather gather(channels_, Tasks({0, 1, 2}));
  const auto messages = Drain(gather, &error);
  EXPECT_TRUE(error.ok()) << error;
  EXPECT_EQ(messages[0], "schema");
  EXPECT_THAT(messages, UnorderedElementsAre("schema", "task0-0", "task0-1", "task1-0", "task1-1",
                                             "task2-0", "task2-1"));
}

TEST_F(ResultGatherTest, ErrorOfATaskIsReported) {
  absl::Status error;
  ResultGather gather(channels_, Tasks({9}));
  Drain(gather, &error);
  EXPECT_EQ(GetErrorDetail(error).state, SqlState::kDivisionByZero);
}

TEST_F(ResultGatherTest, NothingComesFromATaskThatDoesNotEnd) {
  service_.chunks_per_task = 0;
  ResultGather gather(channels_, Tasks({8}));
  v1::ResultChunk chunk;
  EXPECT_EQ(*gather.Next(std::chrono::milliseconds(10'000), &chunk), Progress::kChunk);
  EXPECT_EQ(*gather.Next(std::chrono::milliseconds(1), &chunk), Progress::kNothingYet);
}

TEST_F(ResultGatherTest, LeavingInTheMiddleEndsTheCalls) {
  service_.chunks_per_task = 1000;
  ResultGather gather(channels_, Tasks({0, 1, 8}));
  v1::ResultChunk chunk;
  EXPECT_EQ(*gather.Next(std::chrono::milliseconds(10'000), &chunk), Progress::kChunk);
}

TEST_F(ResultGatherTest, UnreachableWorkerIsARetryableError) {
  absl::Status error;
  ResultGather gather(channels_, {{1, 1, 0, 0, "127.0.0.1:1"}});
  Drain(gather, &error);
  EXPECT_EQ(GetErrorDetail(error).state, SqlState::kConnectionFailure);
}

}  // namespace
}  // namespace millrace
