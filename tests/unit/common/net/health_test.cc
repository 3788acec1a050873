#include "common/net/health.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "gtest/gtest.h"
#include "millrace/v1/cluster_service.grpc.pb.h"

namespace millrace {
namespace {

constexpr int64_t kTimeoutMs = 30'000;

class HealthTest : public ::testing::Test {
 protected:
  HealthTest() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~HealthTest() override { server_->Shutdown(); }

  // A server needs one of its own.
  v1::ClusterService::CallbackService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_F(HealthTest, ServiceIsWhatWasSetLast) {
  SetServing(*server_, {"a.B"}, Serving::kNo);
  EXPECT_EQ(*AskServing(address_, "a.B", kTimeoutMs), Serving::kNo);
  SetServing(*server_, {"a.B"}, Serving::kYes);
  EXPECT_EQ(*AskServing(address_, "a.B", kTimeoutMs), Serving::kYes);
}

TEST_F(HealthTest, ServerAsAWholeServesUntilItEnds) {
  EXPECT_EQ(*AskServing(address_, "", kTimeoutMs), Serving::kYes);
  SetServing(*server_, {"a.B"}, Serving::kYes);
  EndServing(*server_);
  EXPECT_EQ(*AskServing(address_, "", kTimeoutMs), Serving::kNo);
  EXPECT_EQ(*AskServing(address_, "a.B", kTimeoutMs), Serving::kNo);
}

TEST_F(HealthTest, UnknownServiceIsNotFound) {
  EXPECT_EQ(GetErrorDetail(AskServing(address_, "no.Such", kTimeoutMs).status()).state,
            SqlState::kUndefinedObject);
}

TEST_F(HealthTest, NobodyThereIsAConnectionError) {
  EXPECT_EQ(GetErrorDetail(AskServing("127.0.0.1:1", "", kTimeoutMs).status()).state,
            SqlState::kConnectionFailure);
}

}  // namespace
}  // namespace millrace
