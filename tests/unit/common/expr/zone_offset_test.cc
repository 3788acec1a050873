#include "common/expr/zone_offset.h"

#include "common/types/calendar.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

TEST(ZoneOffset, ReadsUtcAndOffsets) {
  EXPECT_EQ(ZoneOffset::Parse("utc")->ToLocal(5), 5);
  // In names PostgreSQL counts positive offsets west of Greenwich.
  EXPECT_EQ(ZoneOffset::Parse("+02")->ToLocal(0), -2 * kMicrosPerHour);
  EXPECT_EQ(ZoneOffset::Parse("UTC-05:30")->ToUtc(0), -330 * kMicrosPerMinute);
  EXPECT_EQ(ZoneOffset::Fixed(3600).ToLocal(0), kMicrosPerHour);
}

TEST(ZoneOffset, RefusesWhatNobodyKnows) {
  EXPECT_ERROR(ZoneOffset::Parse("Nowhere/City"), SqlState::kInvalidParameterValue,
               "not recognized");
  EXPECT_ERROR(ZoneOffset::Parse("../etc/passwd"), SqlState::kInvalidParameterValue,
               "not recognized");
  EXPECT_ERROR(ZoneOffset::Parse(""), SqlState::kInvalidParameterValue, "not recognized");
}

}  // namespace
}  // namespace millrace
