#include "common/base/status.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return MakeError(SqlState::kInvalidParameterValue, "odd", "use an even one");
  return value / 2;
}

absl::StatusOr<int> Quarter(int value) {
  MR_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}

TEST(StatusTest, CarriesItsDetail) {
  const absl::Status status =
      MakeError(SqlState::kDivisionByZero, "division by zero", "use nullif");
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_EQ(detail.state, SqlState::kDivisionByZero);
  EXPECT_EQ(SqlStateCode(detail.state), "22012");
  EXPECT_EQ(detail.hint, "use nullif");
  EXPECT_EQ(detail.blame, Blame::kUser);
  EXPECT_EQ(detail.retry, Retry::kNever);
}

TEST(StatusTest, AConnectionErrorMayBeTriedAgain) {
  const ErrorDetail detail = GetErrorDetail(MakeError(SqlState::kConnectionFailure, "gone"));
  EXPECT_EQ(detail.blame, Blame::kExternal);
  EXPECT_EQ(detail.retry, Retry::kSafe);
}

TEST(StatusTest, KeepsTheFirstPosition) {
  absl::Status status = MakeError(SqlState::kUndefinedColumn, "no such column");
  status = WithPosition(WithPosition(status, 7), 1);
  EXPECT_EQ(GetErrorDetail(status).position, 7);
}

TEST(StatusTest, ContextKeepsCodeAndDetail) {
  const absl::Status status = WithContext(
      WithHint(MakeError(SqlState::kUndefinedFile, "cannot open a.csv"), "look there"), "table t");
  EXPECT_EQ(status.message(), "table t: cannot open a.csv");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorDetail(status).hint, "look there");
}

TEST(StatusTest, ForeignStatusGetsADetail) {
  const ErrorDetail detail = GetErrorDetail(absl::CancelledError("stop"));
  EXPECT_EQ(detail.state, SqlState::kQueryCanceled);
}

TEST(StatusTest, OkStaysOk) {
  EXPECT_TRUE(WithPosition(absl::OkStatus(), 3).ok());
  EXPECT_TRUE(WithContext(absl::OkStatus(), "x").ok());
}

TEST(StatusTest, EveryCodeIsFoundAgain) {
  for (int i = 0; i <= static_cast<int>(SqlState::kDataCorrupted); ++i) {
    const auto state = static_cast<SqlState>(i);
    EXPECT_EQ(SqlStateCode(state).size(), 5);
    EXPECT_EQ(SqlStateFromCode(SqlStateCode(state)), state);
  }
  EXPECT_EQ(SqlStateFromCode("no"), SqlState::kInternalError);
}

TEST(StatusTest, MacrosPassErrorsOn) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(GetErrorDetail(Quarter(6).status()).hint, "use an even one");
}

}  // namespace
}  // namespace millrace
