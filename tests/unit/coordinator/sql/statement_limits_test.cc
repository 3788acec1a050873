#include "coordinator/sql/statement_limits.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/status.h"

namespace millrace {
namespace {

std::string RepeatText(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

bool Fits(const std::string& sql) {
  const absl::StatusOr<std::vector<SqlToken>> tokens = ScanTokens(sql);
  EXPECT_TRUE(tokens.ok());
  return CheckNesting(*tokens).ok();
}

TEST(StatementLimitsTest, CountsLevelsOfParentheses) {
  EXPECT_TRUE(Fits("SELECT " + RepeatText("(", 400) + "1" + RepeatText(")", 400)));
  EXPECT_FALSE(Fits("SELECT " + RepeatText("(", 600) + "1" + RepeatText(")", 600)));
  EXPECT_TRUE(Fits("SELECT " + RepeatText("(1),", 5000) + "1"));
}

TEST(StatementLimitsTest, CountsChainsOfOperators) {
  EXPECT_TRUE(Fits("SELECT 1" + RepeatText(" + 1", 400)));
  EXPECT_FALSE(Fits("SELECT 1" + RepeatText(" + 1", 600)));
  EXPECT_FALSE(Fits("SELECT " + RepeatText("NOT ", 600) + "true"));
  EXPECT_FALSE(Fits("SELECT 1" + RepeatText("::int", 600)));
  EXPECT_FALSE(
      Fits("SELECT " + RepeatText("CASE WHEN true THEN ", 600) + "1" + RepeatText(" END", 600)));
}

TEST(StatementLimitsTest, CountsJoinsAndSetOperations) {
  EXPECT_FALSE(Fits("SELECT 1 FROM t" + RepeatText(" JOIN t ON true", 600)));
  EXPECT_FALSE(Fits("SELECT 1" + RepeatText(" UNION ALL SELECT 1", 600)));
  EXPECT_TRUE(Fits("SELECT 1" + RepeatText(" UNION ALL SELECT 1 FROM t JOIN u ON a = b", 200)));
}

TEST(StatementLimitsTest, LetsListsBeLong) {
  EXPECT_TRUE(Fits("SELECT a IN (0" + RepeatText(", 1 + 2", 20000) + ")"));
  EXPECT_TRUE(Fits("SELECT 1 WHERE a = 1" + RepeatText(" OR a = 2 AND b = 3", 20000)));
  EXPECT_TRUE(Fits("VALUES (1)" + RepeatText(", (1)", 20000)));
  EXPECT_TRUE(Fits("SELECT CASE a" + RepeatText(" WHEN 1 THEN 2", 20000) + " END"));
}

TEST(StatementLimitsTest, ChecksLengthAndText) {
  EXPECT_TRUE(CheckStatementText("SELECT 'ä'").ok());
  EXPECT_EQ(GetErrorDetail(CheckStatementText(std::string(kMaxStatementBytes + 1, ' '))).state,
            SqlState::kProgramLimitExceeded);
  EXPECT_EQ(GetErrorDetail(CheckStatementText("\xc3")).state, SqlState::kCharacterNotInRepertoire);
}

}  // namespace
}  // namespace millrace
