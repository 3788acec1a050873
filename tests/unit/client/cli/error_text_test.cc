#include "client/cli/error_text.h"

#include <gtest/gtest.h>

#include <string>

#include "client/cli/exit_code.h"
#include "common/base/status.h"

namespace millrace {
namespace {

absl::Status At(int position) {
  return WithPosition(MakeError(SqlState::kUndefinedColumn, "no x"), position);
}

TEST(ErrorTextTest, PointsToThePlaceInItsLine) {
  EXPECT_EQ(ErrorText(At(13), "SELECT 1,\n  x\nFROM t"),
            "ERROR 42703: no x\nLINE 2:   x\n          ^\n");
}

TEST(ErrorTextTest, CountsCharactersNotBytes) {
  EXPECT_EQ(ErrorText(At(6), "'äö', x"), "ERROR 42703: no x\nLINE 1: 'äö', x\n             ^\n");
}

TEST(ErrorTextTest, ShowsTheHintAndNoCaretWithoutAPosition) {
  const absl::Status error = MakeError(SqlState::kUndefinedTable, "no t", "did you mean \"s\"?");
  EXPECT_EQ(ErrorText(error, "SELECT"), "ERROR 42P01: no t\nHINT: did you mean \"s\"?\n");
}

TEST(ErrorTextTest, CutsLongLinesAroundTheCaret) {
  const std::string sql = "SELECT " + std::string(500, 'a') + " x";
  const std::string text = ErrorText(At(509), sql);
  const size_t caret_line = text.rfind('\n', text.size() - 2) + 1;
  const size_t shown_line = text.rfind('\n', caret_line - 2) + 1;
  EXPECT_EQ(text[shown_line + (text.size() - 2 - caret_line)], 'x');
  EXPECT_LT(caret_line - shown_line, 140u);
}

TEST(ErrorTextTest, PositionBehindTheEndPointsBehindTheLastCharacter) {
  EXPECT_EQ(ErrorText(At(99), "SELECT"), "ERROR 42703: no x\nLINE 1: SELECT\n              ^\n");
}

TEST(ExitCodeTest, TellsKindsOfErrorsApart) {
  EXPECT_EQ(StatementExitCode(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(StatementExitCode(MakeError(SqlState::kUndefinedTable, "")), ExitCode::kSqlError);
  EXPECT_EQ(CallExitCode(MakeError(SqlState::kUndefinedObject, "")), ExitCode::kNotFound);
  EXPECT_EQ(CallExitCode(MakeError(SqlState::kObjectInUse, "")), ExitCode::kConflict);
  EXPECT_EQ(CallExitCode(MakeError(SqlState::kConnectionFailure, "")), ExitCode::kUnreachable);
  EXPECT_EQ(StatementExitCode(MakeError(SqlState::kQueryCanceled, "")), ExitCode::kSqlError);
  EXPECT_EQ(CallExitCode(MakeError(SqlState::kQueryCanceled, "")), ExitCode::kFailed);
  EXPECT_EQ(CallExitCode(MakeError(SqlState::kInsufficientPrivilege, "")), ExitCode::kAuth);
  EXPECT_EQ(CallExitCode(MakeError(SqlState::kInternalError, "")), ExitCode::kFailed);
}

}  // namespace
}  // namespace millrace
