#include "common/expr/datetime_field.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/types/calendar.h"
#include "common/types/decimal.h"

namespace millrace {
namespace {

using Unit = DatetimeField;

struct FieldName {
  absl::string_view name;
  Unit field;
};

constexpr FieldName kFieldNames[] = {
    {"microseconds", Unit::kMicroseconds},
    {"microsecond", Unit::kMicroseconds},
    {"us", Unit::kMicroseconds},
    {"usec", Unit::kMicroseconds},
    {"usecs", Unit::kMicroseconds},
    {"milliseconds", Unit::kMilliseconds},
    {"millisecond", Unit::kMilliseconds},
    {"ms", Unit::kMilliseconds},
    {"msec", Unit::kMilliseconds},
    {"msecs", Unit::kMilliseconds},
    {"second", Unit::kSecond},
    {"seconds", Unit::kSecond},
    {"sec", Unit::kSecond},
    {"secs", Unit::kSecond},
    {"s", Unit::kSecond},
    {"minute", Unit::kMinute},
    {"minutes", Unit::kMinute},
    {"min", Unit::kMinute},
    {"mins", Unit::kMinute},
    {"m", Unit::kMinute},
    {"hour", Unit::kHour},
    {"hours", Unit::kHour},
    {"hr", Unit::kHour},
    {"hrs", Unit::kHour},
    {"h", Unit::kHour},
    {"day", Unit::kDay},
    {"days", Unit::kDay},
    {"d", Unit::kDay},
    {"week", Unit::kWeek},
    {"weeks", Unit::kWeek},
    {"w", Unit::kWeek},
    {"month", Unit::kMonth},
    {"months", Unit::kMonth},
    {"mon", Unit::kMonth},
    {"mons", Unit::kMonth},
    {"quarter", Unit::kQuarter},
    {"qtr", Unit::kQuarter},
    {"year", Unit::kYear},
    {"years", Unit::kYear},
    {"yr", Unit::kYear},
    {"yrs", Unit::kYear},
    {"y", Unit::kYear},
    {"decade", Unit::kDecade},
    {"decades", Unit::kDecade},
    {"dec", Unit::kDecade},
    {"century", Unit::kCentury},
    {"centuries", Unit::kCentury},
    {"cent", Unit::kCentury},
    {"c", Unit::kCentury},
    {"millennium", Unit::kMillennium},
    {"millennia", Unit::kMillennium},
    {"mil", Unit::kMillennium},
    {"epoch", Unit::kEpoch},
    {"dow", Unit::kDow},
    {"isodow", Unit::kIsoDow},
    {"doy", Unit::kDoy},
    {"isoyear", Unit::kIsoYear},
    {"julian", Unit::kJulian},
    {"timezone", Unit::kTimezone},
    {"timezone_hour", Unit::kTimezoneHour},
    {"timezone_minute", Unit::kTimezoneMinute},
};

// PostgreSQL's word for the field in messages: the first name of each.
absl::string_view NameOf(Unit field) {
  for (const FieldName& entry : kFieldNames) {
    if (entry.field == field) return entry.name;
  }
  return "";
}

absl::Status NotSupportedFor(Unit field, TypeId type) {
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
absl::StatusOr<__int128> ExtractDay(Unit field, int64_t days, TypeId type) {
  const CivilDate date = CivilFromDays(days);
  switch (field) {
    case Unit::kDay:
      return date.day;
    case Unit::kWeek:
      return IsoWeek(days);
    case Unit::kMonth:
      return date.month;
    case Unit::kQuarter:
      return (date.month - 1) / 3 + 1;
    case Unit::kYear:
      return ShownYear(date.year);
    case Unit::kDecade:
      return FloorDiv(date.year, 10);
    case Unit::kCentury:
      return CenturyOf(date.year, 100);
    case Unit::kMillennium:
      return CenturyOf(date.year, 1000);
    case Unit::kDow:
      return DayOfWeek(days);
    case Unit::kIsoDow:
      return DayOfWeek(days) == 0 ? 7 : DayOfWeek(days);
    case Unit::kDoy:
      return days - DaysFromCivil(date.year, 1, 1) + 1;
    case Unit::kIsoYear:
      return ShownYear(IsoYear(days));
    default:
      return NotSupportedFor(field, type);
  }
}

// The fields that depend on the time of day alone.
bool ExtractTimeOfDay(Unit field, int64_t micros, __int128* out) {
  switch (field) {
    case Unit::kMicroseconds:
    case Unit::kMilliseconds:
    case Unit::kSecond:
      // Seven digits that mean seconds, thousandths or millionths, by the scale.
      *out = micros % kMicrosPerMinute;
      return true;
    case Unit::kMinute:
      *out = micros / kMicrosPerMinute % 60;
      return true;
    case Unit::kHour:
      *out = micros / kMicrosPerHour;
      return true;
    default:
      return false;
  }
}

// The last year before the decade, century or millennium, plus one.
int64_t FirstYear(Unit field, int64_t year) {
  if (field == Unit::kDecade) return FloorDiv(year, 10) * 10;
  const int64_t length = field == Unit::kCentury ? 100 : 1000;
  return FloorDiv(year - 1, length) * length + 1;
}

// First day of the week, month, … that a day lies in.
absl::StatusOr<int64_t> TruncateDay(Unit field, int64_t days, TypeId type) {
  const CivilDate date = CivilFromDays(days);
  switch (field) {
    case Unit::kDay:
      return days;
    case Unit::kWeek:
      return MondayOf(days);
    case Unit::kMonth:
      return DaysFromCivil(date.year, date.month, 1);
    case Unit::kQuarter:
      return DaysFromCivil(date.year, (date.month - 1) / 3 * 3 + 1, 1);
    case Unit::kYear:
      return DaysFromCivil(date.year, 1, 1);
    case Unit::kDecade:
    case Unit::kCentury:
    case Unit::kMillennium:
      return DaysFromCivil(FirstYear(field, date.year), 1, 1);
    default:
      return NotSupportedFor(field, type);
  }
}

// Microseconds of the units below a day; 0 for others.
int64_t UnitMicros(Unit field) {
  switch (field) {
    case Unit::kMicroseconds:
      return 1;
    case Unit::kMilliseconds:
      return 1000;
    case Unit::kSecond:
      return kMicrosPerSecond;
    case Unit::kMinute:
      return kMicrosPerMinute;
    case Unit::kHour:
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
    case Unit::kSecond:
    case Unit::kEpoch:
      return 6;
    case Unit::kMilliseconds:
      return 3;
    case Unit::kJulian:
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
    case Unit::kEpoch:
      return static_cast<__int128>(micros) - int64_t{zone_offset_seconds} * kMicrosPerSecond;
    case Unit::kJulian: {
      const __int128 fraction = PowerOfTen(kUnconstrainedNumericScale) * time;
      return (days + kJulianOfEpoch) * PowerOfTen(kUnconstrainedNumericScale) +
             DivideRounded(fraction, kMicrosPerDay);
    }
    case Unit::kTimezone:
    case Unit::kTimezoneHour:
    case Unit::kTimezoneMinute:
      if (!has_zone) return NotSupportedFor(field, type);
      if (field == Unit::kTimezone) return zone_offset_seconds;
      return field == Unit::kTimezoneHour ? zone_offset_seconds / 3600
                                          : zone_offset_seconds / 60 % 60;
    default:
      return ExtractDay(field, days, type);
  }
}

absl::StatusOr<__int128> ExtractFromDate(DatetimeField field, int32_t days) {
  if (field == Unit::kEpoch) return static_cast<__int128>(days) * kMicrosPerDay;
  if (field == Unit::kJulian) {
    return (int64_t{days} + kJulianOfEpoch) * PowerOfTen(kUnconstrainedNumericScale);
  }
  return ExtractDay(field, days, TypeId::kDate);
}

absl::StatusOr<__int128> ExtractFromTime(DatetimeField field, int64_t micros) {
  __int128 value = 0;
  if (ExtractTimeOfDay(field, micros, &value)) return value;
  if (field == Unit::kEpoch) return micros;
  return NotSupportedFor(field, TypeId::kTime);
}

absl::StatusOr<__int128> ExtractFromInterval(DatetimeField field, const IntervalParts& interval) {
  const int64_t years = interval.months / 12;
  const int64_t months = interval.months % 12;
  __int128 value = 0;
  if (ExtractTimeOfDay(field, interval.micros, &value)) return value;
  switch (field) {
    case Unit::kDay:
      return interval.days;
    case Unit::kMonth:
      return months;
    case Unit::kQuarter:
      return months / 3 + 1;
    case Unit::kYear:
      return years;
    case Unit::kDecade:
      return years / 10;
    case Unit::kCentury:
      return years / 100;
    case Unit::kMillennium:
      return years / 1000;
    case Unit::kEpoch: {
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
  if (field == Unit::kDay) return out;
  out.days = 0;
  switch (field) {
    case Unit::kMonth:
      return out;
    case Unit::kQuarter:
      out.months -= out.months % 3;
      return out;
    case Unit::kYear:
      out.months -= out.months % 12;
      return out;
    case Unit::kDecade:
      out.months -= out.months % 120;
      return out;
    case Unit::kCentury:
      out.months -= out.months % 1200;
      return out;
    case Unit::kMillennium:
      out.months -= out.months % 12000;
      return out;
    default:
      return NotSupportedFor(field, TypeId::kInterval);
  }
}

}  // namespace millrace
