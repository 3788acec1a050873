#include "common/base/units.h"

#include <gtest/gtest.h>

#include "common/base/status.h"

namespace millrace {
namespace {

TEST(UnitsTest, ParsesDurations) {
  EXPECT_EQ(*ParseDurationMicros("30 s"), 30'000'000);
  EXPECT_EQ(*ParseDurationMicros("500ms"), 500'000);
  EXPECT_EQ(*ParseDurationMicros(" 1 h 30 min "), 5'400'000'000);
  EXPECT_EQ(*ParseDurationMicros("1.5 Seconds"), 1'500'000);
  EXPECT_EQ(*ParseDurationMicros("2days"), 172'800'000'000);
  EXPECT_EQ(*ParseDurationMicros("7 us"), 7);
  EXPECT_EQ(*ParseDurationMicros("0"), 0);
}

TEST(UnitsTest, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "30", "s", "-1 s", "1 fortnight", "1..5 s", "1 s 2", "1e300 d"}) {
    SCOPED_TRACE(text);
    const auto micros = ParseDurationMicros(text);
    EXPECT_EQ(GetErrorDetail(micros.status()).state, SqlState::kInvalidParameterValue);
  }
}

TEST(UnitsTest, ParsesSizes) {
  EXPECT_EQ(*ParseByteSize("4096"), 4096U);
  EXPECT_EQ(*ParseByteSize("64 MiB"), 64U << 20);
  EXPECT_EQ(*ParseByteSize("1.5kB"), 1500U);
  EXPECT_EQ(*ParseByteSize("2 gib"), uint64_t{2} << 30);
  for (const char* text : {"", "MiB", "-1", "1 s", "1 MiB 2 MiB"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(ParseByteSize(text).ok());
  }
}

}  // namespace
}  // namespace millrace
