#include "common/expr/datetime_math.h"

#include "common/types/text_format.h"
#include "common/types/text_parse.h"
#include "tests/unit/common/expr/expr_builders.h"

namespace millrace {
namespace {

IntervalParts Interval(const char* text) {
  IntervalParts parts;
  EXPECT_TRUE(ParseInterval(text, &parts)) << text;
  return parts;
}

std::string Show(const IntervalParts& parts) {
  std::string out;
  AppendInterval(parts, &out);
  return out;
}

int64_t Micros(const char* text) {
  int64_t micros = 0;
  EXPECT_TRUE(ParseTimestamp(text, &micros)) << text;
  return micros;
}

std::string Later(const char* time, const char* interval) {
  int64_t micros = 0;
  if (!AddInterval(Micros(time), Interval(interval), &micros).ok()) return "out of range";
  std::string out;
  AppendTimestamp(micros, &out);
  return out;
}

TEST(DatetimeMath, AddsMonthsBeforeDays) {
  EXPECT_EQ(Later("2024-01-31", "1 month"), "2024-02-29 00:00:00");
  EXPECT_EQ(Later("2024-03-31", "-1 month"), "2024-02-29 00:00:00");
  EXPECT_EQ(Later("2020-03-31", "1 month -1 day"), "2020-04-29 00:00:00");
  EXPECT_EQ(Later("2024-02-29 12:00", "1 year"), "2025-02-28 12:00:00");
  EXPECT_EQ(Later("0001-01-01", "-1 day"), "0001-12-31 00:00:00 BC");
  EXPECT_EQ(Later("294246-01-01", "10 years"), "out of range");
  EXPECT_EQ(Later("4713-11-24 BC", "-1 second"), "out of range");
}

TEST(DatetimeMath, CountsAgesAsPeopleDo) {
  const auto age = [](const char* a, const char* b) {
    return Show(AgeBetween(Micros(a), Micros(b)));
  };
  EXPECT_EQ(age("2001-04-10", "1957-06-13"), "43 years 9 mons 27 days");
  EXPECT_EQ(age("1957-06-13", "2001-04-10"), "-43 years -9 mons -27 days");
  EXPECT_EQ(age("2024-03-01", "2024-01-31"), "1 mon 1 day");
  EXPECT_EQ(age("2024-03-31 10:00", "2024-02-29 12:00"), "1 mon 1 day 22:00:00");
  EXPECT_EQ(age("2024-01-01", "2024-01-01"), "00:00:00");
}

TEST(DatetimeMath, CascadesFractionsOfIntervals) {
  const auto scaled = [](const char* text, double factor) {
    IntervalParts out;
    return ScaleInterval(Interval(text), factor, &out).ok() ? Show(out) : "out of range";
  };
  EXPECT_EQ(scaled("1 month", 0.5), "15 days");
  EXPECT_EQ(scaled("1 day", 1.5), "1 day 12:00:00");
  EXPECT_EQ(scaled("1 mon 15 days", 1.5), "1 mon 37 days 12:00:00");
  EXPECT_EQ(scaled("1 month", 1e12), "out of range");
  IntervalParts out;
  EXPECT_ERROR(DivideInterval(Interval("1 day"), 0, &out), SqlState::kDivisionByZero, "zero");
}

TEST(DatetimeMath, JustifiesWithOneSign) {
  IntervalParts out;
  ASSERT_OK(JustifyHours(Interval("27 hours"), &out));
  EXPECT_EQ(Show(out), "1 day 03:00:00");
  ASSERT_OK(JustifyDays(Interval("35 days"), &out));
  EXPECT_EQ(Show(out), "1 mon 5 days");
  ASSERT_OK(JustifyInterval(Interval("1 mon -1 hour"), &out));
  EXPECT_EQ(Show(out), "29 days 23:00:00");
}

TEST(DatetimeMath, ShiftsFarTimesSafely) {
  const Schema schema = {{"ts", SqlType::Of(TypeId::kTimestamp)}};
  const ExprPtr day = Cast(Quoted("1 day"), T(TypeId::kInterval));
  EXPECT_EQ(Eval(Op("+", Cast(Quoted("294247-01-10"), schema[0].type), day)), "ERROR 22008");
  EXPECT_EQ(Eval(Op("-", Cast(Quoted("4713-11-24 BC"), schema[0].type), day)), "ERROR 22008");
}

}  // namespace
}  // namespace millrace
