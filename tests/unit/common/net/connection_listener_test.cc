#include "common/net/connection_listener.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "gtest/gtest.h"
#include "millrace/v1/cluster_service.grpc.pb.h"

namespace millrace {
namespace {

constexpr int kLimit = 3;
constexpr std::chrono::seconds kPatience(30);

class ConnectionListenerTest : public ::testing::Test {
 protected:
  ConnectionListenerTest() {
    auto listener = ConnectionListener::Open("127.0.0.1:0", kLimit);
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    grpc::ServerBuilder builder;
    listener_->AddTo(builder);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    listener_->Start();
  }
  ~ConnectionListenerTest() override {
    listener_->Stop();
    server_->Shutdown();
  }

  // A connection of its own: channels with the same arguments would share one.
  std::shared_ptr<grpc::Channel> Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 50);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", listener_->port()),
                                     grpc::InsecureChannelCredentials(), arguments);
  }

  // What a call over `channel` says: UNIMPLEMENTED comes from the service, UNAVAILABLE from nobody.
  static grpc::StatusCode Call(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::ListWorkersResponse response;
    return v1::ClusterService::NewStub(channel)
        ->ListWorkers(&context, v1::ListWorkersRequest(), &response)
        .error_code();
  }

  v1::ClusterService::CallbackService service_;
  std::unique_ptr<ConnectionListener> listener_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(ConnectionListenerTest, OneTooManyIsClosedAndThereIsRoomAgainWhenOneHasGone) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < kLimit; ++i) {
    channels.push_back(Connect());
    EXPECT_EQ(Call(channels.back()), grpc::StatusCode::UNIMPLEMENTED);
  }
  const std::shared_ptr<grpc::Channel> late = Connect();
  EXPECT_EQ(Call(late), grpc::StatusCode::UNAVAILABLE);
  EXPECT_GE(listener_->num_refused(), 1);
  // Those that are there are not touched by it.
  for (const auto& channel : channels) EXPECT_EQ(Call(channel), grpc::StatusCode::UNIMPLEMENTED);
  channels.pop_back();
  // The server notices the end of the connection in its own time.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  grpc::StatusCode code = grpc::StatusCode::UNAVAILABLE;
  while (code != grpc::StatusCode::UNIMPLEMENTED && std::chrono::steady_clock::now() < deadline) {
    code = Call(late);
  }
  EXPECT_EQ(code, grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ConnectionListenerTest, ManyConnectionsOneAfterTheOtherNeverFillIt) {
  for (int i = 0; i < 20 * kLimit; ++i) {
    // Gone before the next one, but perhaps not yet seen by the server.
    const std::shared_ptr<grpc::Channel> channel = Connect();
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    grpc::StatusCode code = Call(channel);
    while (code != grpc::StatusCode::UNIMPLEMENTED && std::chrono::steady_clock::now() < deadline) {
      code = Call(channel);
    }
    ASSERT_EQ(code, grpc::StatusCode::UNIMPLEMENTED);
  }
}

TEST_F(ConnectionListenerTest, APortInUseIsAnError) {
  const auto second =
      ConnectionListener::Open(absl::StrCat("127.0.0.1:", listener_->port()), kLimit);
  EXPECT_EQ(GetErrorDetail(second.status()).state, SqlState::kIoError);
  EXPECT_NE(second.status().message().find("in use"), absl::string_view::npos) << second.status();
}

TEST(ConnectionListenerOpenTest, AnAddressOfAnotherMachineIsAnError) {
  EXPECT_FALSE(ConnectionListener::Open("192.0.2.1:0", kLimit).ok());
  EXPECT_FALSE(ConnectionListener::Open("no-such-host.invalid:0", kLimit).ok());
  EXPECT_FALSE(ConnectionListener::Open("no port", kLimit).ok());
}

}  // namespace
}  // namespace millrace
