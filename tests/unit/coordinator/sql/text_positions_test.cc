#include "coordinator/sql/text_positions.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

TEST(TextPositionsTest, CountsBytesOfAscii) {
  const TextPositions positions("SELECT 1");
  EXPECT_EQ(positions.CharAt(0), 1);
  EXPECT_EQ(positions.CharAt(7), 8);
  EXPECT_EQ(positions.CharAt(99), 9);
  EXPECT_EQ(positions.CharAt(-1), 0);
  EXPECT_EQ(positions.ByteAt(8), 7);
  EXPECT_EQ(positions.ByteAt(0), -1);
}

TEST(TextPositionsTest, CountsCharactersOfOtherText) {
  const std::string text = "äöü x";
  const TextPositions positions(text);
  EXPECT_EQ(positions.CharAt(6), 4);
  EXPECT_EQ(positions.CharAt(7), 5);
  EXPECT_EQ(positions.ByteAt(5), 7);
}

TEST(TextPositionsTest, CountsAcrossLongTexts) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "€a";
  const TextPositions positions(text);
  EXPECT_EQ(positions.CharAt(4000), 2001);
  EXPECT_EQ(positions.CharAt(3996), 1999);
  EXPECT_EQ(positions.ByteAt(1999), 3996);
}

}  // namespace
}  // namespace millrace
