#include "common/types/text_parse.h"

#include "common/types/text_format.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

struct NumericCase {
  const char* text;
  int32_t scale;
  const char* expected;
};

std::string NumericText(absl::string_view text, int32_t scale) {
  __int128 value = 0;
  if (!ParseNumeric(text, scale, &value)) return "refused";
  std::string out;
  AppendNumeric(value, scale, &out);
  return out;
}

TEST(ParseNumeric, RoundsHalfAwayFromZero) {
  const NumericCase cases[] = {
      {"1.005", 2, "1.01"},
      {"-1.005", 2, "-1.01"},
      {"1.004999", 2, "1.00"},
      {"0.5", 0, "1"},
      {"-0.5", 0, "-1"},
      {"0.49", 0, "0"},
      {" 12 ", 2, "12.00"},
      {"+7", 0, "7"},
      {".5", 1, "0.5"},
      {"5.", 1, "5.0"},
      {"1e3", 2, "1000.00"},
      {"1.5e-3", 4, "0.0015"},
      {"1e-40", 2, "0.00"},
      {"-0", 1, "0.0"},
      {"0e100", 0, "0"},
      {"", 0, "refused"},
      {".", 0, "refused"},
      {"1e", 0, "refused"},
      {"1.2.3", 0, "refused"},
      {"abc", 0, "refused"},
      {"NaN", 0, "refused"},
      {"99999999999999999999999999999999999999", 0, "99999999999999999999999999999999999999"},
      {"100000000000000000000000000000000000000", 0, "refused"},
      {"99999999999999999999999999999999999999.5", 0, "refused"},
      {"1e38", 0, "refused"},
  };
  for (const NumericCase& test : cases) {
    SCOPED_TRACE(test.text);
    EXPECT_EQ(NumericText(test.text, test.scale), test.expected);
  }
}

TEST(ParseNumeric, ChecksDeclaredPrecision) {
  __int128 value = 0;
  EXPECT_TRUE(ParseNumeric("999.99", SqlType::Numeric(5, 2), &value));
  EXPECT_FALSE(ParseNumeric("1000", SqlType::Numeric(5, 2), &value));
  EXPECT_FALSE(ParseNumeric("999.995", SqlType::Numeric(5, 2), &value));
}

TEST(ParseNumeric, TellsScaleOfLiterals) {
  int32_t scale = -1;
  EXPECT_TRUE(NumericLiteralScale("1.50", &scale));
  EXPECT_EQ(scale, 2);
  EXPECT_TRUE(NumericLiteralScale("1e-3", &scale));
  EXPECT_EQ(scale, 3);
  EXPECT_TRUE(NumericLiteralScale("1.5e3", &scale));
  EXPECT_EQ(scale, 0);
  EXPECT_FALSE(NumericLiteralScale("x", &scale));
}

TEST(ParseIntegers, AcceptTheirWholeRangeAndNoMore) {
  int16_t small = 0;
  int64_t large = 0;
  EXPECT_TRUE(ParseInt16("-32768", &small));
  EXPECT_EQ(small, -32768);
  EXPECT_FALSE(ParseInt16("32768", &small));
  EXPECT_TRUE(ParseInt64(" -9223372036854775808\n", &large));
  EXPECT_EQ(large, std::numeric_limits<int64_t>::min());
  EXPECT_FALSE(ParseInt64("9223372036854775808", &large));
  EXPECT_FALSE(ParseInt64("99999999999999999999999", &large));
  for (const char* text : {"", " ", "-", "1.0", "1e3", "0x10", "1 2", "--1"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(ParseInt64(text, &large));
  }
}

TEST(ParseFloats, AcceptWordsAndRefuseWhatDoesNotFit) {
  double value = 0;
  EXPECT_TRUE(ParseFloat64("-Infinity", &value));
  EXPECT_TRUE(std::isinf(value) && value < 0);
  EXPECT_TRUE(ParseFloat64("nan", &value));
  EXPECT_TRUE(ParseFloat64("+1.5e3", &value));
  EXPECT_EQ(value, 1500);
  float single = 0;
  EXPECT_FALSE(ParseFloat64("1e400", &value));
  EXPECT_FALSE(ParseFloat32("1e40", &single));
  EXPECT_FALSE(ParseFloat64("1.5x", &value));
  EXPECT_FALSE(ParseFloat64("", &value));
}

TEST(ParseBool, AcceptsUniquePrefixes) {
  bool value = false;
  for (const char* text : {"t", "TRUE", "yes", "y", "on", "1", " tr "}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(ParseBool(text, &value) && value);
  }
  for (const char* text : {"f", "False", "no", "n", "of", "off", "0"}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(ParseBool(text, &value) && !value);
  }
  EXPECT_FALSE(ParseBool("o", &value));
  EXPECT_FALSE(ParseBool("", &value));
  EXPECT_FALSE(ParseBool("2", &value));
}

std::string TimestampText(absl::string_view text) {
  int64_t micros = 0;
  if (!ParseTimestamp(text, &micros)) return "refused";
  std::string out;
  AppendTimestamp(micros, &out);
  return out;
}

TEST(ParseTimestamp, ReadsPostgresForms) {
  const std::pair<const char*, const char*> cases[] = {
      {"2024-02-29 12:34:56.789", "2024-02-29 12:34:56.789"},
      {"2024-02-29T12:34:56", "2024-02-29 12:34:56"},
      {"2024-02-29", "2024-02-29 00:00:00"},
      {"2024-02-29 12:34:56.1234567", "2024-02-29 12:34:56.123457"},
      {"2024-02-29 12:34:56.9999999", "2024-02-29 12:34:57"},
      {"2024-02-29 24:00", "2024-03-01 00:00:00"},
      {"2024-02-29 23:59:60", "2024-03-01 00:00:00"},
      {"2024-02-29 04:05 PM", "2024-02-29 16:05:00"},
      {"2024-02-29 12:00 am", "2024-02-29 00:00:00"},
      {"2024-02-29 12:34:56+05", "2024-02-29 12:34:56"},
      {"Jan 8 1999 04:05:06", "1999-01-08 04:05:06"},
      {"0044-03-15 BC", "0044-03-15 00:00:00 BC"},
      {"20240229", "2024-02-29 00:00:00"},
      {"1/8/1999", "1999-01-08 00:00:00"},
      {"epoch", "1970-01-01 00:00:00"},
      {"1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"},
  };
  for (const auto& [text, expected] : cases) {
    SCOPED_TRACE(text);
    EXPECT_EQ(TimestampText(text), expected);
  }
  for (const char* text : {"2024-02-30", "2023-02-29", "2024-13-01", "2024-01-01 25:00", "", "x",
                           "2024-01-01 12:60", "0000-01-01", "2024-1", "300000-01-01"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(TimestampText(text), "refused");
  }
}

TEST(ParseTimestampTz, UsesZoneOfTextOrSession) {
  int64_t micros = 0;
  ASSERT_TRUE(ParseTimestampTz("1970-01-01 02:00:00+02", 0, &micros));
  EXPECT_EQ(micros, 0);
  ASSERT_TRUE(ParseTimestampTz("1970-01-01 00:00:00 -05:30", 0, &micros));
  EXPECT_EQ(micros, 19'800'000'000);
  ASSERT_TRUE(ParseTimestampTz("1970-01-01 01:00:00", 3600, &micros));
  EXPECT_EQ(micros, 0);
  ASSERT_TRUE(ParseTimestampTz("1970-01-01 00:00:00Z", 3600, &micros));
  EXPECT_EQ(micros, 0);
}

std::string IntervalText(absl::string_view text) {
  IntervalParts parts;
  if (!ParseInterval(text, &parts)) return "refused";
  std::string out;
  AppendInterval(parts, &out);
  return out;
}

TEST(ParseInterval, ReadsPostgresForms) {
  const std::pair<const char*, const char*> cases[] = {
      {"1 year 2 mons -3 days 04:05:06.7", "1 year 2 mons -3 days +04:05:06.7"},
      {"@ 5 minutes ago", "-00:05:00"},
      {"P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"},
      {"1-2", "1 year 2 mons"},
      {"3 4:05:06", "3 days 04:05:06"},
      {"1.5 months", "1 mon 15 days"},
      {"0.7 days", "16:48:00"},
      {"5", "00:00:05"},
      {"1h30m", "01:30:00"},
      {"-1:30", "-01:30:00"},
      {"1:02.5", "00:01:02.5"},
      {"1.1 years", "1 year 1 mon"},
      {"", "refused"},
      {"foo", "refused"},
      {"1 foo", "refused"},
      {"1 2", "refused"},
      {"300000000000 years", "refused"},
  };
  for (const auto& [text, expected] : cases) {
    SCOPED_TRACE(text);
    EXPECT_EQ(IntervalText(text), expected);
  }
}

TEST(ParseUuid, AcceptsHyphensBetweenGroupsOfFour) {
  uint8_t bytes[16];
  EXPECT_TRUE(ParseUuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", bytes));
  EXPECT_TRUE(ParseUuid("{A0EEBC999C0B4EF8BB6D6BB9BD380A11}", bytes));
  EXPECT_FALSE(ParseUuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", bytes));
  EXPECT_FALSE(ParseUuid("a0ee-bc999c0b4ef8bb6d6bb9bd380a11-", bytes));
  EXPECT_FALSE(ParseUuid("g0eebc999c0b4ef8bb6d6bb9bd380a11", bytes));
}

TEST(ParseFailure, NamesWhatIsWrong) {
  EXPECT_ERROR(ParseFailure("x", SqlType::Of(TypeId::kInt32)), SqlState::kInvalidTextRepresentation,
               "invalid input syntax for type integer: \"x\"");
  EXPECT_ERROR(ParseFailure("99999999999", SqlType::Of(TypeId::kInt32)),
               SqlState::kNumericOutOfRange, "out of range for type integer");
  EXPECT_ERROR(ParseFailure("1e400", SqlType::Of(TypeId::kFloat64)), SqlState::kNumericOutOfRange,
               "out of range for type double precision");
  EXPECT_ERROR(ParseFailure("2024-13-01", SqlType::Of(TypeId::kDate)), SqlState::kDatetimeOverflow,
               "date/time field value out of range");
  EXPECT_ERROR(ParseFailure("tomorrowish", SqlType::Of(TypeId::kDate)),
               SqlState::kInvalidDatetimeFormat, "invalid input syntax for type date");
  EXPECT_ERROR(ParseFailure("infinity", SqlType::Of(TypeId::kTimestamp)),
               SqlState::kFeatureNotSupported, "infinity");
  EXPECT_ERROR(ParseFailure("1000", SqlType::Numeric(5, 2)), SqlState::kNumericOutOfRange,
               "numeric field overflow");
}

}  // namespace
}  // namespace millrace
