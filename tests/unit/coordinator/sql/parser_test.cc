#include "coordinator/sql/parser.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/status.h"

namespace millrace {
namespace {

std::vector<std::string> Split(const std::string& script) {
  const absl::StatusOr<std::vector<StatementText>> statements = SplitStatements(script);
  EXPECT_TRUE(statements.ok()) << statements.status().message();
  std::vector<std::string> texts;
  if (!statements.ok()) return texts;
  for (const StatementText& statement : *statements) {
    texts.push_back(script.substr(statement.begin_byte, statement.end_byte - statement.begin_byte));
  }
  return texts;
}

TEST(ParserTest, SplitsAtSemicolons) {
  EXPECT_EQ(Split("SELECT 1; SELECT 'a;b' ;\n-- c;d\nSELECT \"x;y\""),
            (std::vector<std::string>{"SELECT 1", "SELECT 'a;b'", "SELECT \"x;y\""}));
}

TEST(ParserTest, LeavesOutEmptyStatementsAndComments) {
  EXPECT_EQ(Split("; /* a */ ; SELECT 1 /* b */ -- c\n;;"), std::vector<std::string>{"SELECT 1"});
  EXPECT_TRUE(Split("").empty());
  EXPECT_TRUE(Split("-- nothing").empty());
}

TEST(ParserTest, CountsCharactersOfTheScript) {
  const auto statements = SplitStatements("SELECT 'ä'; SELECT 2");
  ASSERT_TRUE(statements.ok());
  ASSERT_EQ(statements->size(), 2u);
  EXPECT_EQ((*statements)[1].begin_byte, 13);
  EXPECT_EQ((*statements)[1].begin_char, 13);
}

TEST(ParserTest, SplitsDollarQuotedText) {
  EXPECT_EQ(Split("SELECT $a$ ; $a$; SELECT 2").size(), 2u);
}

TEST(ParserTest, SplitsBehindUnicodeText) {
  EXPECT_EQ(Split("SELECT U&'\\0041;'; SELECT 2"),
            (std::vector<std::string>{"SELECT U&'\\0041;'", "SELECT 2"}));
}

TEST(ParserTest, RefusesWhatIsNotTokens) {
  const absl::Status status = SplitStatements("SELECT 1; SELECT 'open").status();
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kSyntaxError);
  EXPECT_EQ(GetErrorDetail(status).position, 18);
}

TEST(ParserTest, RefusesBytesThatAreNoText) {
  EXPECT_EQ(GetErrorDetail(SplitStatements("SELECT '\xff'").status()).state,
            SqlState::kCharacterNotInRepertoire);
  EXPECT_EQ(GetErrorDetail(SplitStatements(std::string("SELECT \0 1", 10)).status()).state,
            SqlState::kCharacterNotInRepertoire);
}

TEST(ParserTest, ChecksTheSyntaxOfAllStatements) {
  EXPECT_TRUE(CheckSyntax("").ok());
  EXPECT_TRUE(CheckSyntax("SELECT nobody FROM nowhere; FLUSH; SUBSCRIBE TO nowhere").ok());
  const absl::Status status = CheckSyntax("SELECT 'ä'; SELEC 2");
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kSyntaxError);
  EXPECT_EQ(GetErrorDetail(status).position, 13);
}

}  // namespace
}  // namespace millrace
