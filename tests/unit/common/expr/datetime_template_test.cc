#include "common/expr/datetime_template.h"

#include "common/types/text_format.h"
#include "common/types/text_parse.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

std::string Format(const char* time, const char* form) {
  int64_t micros = 0;
  EXPECT_TRUE(ParseTimestamp(time, &micros));
  std::string out;
  DatetimeTemplate(form).FormatTimestamp(micros, 0, false, &out);
  return out;
}

std::string Read(const char* text, const char* form) {
  const auto micros = DatetimeTemplate(form).Parse(text, 0);
  if (!micros.ok()) return std::string(SqlStateCode(GetErrorDetail(micros.status()).state));
  std::string out;
  AppendTimestamp(*micros, &out);
  return out;
}

TEST(DatetimeTemplate, FormatsAsPostgres) {
  const char* const time = "2024-05-06 17:08:09.123456";
  EXPECT_EQ(Format(time, "YYYY-MM-DD HH24:MI:SS.MS US"), "2024-05-06 17:08:09.123 123456");
  EXPECT_EQ(Format(time, "HH12:MI AM p.m."), "05:08 PM p.m.");
  EXPECT_EQ(Format(time, "Day, DD Month YYYY"), "Monday   , 06 May       2024");
  EXPECT_EQ(Format(time, "FMDay, FMDD FMMonth YYYY"), "Monday, 6 May 2024");
  EXPECT_EQ(Format(time, "DY dy MON mon"), "MON mon MAY may");
  EXPECT_EQ(Format(time, "DDD D ID WW IW W Q CC"), "127 2 1 19 19 1 2 21");
  EXPECT_EQ(Format(time, "\"quoted YYYY\" Y,YYY IYYY"), "quoted YYYY 2,024 2024");
  EXPECT_EQ(Format("2024-05-01", "DDth FMDDTH"), "01st 1ST");
  EXPECT_EQ(Format("0044-03-15 BC", "YYYY BC"), "0044 BC");
  EXPECT_EQ(Format("2024-12-30", "IYYY-IW-ID"), "2025-01-1");
}

TEST(DatetimeTemplate, ReadsAsPostgres) {
  EXPECT_EQ(Read("20240506", "YYYYMMDD"), "2024-05-06 00:00:00");
  EXPECT_EQ(Read("05 Dec 2000 11:30 PM", "DD Mon YYYY HH:MI AM"), "2000-12-05 23:30:00");
  EXPECT_EQ(Read("2024/05/06", "YYYY-MM-DD"), "2024-05-06 00:00:00");
  EXPECT_EQ(Read("2024-127", "YYYY-DDD"), "2024-05-06 00:00:00");
  EXPECT_EQ(Read("2024-05-06 07:08:09+02", "YYYY-MM-DD HH24:MI:SSTZH"), "2024-05-06 05:08:09");
  EXPECT_EQ(Read("7:08:09.5", "HH24:MI:SS.MS"), "0001-01-01 07:08:09.5 BC");
}

TEST(DatetimeTemplate, RefusesWhatDoesNotFit) {
  EXPECT_EQ(Read("2024-13-01", "YYYY-MM-DD"), "22008");
  EXPECT_EQ(Read("2024-02-30", "YYYY-MM-DD"), "22008");
  EXPECT_EQ(Read("abc", "YYYY-MM-DD"), "22007");
  EXPECT_EQ(Read("13:00 PM", "HH:MI AM"), "22007");
}

TEST(DatetimeTemplate, FormatsIntervalsWithoutDates) {
  std::string out;
  ASSERT_OK(DatetimeTemplate("HH24:MI:SS").FormatInterval({0, 0, 360'012'000'000}, &out));
  EXPECT_EQ(out, "100:00:12");
  EXPECT_ERROR(DatetimeTemplate("Day").FormatInterval({}, &out), SqlState::kInvalidDatetimeFormat,
               "interval");
}

}  // namespace
}  // namespace millrace
