#include "coordinator/sql/sql_token.h"

#include <gtest/gtest.h>

#include "common/base/status.h"

namespace millrace {
namespace {

std::vector<SqlToken> Scan(absl::string_view text) {
  absl::StatusOr<std::vector<SqlToken>> tokens = ScanTokens(text);
  EXPECT_TRUE(tokens.ok()) << tokens.status().message();
  return tokens.ok() ? *std::move(tokens) : std::vector<SqlToken>{};
}

TEST(SqlTokenTest, TellsKindsApart) {
  const std::string sql = "SELECT \"Ab\", 'x', 1.5, $1, B'1' -- end\n<= /* c */ größe";
  const std::vector<SqlToken> tokens = Scan(sql);
  std::vector<TokenKind> kinds;
  for (const SqlToken& token : tokens) kinds.push_back(token.kind);
  EXPECT_EQ(kinds,
            (std::vector<TokenKind>{TokenKind::kWord, TokenKind::kQuoted, TokenKind::kSymbol,
                                    TokenKind::kString, TokenKind::kSymbol, TokenKind::kNumber,
                                    TokenKind::kSymbol, TokenKind::kParameter, TokenKind::kSymbol,
                                    TokenKind::kOther, TokenKind::kSymbol, TokenKind::kWord}));
}

TEST(SqlTokenTest, KeepsPlacesInBytes) {
  const std::string sql = "SELECT 'ä', x";
  const std::vector<SqlToken> tokens = Scan(sql);
  ASSERT_EQ(tokens.size(), 4u);
  EXPECT_EQ(tokens[3].begin, 13);
  EXPECT_EQ(tokens[3].text, "x");
}

TEST(SqlTokenTest, FoldsNamesButNotQuotedOnes) {
  const std::string sql = "ABC \"A\"\"c\"";
  const std::vector<SqlToken> tokens = Scan(sql);
  EXPECT_EQ(tokens[0].Name(), "abc");
  EXPECT_EQ(tokens[1].Name(), "A\"c");
  EXPECT_TRUE(tokens[0].IsWord("abc"));
  EXPECT_FALSE(tokens[1].IsWord("a\"c"));
}

TEST(SqlTokenTest, ReadsAllFormsOfStrings) {
  const std::string sql = "'it''s' E'a\\nb' $$d'q$$ U&'\\0041' 'a'\n'b'";
  const std::vector<SqlToken> tokens = Scan(sql);
  ASSERT_EQ(tokens.size(), 5u);
  const char* const expected[] = {"it's", "a\nb", "d'q", "A", "ab"};
  for (size_t i = 0; i < tokens.size(); ++i) {
    const absl::StatusOr<std::string> value = StringTokenValue(tokens[i]);
    ASSERT_TRUE(value.ok()) << tokens[i].text;
    EXPECT_EQ(*value, expected[i]);
  }
}

TEST(SqlTokenTest, FindsTheEndOfUnicodeTokens) {
  const std::string sql = "U&'it''s' U&\"d\\0061t\" U&'a'\n 'b' U&'x' UESCAPE '!'";
  std::vector<std::string> texts;
  for (const SqlToken& token : Scan(sql)) texts.emplace_back(token.text);
  EXPECT_EQ(texts, (std::vector<std::string>{"U&'it''s'", "U&\"d\\0061t\"", "U&'a'\n 'b'", "U&'x'",
                                             "UESCAPE", "'!'"}));
}

TEST(SqlTokenTest, RefusesAnOpenString) {
  const absl::Status status = ScanTokens("SELECT 'ä', 'open").status();
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kSyntaxError);
  EXPECT_EQ(GetErrorDetail(status).position, 13);
}

}  // namespace
}  // namespace millrace
