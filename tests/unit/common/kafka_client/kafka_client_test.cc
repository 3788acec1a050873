#include "common/kafka_client/kafka_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

struct ErrorRow {
  rd_kafka_resp_err_t error;
  SqlState state;
  Retry retry;
};

TEST(FromKafkaTest, OnlyWhatPassesByItselfMayBeRetried) {
  const ErrorRow rows[] = {
      {RD_KAFKA_RESP_ERR__TRANSPORT, SqlState::kConnectionFailure, Retry::kSafe},
      {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, SqlState::kConnectionFailure, Retry::kSafe},
      {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, SqlState::kConnectionFailure, Retry::kSafe},
      {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, SqlState::kConnectionFailure, Retry::kSafe},
      {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, SqlState::kConnectionFailure, Retry::kSafe},
      {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, SqlState::kInvalidParameterValue, Retry::kNever},
      {RD_KAFKA_RESP_ERR_INVALID_RECORD, SqlState::kInvalidParameterValue, Retry::kNever},
      {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, SqlState::kInvalidParameterValue, Retry::kNever},
      {RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, SqlState::kObjectNotInPrerequisiteState,
       Retry::kNever},
      {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, SqlState::kObjectNotInPrerequisiteState,
       Retry::kNever},
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, SqlState::kProgramLimitExceeded, Retry::kNever},
      {RD_KAFKA_RESP_ERR_UNKNOWN, SqlState::kIoError, Retry::kNever},
      // A later broker's, which this librdkafka has no name for.
      {static_cast<rd_kafka_resp_err_t>(250), SqlState::kIoError, Retry::kNever},
  };
  for (const ErrorRow& row : rows) {
    SCOPED_TRACE(rd_kafka_err2str(row.error));
    const absl::Status status = FromKafka(row.error, "why");
    EXPECT_ERROR(status, row.state, "why");
    EXPECT_EQ(GetErrorDetail(status).retry, row.retry);
  }
}

TEST(ForEndingStatementTest, IsNotRetriedAndKeepsAHint) {
  EXPECT_OK(ForEndingStatement(absl::OkStatus()));
  const absl::Status away = FromKafka(RD_KAFKA_RESP_ERR__TRANSPORT, "why");
  const absl::Status ended = ForEndingStatement(away);
  EXPECT_ERROR(ended, SqlState::kConnectionFailure, "why");
  EXPECT_EQ(GetErrorDetail(ended).retry, Retry::kNever);
  EXPECT_EQ(GetErrorDetail(ended).hint, "run the statement again when the brokers answer");
  EXPECT_EQ(GetErrorDetail(ForEndingStatement(WithHint(away, "look"))).hint, "look");
  const absl::Status refused = FromKafka(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, "why");
  EXPECT_EQ(ForEndingStatement(refused), refused);
}

}  // namespace
}  // namespace millrace
