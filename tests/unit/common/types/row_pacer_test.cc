#include "common/types/row_pacer.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(RowPacer, TakesFewerRowsAfterTooMany) {
  RowPacer pacer(1 << 30);
  EXPECT_EQ(pacer.Next(8192), 8192);
  pacer.Refused(8192);
  EXPECT_EQ(pacer.Next(8192), 512);
  for (int64_t rows = 512; rows > 1; rows /= 16) pacer.Refused(rows);
  EXPECT_EQ(pacer.Next(8192), 1);
}

TEST(RowPacer, GrowsStepByStepToWhatFits) {
  RowPacer pacer(1);
  const int64_t row_bytes = kMaxBatchBytes / 100;
  for (const int64_t expected : {1, 4, 16, 64, 75, 75}) {
    EXPECT_EQ(pacer.Next(8192), expected);
    pacer.Made(expected, expected * row_bytes);
  }
}

TEST(RowPacer, ShrinksAtOnceWhenRowsBecomeWide) {
  RowPacer pacer(1000);
  pacer.Made(1000, 10 * kMaxBatchBytes);
  EXPECT_EQ(pacer.Next(8192), 75);
  // A row that is larger than a batch.
  pacer.Made(1, 3 * kMaxBatchBytes);
  EXPECT_EQ(pacer.Next(8192), 1);
}

TEST(RowPacer, TheLastRowsOfABatchSayNothingAboutTheNext) {
  RowPacer pacer(1000);
  pacer.Made(2, 10);
  EXPECT_EQ(pacer.Next(8192), 4000);
  pacer.Made(1, 0);
  EXPECT_EQ(pacer.Next(2), 2);
}

}  // namespace
}  // namespace millrace
