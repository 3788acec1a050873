#include "common/expr/regex_pattern.h"

#include "tests/unit/common/expr/expr_builders.h"

namespace millrace {
namespace {

TEST(RegexPattern, RefusesWhatRe2CannotDo) {
  EXPECT_ERROR(CompileRegex("(a)\\1", {}), SqlState::kFeatureNotSupported, "back reference");
  EXPECT_ERROR(CompileRegex("a(?=b)", {}), SqlState::kFeatureNotSupported, "look-around");
  EXPECT_ERROR(CompileRegex("(a", {}), SqlState::kInvalidRegularExpression, "invalid regular");
  EXPECT_ERROR(ParseRegexFlags("z"), SqlState::kInvalidParameterValue, "\"z\"");
}

TEST(RegexPattern, TranslatesSimilarTo) {
  EXPECT_EQ(*SimilarToRegex("a%(b|c)_", "\\"), "^(?:a.*(?:b|c).)$");
  EXPECT_EQ(*SimilarToRegex("a.b#%", "#"), "^(?:a\\.b\\%)$");
  EXPECT_ERROR(SimilarToRegex("a", "##"), SqlState::kInvalidEscapeSequence, "escape");
}

TEST(RegexPattern, MatchesTheLongestAlternative) {
  EXPECT_EQ(Eval(Fn("substring", {Quoted("abcd"), Quoted("a|ab|abc")})), "abc");
  EXPECT_EQ(Eval(Fn("substring", {Quoted("xaaa"), Quoted("a+?")})), "a");
  EXPECT_EQ(Eval(Fn("substring", {Quoted("foobar"), Quoted("o(.)b")})), "o");
  EXPECT_EQ(Eval(Fn("substring", {Quoted("foobar"), Quoted("z")})), "NULL");
}

TEST(RegexPattern, Replaces) {
  const auto replace = [](std::vector<ExprPtr> args) {
    return Eval(Fn("regexp_replace", std::move(args)));
  };
  EXPECT_EQ(replace({Quoted("foobar"), Quoted("o"), Quoted("X")}), "fXobar");
  EXPECT_EQ(replace({Quoted("foobar"), Quoted("o"), Quoted("X"), Quoted("g")}), "fXXbar");
  EXPECT_EQ(replace({Quoted("abc"), Quoted("(a)(b)"), Quoted("\\2\\1[\\&]")}), "ba[ab]c");
  EXPECT_EQ(replace({Quoted("abc"), Quoted(""), Quoted("x"), Quoted("g")}), "xaxbxcx");
  EXPECT_EQ(replace({Quoted("h\xC3\xA9"), Quoted(""), Quoted("-"), Quoted("g")}), "-h-\xC3\xA9-");
}

}  // namespace
}  // namespace millrace
