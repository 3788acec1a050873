#include "common/expr/like_matcher.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

bool Like(absl::string_view text, absl::string_view pattern) {
  return LikeMatcher::Create(pattern).Matches(text);
}

TEST(LikeMatcher, MatchesPercentAndUnderscore) {
  EXPECT_TRUE(Like("abc", "abc"));
  EXPECT_FALSE(Like("abc", "ab"));
  EXPECT_TRUE(Like("abc", "a%"));
  EXPECT_TRUE(Like("abc", "%c"));
  EXPECT_TRUE(Like("abc", "%b%"));
  EXPECT_TRUE(Like("", "%"));
  EXPECT_TRUE(Like("", ""));
  EXPECT_FALSE(Like("", "_"));
  EXPECT_TRUE(Like("abc", "_b_"));
  EXPECT_TRUE(Like("abc", "%_"));
  EXPECT_FALSE(Like("ab", "___"));
  EXPECT_TRUE(Like("aXbXc", "a_b_c"));
  EXPECT_TRUE(Like("xxabyy", "%a_%y"));
}

TEST(LikeMatcher, DoesNotUseTextTwice) {
  EXPECT_FALSE(Like("aba", "ab%ba"));
  EXPECT_TRUE(Like("abba", "ab%ba"));
  EXPECT_TRUE(Like("aaa", "a%a%a"));
  EXPECT_FALSE(Like("aa", "a%a%a"));
  EXPECT_TRUE(Like("special packages requests", "%special%requests%"));
  EXPECT_FALSE(Like("requests special", "%special%requests%"));
}

TEST(LikeMatcher, CountsCharactersNotBytes) {
  EXPECT_TRUE(Like("h\xC3\xA9llo", "h_llo"));
  EXPECT_FALSE(Like("h\xC3\xA9llo", "h__llo"));
  EXPECT_TRUE(Like("h\xC3\xA9", "%_"));
  EXPECT_TRUE(Like("x\xC3\xA9y", "%\xC3\xA9_"));
}

TEST(LikeMatcher, TakesEscapedCharactersLiterally) {
  EXPECT_TRUE(Like("a%c", "a\\%c"));
  EXPECT_FALSE(Like("abc", "a\\%c"));
  EXPECT_TRUE(Like("a\\c", "a\\\\c"));
  EXPECT_FALSE(Like("abc", "abc\\"));
}

}  // namespace
}  // namespace millrace
