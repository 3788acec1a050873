#include "common/expr/datetime_field.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/types/calendar.h"
#include "common/types/decimal.h"

namespace millrace {
namespace {

using Field = DatetimeField;

struct FieldName {
  absl::string_view name;
  Field field;
};

constexpr FieldName kFieldNames[] = {
    {"microseconds", Field::kMicroseconds}, {"microsecond", Field::kMicroseconds},
    {"us", Field::kMicroseconds},           {"usec", Field::kMicroseconds},
    {"usecs", Field::kMicroseconds},        {"milliseconds", Field::kMilliseconds},
    {"millisecond", Field::kMilliseconds},  {"ms", Field::kMilliseconds},
    {"msec", Field::kMilliseconds},         {"msecs", Field::kMilliseconds},
    {"second", Field::kSecond},             {"seconds", Field::kSecond},
    {"sec", Field::kSecond},                {"secs", Field::kSecond},
    {"s", Field::kSecond},                  {"minute", Field::kMinute},
    {"minutes", Field::kMinute},            {"min", Field::kMinute},
    {"mins", Field::kMinute},               {"m", Field::kMinute},
    {"hour", Field::kHour},                 {"hours", Field::kHour},
    {"hr", Field::kHour},                   {"hrs", Field::kHour},
    {"h", Field::kHour},                    {"day", Field::kDay},
    {"days", Field::kDay},                  {"d", Field::kDay},
    {"week", Field::kWeek},                 {"weeks", Field::kWeek},
    {"w", Field::kWeek},                    {"month", Field::kMonth},
    {"months", Field::kMonth},              {"mon", Field::kMonth},
    {"mons", Field::kMonth},                {"quarter", Field::kQuarter},
    {"qtr", Field::kQuarter},               {"year", Field::kYear},
    {"years", Field::kYear},                {"yr", Field::kYear},
    {"yrs", Field::kYear},                  {"y", Field::kYear},
    {"decade", Field::kDecade},             {"decades", Field::kDecade},
    {"dec", Field::kDecade},                {"century", Field::kCentury},
    {"centuries", Field::kCentury},         {"cent", Field::kCentury},
    {"c", Field::kCentury},                 {"millennium", Field::kMillennium},
    {"millennia", Field::kMillennium},      {"mil", Field::kMillennium},
    {"epoch", Field::kEpoch},               {"dow", Field::kDow},
    {"isodow", Field::kIsoDow},             {"doy", Field::kDoy},
    {"isoyear", Field::kIsoYear},           {"julian", Field::kJulian},
    {"timezone", Field::kTimezone},         {"timezone_hour", Field::kTimezoneHour},
    {"timezone_minute", Field::kTimezoneMinute},
};

// PostgreSQL's word for the field in messages: the first name of each.
absl::string_view NameOf(Field field) {
  for (const FieldName& entry : kFieldNames) {
    if (entry.field == field) return entry.name;
  }
  return "";
}

absl::Status NotSupportedFor(Field field, TypeId type) {
  return MakeError(SqlState::kFeatureNotSupported,
                   absl::StrCat("unit \"", NameOf(field), "\" not supported for type ",
                                TypeName(SqlType::Of(type))));
}

// 0 = Sunday.
int64_t DayOfWeek(int64_t days) { return FloorMod(days + 4, 7); }

// The Monday of the ISO week.
int64_t MondayOf(int64_t days) { return days - FloorMod(days + 3, 7); }

// ISO weeks belong to the year of their Thursday.
int64_t IsoYear(int64_t days) { return CivilFromDays(MondayOf(days) + 3).year; }

int64_t IsoWeek(int64_t days) {
  const int64_t thursday = MondayOf(days) + 3;
  const int64_t first = DaysFromCivil(CivilFromDays(thursday).year, 1, 1);
  return (thursday - first) / 7 + 1;
}

// There is no year 0: internally 0 is 1 BC, shown as −1.
int64_t ShownYear(int64_t year) { return year > 0 ? year : year - 1; }

int64_t CenturyOf(int64_t year, int64_t length) {
  return year > 0 ? (year + length - 1) / length : -((length - 1 - (year - 1)) / length);
}

// Julian day number of 1970-01-01.
constexpr int64_t kJulianOfEpoch = 2440588;

// The fields that depend on the date alone.
absl::StatusOr<__int128> ExtractDay(Field field, int64_t days, TypeId type) {
  const CivilDate date = CivilFromDays(days);
  switch (field) {
    case Field::kDay:
      return date.day;
    case Field::kWeek:
      return IsoWeek(days);
    case Field::kMonth:
      return date.month;
    case Field::kQuarter:
      return (date.month - 1) / 3 + 1;
    case Field::kYear:
      return ShownYear(date.year);
    case Field::kDecade:
      return FloorDiv(date.year, 10);
    case Field::kCentury:
      return CenturyOf(date.year, 100);
    case Field::kMillennium:
      return CenturyOf(date.year, 1000);
    case Field::kDow:
      return DayOfWeek(days);
    case Field::kIsoDow:
      return DayOfWeek(days) == 0 ? 7 : DayOfWeek(days);
    case Field::kDoy:
      return days - DaysFromCivil(date.year, 1, 1) + 1;
    case Field::kIsoYear:
      return ShownYear(IsoYear(days));
    default:
      return NotSupportedFor(field, type);
  }
}

// The fields that depend on the time of day alone.
bool ExtractTimeOfDay(Field field, int64_t micros, __int128* out) {
  switch (field) {
    case Field::kMicroseconds:
    case Field::kMilliseconds:
    case Field::kSecond:
      // Seven digits that mean seconds, thousandths or millionths, by the scale.
      *out = micros % kMicrosPerMinute;
      return true;
    case Field::kMinute:
      *out = micros / kMicrosPerMinute % 60;
      return true;
    case Field::kHour:
      *out = micros / kMicrosPerHour;
      return true;
    default:
      return false;
  }
}

// The last year before the decade, century or millennium, plus one.
int64_t FirstYear(Field field, int64_t year) {
  if (field == Field::kDecade) return FloorDiv(year, 10) * 10;
  const int64_t length = field == Field::kCentury ? 100 : 1000;
  return FloorDiv(year - 1, length) * length + 1;
}

// First day of the week, month, … that a day lies in.
absl::StatusOr<int64_t> TruncateDay(Field field, int64_t days, TypeId type) {
  const CivilDate date = CivilFromDays(days);
  switch (field) {
    case Field::kDay:
      return days;
    case Field::kWeek:
      return MondayOf(days);
    case Field::kMonth:
      return DaysFromCivil(date.year, date.month, 1);
    case Field::kQuarter:
      return DaysFromCivil(date.year, (date.month - 1) / 3 * 3 + 1, 1);
    case Field::kYear:
      return DaysFromCivil(date.year, 1, 1);
    case Field::kDecade:
    case Field::kCentury:
    case Field::kMillennium:
      return DaysFromCivil(FirstYear(field, date.year), 1, 1);
    default:
      return NotSupportedFor(field, type);
  }
}

// Microseconds of the units below a day; 0 for others.
int64_t UnitMicros(Field field) {
  switch (field) {
    case Field::kMicroseconds:
      return 1;
    case Field::kMilliseconds:
      return 1000;
    case Field::kSecond:
      return kMicrosPerSecond;
    case Field::kMinute:
      return kMicrosPerMinute;
    case Field::kHour:
      return kMicrosPerHour;
    default:
      return 0;
  }
}

}  // namespace

absl::StatusOr<DatetimeField> ParseDatetimeField(absl::string_view name, const SqlType& type) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (const FieldName& entry : kFieldNames) {
    if (entry.name == lower) return entry.field;
  }
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("unit \"", name, "\" not recognized for type ", TypeName(type)));
}

int32_t ScaleOfField(DatetimeField field) {
  switch (field) {
    case Field::kSecond:
    case Field::kEpoch:
      return 6;
    case Field::kMilliseconds:
      return 3;
    case Field::kJulian:
      return kUnconstrainedNumericScale;
    default:
      return 0;
  }
}

absl::StatusOr<__int128> ExtractFromTimestamp(DatetimeField field, int64_t micros,
                                              int32_t zone_offset_seconds, bool has_zone) {
  const TypeId type = has_zone ? TypeId::kTimestampTz : TypeId::kTimestamp;
  const int64_t days = FloorDiv(micros, kMicrosPerDay);
  const int64_t time = FloorMod(micros, kMicrosPerDay);
  __int128 value = 0;
  if (ExtractTimeOfDay(field, time, &value)) return value;
  switch (field) {
    case Field::kEpoch:
      return static_cast<__int128>(micros) - int64_t{zone_offset_seconds} * kMicrosPerSecond;
    case Field::kJulian: {
      const __int128 fraction = PowerOfTen(kUnconstrainedNumericScale) * time;
      return (days + kJulianOfEpoch) * PowerOfTen(kUnconstrainedNumericScale) +
             DivideRounded(fraction, kMicrosPerDay);
    }
    case Field::kTimezone:
    case Field::kTimezoneHour:
    case Field::kTimezoneMinute:
      if (!has_zone) return NotSupportedFor(field, type);
      if (field == Field::kTimezone) return zone_offset_seconds;
      return field == Field::kTimezoneHour ? zone_offset_seconds / 3600
                                           : zone_offset_seconds / 60 % 60;
    default:
      return ExtractDay(field, days, type);
  }
}

absl::StatusOr<__int128> ExtractFromDate(DatetimeField field, int32_t days) {
  if (field == Field::kEpoch) return static_cast<__int128>(days) * kMicrosPerDay;
  if (field == Field::kJulian) {
    return (int64_t{days} + kJulianOfEpoch) * PowerOfTen(kUnconstrainedNumericScale);
  }
  return ExtractDay(field, days, TypeId::kDate);
}

absl::StatusOr<__int128> ExtractFromTime(DatetimeField field, int64_t micros) {
  __int128 value = 0;
  if (ExtractTimeOfDay(field, micros, &value)) return value;
  if (field == Field::kEpoch) return micros;
  return NotSupportedFor(field, TypeId::kTime);
}

absl::StatusOr<__int128> ExtractFromInterval(DatetimeField field, const IntervalParts& interval) {
  const int64_t years = interval.months / 12;
  const int64_t months = interval.months % 12;
  __int128 value = 0;
  if (ExtractTimeOfDay(field, interval.micros, &value)) return value;
  switch (field) {
    case Field::kDay:
      return interval.days;
    case Field::kMonth:
      return months;
    case Field::kQuarter:
      return months / 3 + 1;
    case Field::kYear:
      return years;
    case Field::kDecade:
      return years / 10;
    case Field::kCentury:
      return years / 100;
    case Field::kMillennium:
      return years / 1000;
    case Field::kEpoch: {
      // A year counts 365.25 days, a month 30.
      const __int128 quarter_days = years * 1461 + (months * 30 + interval.days) * 4;
      return quarter_days * (kMicrosPerDay / 4) + interval.micros;
    }
    default:
      return NotSupportedFor(field, TypeId::kInterval);
  }
}

absl::StatusOr<int64_t> TruncateTimestamp(DatetimeField field, int64_t micros, bool has_zone) {
  const int64_t unit = UnitMicros(field);
  if (unit != 0) return micros - FloorMod(micros, unit);
  MR_ASSIGN_OR_RETURN(const int64_t days,
                      TruncateDay(field, FloorDiv(micros, kMicrosPerDay),
                                  has_zone ? TypeId::kTimestampTz : TypeId::kTimestamp));
  return days * kMicrosPerDay;
}

absl::StatusOr<IntervalParts> TruncateInterval(DatetimeField field, const IntervalParts& interval) {
  IntervalParts out = interval;
  const int64_t unit = UnitMicros(field);
  if (unit != 0) {
    out.micros -= out.micros % unit;
    return out;
  }
  out.micros = 0;
  if (field == Field::kDay) return out;
  out.days = 0;
  switch (field) {
    case Field::kMonth:
      return out;
    case Field::kQuarter:
      out.months -= out.months % 3;
      return out;
    case Field::kYear:
      out.months -= out.months % 12;
      return out;
    case Field::kDecade:
      out.months -= out.months % 120;
      return out;
    case Field::kCentury:
      out.months -= out.months % 1200;
      return out;
    case Field::kMillennium:
      out.months -= out.months % 12000;
      return out;
    default:
      return NotSupportedFor(field, TypeId::kInterval);
  }
}

}  // namespace millrace
