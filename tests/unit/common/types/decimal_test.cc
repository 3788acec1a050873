#include "common/types/decimal.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Decimal, RoundsHalfAwayFromZero) {
  EXPECT_TRUE(DivideRounded(5, 10) == 1);
  EXPECT_TRUE(DivideRounded(-5, 10) == -1);
  EXPECT_TRUE(DivideRounded(4, 10) == 0);
  EXPECT_TRUE(DivideRounded(kMaxDecimal, kMaxDecimal) == 1);
  EXPECT_TRUE(DivideRounded(kMaxDecimal / 2 + 1, kMaxDecimal) == 1);
}

TEST(Decimal, RescalesOrSaysThatItCannot) {
  __int128 out = 0;
  EXPECT_TRUE(RescaleDecimal(15, 1, 0, &out) && out == 2);
  EXPECT_TRUE(RescaleDecimal(15, 0, 3, &out) && out == 15000);
  EXPECT_TRUE(RescaleDecimal(0, 0, 38, &out) && out == 0);
  EXPECT_FALSE(RescaleDecimal(1, 0, 38, &out));
  EXPECT_TRUE(RescaleDecimal(9, 0, 37, &out));
  EXPECT_FALSE(RescaleDecimal(10, 0, 37, &out));
  EXPECT_FALSE(RescaleDecimal(kMaxDecimal, 0, 1, &out));
}

}  // namespace
}  // namespace millrace
