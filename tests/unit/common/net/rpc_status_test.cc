#include "common/net/rpc_status.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <string>

#include "common/base/status.h"
#include "millrace/v1/error.pb.h"

namespace millrace {
namespace {

TEST(RpcStatusTest, SurvivesTheWayThroughGrpc) {
  const absl::Status sent =
      WithPosition(MakeError(SqlState::kUndefinedColumn, "column \"x\" does not exist", "y?"), 12);
  const absl::Status received = FromGrpcStatus(ToGrpcStatus(sent));
  EXPECT_EQ(received.code(), sent.code());
  EXPECT_EQ(received.message(), sent.message());
  const ErrorDetail detail = GetErrorDetail(received);
  EXPECT_EQ(detail.state, SqlState::kUndefinedColumn);
  EXPECT_EQ(detail.position, 12);
  EXPECT_EQ(detail.hint, "y?");
}

TEST(RpcStatusTest, OkStaysOk) { EXPECT_TRUE(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())).ok()); }

TEST(RpcStatusTest, AStatusOfGrpcItselfGetsADetail) {
  const grpc::Status status(grpc::StatusCode::UNAVAILABLE, "connection refused");
  const ErrorDetail detail = GetErrorDetail(FromGrpcStatus(status));
  EXPECT_EQ(detail.state, SqlState::kConnectionFailure);
}

TEST(RpcStatusTest, CutsLongMessagesBetweenCharacters) {
  std::string message(2047, 'x');
  for (int i = 0; i < 100; ++i) message += "ü";
  const std::string received(
      FromGrpcStatus(ToGrpcStatus(MakeError(SqlState::kInternalError, message))).message());
  EXPECT_EQ(received, std::string(2047, 'x') + "…");
}

TEST(RpcStatusTest, FitsIntoTheTrailersThatClientsTake) {
  std::string wide;
  for (int i = 0; i < 5000; ++i) wide += "漢";
  const grpc::Status sent =
      ToGrpcStatus(MakeError(SqlState::kInvalidTextRepresentation, wide, wide));
  const size_t encoded_bytes =
      3 * sent.error_message().size() + (sent.error_details().size() + 2) / 3 * 4;
  EXPECT_LT(encoded_bytes, 6 * 1024);
  EXPECT_EQ(GetErrorDetail(FromGrpcStatus(sent)).state, SqlState::kInvalidTextRepresentation);
}

TEST(RpcStatusTest, SurvivesTheWayThroughAMessage) {
  v1::Error wire;
  ToProto(MakeError(SqlState::kDiskFull, "disk full"), &wire);
  const absl::Status received = FromProto(wire);
  EXPECT_EQ(received.message(), "disk full");
  EXPECT_EQ(GetErrorDetail(received).blame, Blame::kExternal);
}

}  // namespace
}  // namespace millrace
