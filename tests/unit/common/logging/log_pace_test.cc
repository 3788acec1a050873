#include "common/logging/log_pace.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(LogPaceTest, TheFirstFailureAndThenOneInEachInterval) {
  LogPace pace(60);
  EXPECT_TRUE(pace.Due(0));
  EXPECT_FALSE(pace.Due(1));
  EXPECT_FALSE(pace.Due(59));
  EXPECT_TRUE(pace.Due(60));
  EXPECT_FALSE(pace.Due(119));
  EXPECT_TRUE(pace.Due(200));
}

TEST(LogPaceTest, ASuccessMakesTheNextFailureAFirstOne) {
  LogPace pace(60);
  EXPECT_TRUE(pace.Due(0));
  pace.Reset();
  EXPECT_TRUE(pace.Due(1));
}

}  // namespace
}  // namespace millrace
