#include "client/cpp/channel.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

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

TEST(RetryLoopTest, OnlyWhatCanPassIsTriedAgain) {
  RetryLoop tries(3, milliseconds(0));
  EXPECT_FALSE(tries.Again(absl::OkStatus()));
  EXPECT_FALSE(tries.Again(MakeError(SqlState::kSyntaxError, "no")));
  EXPECT_TRUE(tries.Again(Passing()));
}

TEST(RetryLoopTest, TriesAreCountedFromTheLastProgress) {
  RetryLoop tries(1, milliseconds(0));
  EXPECT_TRUE(tries.Again(Passing()));
  EXPECT_FALSE(tries.Again(Passing()));
  tries.Progressed();
  EXPECT_TRUE(tries.Again(Passing()));
  RetryLoop never(0, milliseconds(0));
  EXPECT_FALSE(never.Again(Passing()));
}

TEST(RetryLoopTest, NoTryBeginsThatHasNoTimeLeft) {
  RetryLoop tries(100, milliseconds(50));
  EXPECT_FALSE(tries.Again(Passing()));
  EXPECT_GE(tries.left(), milliseconds(1));
  EXPECT_LE(tries.left(), milliseconds(50));
  EXPECT_EQ(RetryLoop(1, milliseconds(0)).left(), milliseconds(0)) << "no deadline";
}

}  // namespace
}  // namespace millrace
