#include "common/base/failpoint.h"

#include <gtest/gtest.h>

#include "common/base/status.h"

namespace millrace {
namespace {

absl::Status Passes() {
  MR_FAILPOINT("test.place");
  return absl::OkStatus();
}

#if defined(MILLRACE_FAILPOINTS) && MILLRACE_FAILPOINTS

TEST(FailpointTest, FailsOnlyWhileEnabled) {
  EXPECT_TRUE(Passes().ok());
  EnableFailpoint("test.place", "error");
  EXPECT_EQ(GetErrorDetail(Passes()).state, SqlState::kIoError);
  DisableFailpoint("test.place");
  EXPECT_TRUE(Passes().ok());
}

TEST(FailpointTest, FailsAtTheHitThatIsNamed) {
  EnableFailpoint("test.place", "2*error");
  EXPECT_TRUE(Passes().ok());
  EXPECT_FALSE(Passes().ok());
  EXPECT_TRUE(Passes().ok());
  DisableFailpoint("test.place");
}

TEST(FailpointTest, EndsTheProcessAtTheNumberThatIsNamed) {
  EnableFailpoint("test.row", "7*abort");
  HitFailpointAt("test.row", 1, 6);
  HitFailpointAt("test.row", 8, 20);
  EXPECT_EXIT(HitFailpointAt("test.row", 5, 7), ::testing::ExitedWithCode(137), "");
  DisableFailpoint("test.row");
}

TEST(FailpointTest, HoldsUntilDisabled) {
  EXPECT_FALSE(FailpointHeld("test.hold"));
  EnableFailpoint("test.hold", "hold");
  EXPECT_TRUE(FailpointHeld("test.hold"));
  DisableFailpoint("test.hold");
  EXPECT_FALSE(FailpointHeld("test.hold"));
}

#else

TEST(FailpointTest, IsOffInReleaseBuilds) {
  EXPECT_TRUE(Passes().ok());
  EXPECT_FALSE(FailpointHeld("test.hold"));
}

#endif

}  // namespace
}  // namespace millrace
