#include "client/cpp/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/base/status.h"
#include "common/net/rpc_status.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

absl::Status Passing() {
  return MakeError(ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
                   "gone");
}

TEST(ChannelTest, WhatTheServerHasNotSaidGetsASqlState) {
  EXPECT_TRUE(CallStatus(grpc::Status::OK).ok());
  const ErrorDetail broken =
      GetErrorDetail(CallStatus({grpc::StatusCode::UNAVAILABLE, "Socket closed"}));
  EXPECT_EQ(broken.state, SqlState::kConnectionFailure);
  EXPECT_EQ(broken.retry, Retry::kSafe);
  const ErrorDetail late = GetErrorDetail(CallStatus({grpc::StatusCode::DEADLINE_EXCEEDED, ""}));
  EXPECT_EQ(late.state, SqlState::kQueryCanceled);
  EXPECT_EQ(late.retry, Retry::kNever);
}

TEST(ChannelTest, WhatTheServerHasSaidStays) {
  const absl::Status said = MakeError(SqlState::kCannotConnectNow, "shutting down", "wait");
  const absl::Status heard = CallStatus(ToGrpcStatus(said));
  EXPECT_EQ(GetErrorDetail(heard).state, SqlState::kCannotConnectNow);
  EXPECT_EQ(GetErrorDetail(heard).hint, "wait");
  EXPECT_EQ(heard.message(), "shutting down");
}

class RetryLoopTest : public ::testing::Test {
 protected:
  // Nobody is there.
  const std::shared_ptr<grpc::Channel> channel_ = MakeClientChannel("127.0.0.1:1");
};

TEST_F(RetryLoopTest, OnlyWhatCanPassIsTriedAgain) {
  RetryLoop tries(*channel_, 3, milliseconds(0));
  EXPECT_FALSE(tries.Again(absl::OkStatus()));
  EXPECT_FALSE(tries.Again(MakeError(SqlState::kSyntaxError, "no")));
  EXPECT_TRUE(tries.Again(Passing()));
}

TEST_F(RetryLoopTest, TriesAreCountedFromTheLastProgress) {
  RetryLoop tries(*channel_, 1, milliseconds(0));
  EXPECT_TRUE(tries.Again(Passing()));
  EXPECT_FALSE(tries.Again(Passing()));
  tries.Progressed();
  EXPECT_TRUE(tries.Again(Passing()));
  RetryLoop never(*channel_, 0, milliseconds(0));
  EXPECT_FALSE(never.Again(Passing()));
}

TEST_F(RetryLoopTest, NoTryBeginsThatHasNoTimeLeft) {
  RetryLoop tries(*channel_, 100, milliseconds(50));
  EXPECT_FALSE(tries.Again(Passing()));
  EXPECT_GE(tries.left(), milliseconds(1));
  EXPECT_LE(tries.left(), milliseconds(50));
  EXPECT_EQ(RetryLoop(*channel_, 1, milliseconds(0)).left(), milliseconds(0)) << "no deadline";
}

}  // namespace
}  // namespace millrace
