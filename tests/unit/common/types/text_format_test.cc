#include "common/types/text_format.h"

#include <cmath>
#include <limits>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "common/types/value_array.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

template <typename F>
std::string Text(const F& append) {
  std::string out;
  append(&out);
  return out;
}

TEST(AppendFloat, IsShortestAndSwitchesToExponentsAsPostgres) {
  const std::pair<double, const char*> cases[] = {
      {0.1, "0.1"},       {1.0, "1"},
      {100, "100"},       {1e14, "100000000000000"},
      {1e15, "1e+15"},    {0.0001, "0.0001"},
      {0.00001, "1e-05"}, {-0.0, "-0"},
      {1e300, "1e+300"},  {1.0 / 3, "0.3333333333333333"},
      {5e-324, "5e-324"}, {123456789.125, "123456789.125"},
      {NAN, "NaN"},       {-INFINITY, "-Infinity"},
  };
  for (const auto& [value, expected] : cases) {
    SCOPED_TRACE(expected);
    EXPECT_EQ(Text([v = value](std::string* out) { AppendFloat64(v, out); }), expected);
  }
  EXPECT_EQ(Text([](std::string* out) { AppendFloat32(1234567.0F, out); }), "1.234567e+06");
  EXPECT_EQ(Text([](std::string* out) { AppendFloat32(0.1F, out); }), "0.1");
  EXPECT_EQ(Text([](std::string* out) { AppendFloat32(123456.0F, out); }), "123456");
}

TEST(AppendNumeric, KeepsAllDigitsOfTheScale) {
  const auto text = [](__int128 value, int32_t scale) {
    return Text([=](std::string* out) { AppendNumeric(value, scale, out); });
  };
  EXPECT_EQ(text(0, 0), "0");
  EXPECT_EQ(text(0, 3), "0.000");
  EXPECT_EQ(text(-5, 2), "-0.05");
  EXPECT_EQ(text(150, 2), "1.50");
  const __int128 large = static_cast<__int128>(1'000'000'000'000'000'000) * 1'000'000'007;
  EXPECT_EQ(text(large, 0), "1000000007000000000000000000");
  EXPECT_EQ(text(large, 20), "10000000.07000000000000000000");
  EXPECT_EQ(text(-large, 38), "-0.00000000001000000007000000000000000000");
}

TEST(AppendDatetime, ShowsBcAndFractions) {
  EXPECT_EQ(Text([](std::string* out) { AppendDate(-719163, out); }), "0001-12-31 BC");
  EXPECT_EQ(Text([](std::string* out) { AppendDate(0, out); }), "1970-01-01");
  EXPECT_EQ(Text([](std::string* out) { AppendTimestamp(-1, out); }), "1969-12-31 23:59:59.999999");
  EXPECT_EQ(Text([](std::string* out) { AppendTimestamp(100000, out); }), "1970-01-01 00:00:00.1");
  EXPECT_EQ(Text([](std::string* out) { AppendTimestampTz(0, -19800, out); }),
            "1969-12-31 18:30:00-05:30");
  EXPECT_EQ(Text([](std::string* out) { AppendTime(86'400'000'000, out); }), "24:00:00");
}

TEST(AppendInterval, ShowsSignsBehindNegativeParts) {
  const auto text = [](IntervalParts parts) {
    return Text([&](std::string* out) { AppendInterval(parts, out); });
  };
  EXPECT_EQ(text({}), "00:00:00");
  EXPECT_EQ(text({14, 3, 3'723'000'000}), "1 year 2 mons 3 days 01:02:03");
  EXPECT_EQ(text({-14, 1, 1'000'000}), "-1 years -2 mons +1 day 00:00:01");
  EXPECT_EQ(text({0, -1, 7'380'000'000}), "-1 days +02:03:00");
  EXPECT_EQ(text({0, 1, -1}), "1 day -00:00:00.000001");
}

TEST(AppendValueText, ReadsEveryTypeAndDictionaries) {
  const Value values[] = {
      {SqlType::Of(TypeId::kBoolean), true},
      {SqlType::Of(TypeId::kInt16), int64_t{-3}},
      {SqlType::Of(TypeId::kInt64), std::numeric_limits<int64_t>::min()},
      {SqlType::Of(TypeId::kFloat64), 0.5},
      {SqlType::Numeric(0, 2), static_cast<__int128>(-1)},
      {SqlType::Of(TypeId::kText), std::string("a\"b")},
      {SqlType{TypeId::kChar, 4, 0}, std::string("é")},
      {SqlType::Of(TypeId::kBytea), std::string("\x01\xff", 2)},
      {SqlType::Of(TypeId::kUuid), std::string(16, '\x11')},
      {SqlType::Of(TypeId::kDate), int64_t{19782}},
      {SqlType::Of(TypeId::kTime), int64_t{1}},
      {SqlType::Of(TypeId::kTimestampTz), int64_t{0}},
      {SqlType::Of(TypeId::kInterval), IntervalParts{1, 0, 0}},
  };
  const char* const expected[] = {"t",
                                  "-3",
                                  "-9223372036854775808",
                                  "0.5",
                                  "-0.01",
                                  "a\"b",
                                  "é   ",
                                  "\\x01ff",
                                  "11111111-1111-1111-1111-111111111111",
                                  "2024-02-29",
                                  "00:00:00.000001",
                                  "1970-01-01 00:00:00+00",
                                  "1 mon"};
  for (size_t i = 0; i < std::size(values); ++i) {
    SCOPED_TRACE(expected[i]);
    const auto array = ArrayOfValue(values[i], 2);
    ASSERT_OK(array);
    EXPECT_EQ(Text([&](std::string* out) { AppendValueText(**array, 1, values[i].type, out); }),
              expected[i]);
    EXPECT_EQ(ValueText(values[i]), expected[i]);
    EXPECT_EQ(ValueAt(**array, 1, values[i].type), values[i]);
  }
}

TEST(FormatColumn, KeepsNulls) {
  arrow::Int32Builder builder;
  ASSERT_TRUE(builder.Append(7).ok());
  ASSERT_TRUE(builder.AppendNull().ok());
  const auto array = *builder.Finish();
  const auto text = FormatColumn(*array, SqlType::Of(TypeId::kInt32));
  ASSERT_OK(text);
  EXPECT_EQ(static_cast<const arrow::StringArray&>(**text).GetString(0), "7");
  EXPECT_TRUE((*text)->IsNull(1));
}

}  // namespace
}  // namespace millrace
