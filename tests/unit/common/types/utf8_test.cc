#include "common/types/utf8.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Utf8, CountsAndCutsCharacters) {
  EXPECT_EQ(CountChars("h\xC3\xA9llo"), 5);
  EXPECT_EQ(CharOffset("h\xC3\xA9llo", 2), 3U);
  EXPECT_EQ(CharOffset("ab", 5), 2U);
  EXPECT_TRUE(IsAscii("abc"));
  EXPECT_FALSE(IsAscii("\xC3\xA9"));
}

TEST(Utf8, DecodesWhatItEncodes) {
  for (uint32_t code_point : {0x41U, 0xE9U, 0x20ACU, 0x1F600U, 0x10FFFFU}) {
    std::string text;
    AppendChar(code_point, &text);
    EXPECT_EQ(DecodeChar(text), code_point);
    EXPECT_TRUE(IsValidText(text));
  }
}

TEST(Utf8, RefusesWhatIsNotText) {
  EXPECT_TRUE(IsValidText(""));
  EXPECT_TRUE(IsValidText("plain ascii text that is longer than a word"));
  const std::string bad[] = {std::string("a\0b", 3), "\xC3",    "\xC0\x80",
                             "\xED\xA0\x80",         "\xFF",    "abcdefgh\x80",
                             "\xF4\x90\x80\x80",     "\xE2\x82"};
  for (const std::string& text : bad) EXPECT_FALSE(IsValidText(text));
}

}  // namespace
}  // namespace millrace
