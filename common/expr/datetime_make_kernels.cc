#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/datetime_math.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/expr/zone_offset.h"
#include "common/types/calendar.h"

// Dates and times from numbers, and AT TIME ZONE.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

struct ClockTime {
  int32_t hour;
  int32_t minute;
  double second;
};

absl::Status MakeDays(CivilDate date, int64_t* out) {
  const CivilDate given = date;
  // Negative years are BC; there is no year 0.
  if (date.year < 0) ++date.year;
  const bool fits = given.year != 0 && date.month >= 1 && date.month <= 12 && date.day >= 1 &&
                    date.day <= DaysInMonth(date.year, date.month);
  if (fits) *out = DaysFromCivil(date.year, date.month, date.day);
  if (fits && *out >= kMinDateDays && *out <= kMaxDateDays) return absl::OkStatus();
  return MakeError(SqlState::kDatetimeOverflow,
                   absl::StrCat("date field value out of range: ", given.year, "-", given.month,
                                "-", given.day));
}

absl::Status MakeMicros(const ClockTime& time, int64_t* out) {
  const bool fits = time.hour >= 0 && time.hour <= 24 && time.minute >= 0 && time.minute <= 59 &&
                    time.second >= 0 && time.second <= 60;
  if (fits) {
    *out = time.hour * kMicrosPerHour + time.minute * kMicrosPerMinute +
           std::llrint(time.second * static_cast<double>(kMicrosPerSecond));
  }
  if (fits && *out <= kMicrosPerDay) return absl::OkStatus();
  return MakeError(SqlState::kDatetimeOverflow,
                   absl::StrCat("time field value out of range: ", time.hour, ":", time.minute, ":",
                                time.second));
}

absl::Status MakeTimestampMicros(const CivilDate& date, const ClockTime& time, int64_t* out) {
  int64_t days = 0;
  int64_t micros = 0;
  MR_RETURN_IF_ERROR(MakeDays(date, &days));
  MR_RETURN_IF_ERROR(MakeMicros(time, &micros));
  const bool overflow =
      __builtin_mul_overflow(days, kMicrosPerDay, out) || __builtin_add_overflow(*out, micros, out);
  return overflow ? TimestampOutOfRange() : absl::OkStatus();
}

ArrayOr MakeDate(const KernelCall& call) {
  const auto make = [](int32_t year, int32_t month, int32_t day, int32_t* out) -> absl::Status {
    int64_t days = 0;
    MR_RETURN_IF_ERROR(MakeDays(CivilDate{year, month, day}, &days));
    *out = static_cast<int32_t>(days);
    return absl::OkStatus();
  };
  return MapRows<int32_t, int32_t, int32_t, int32_t>(call, make);
}

ArrayOr MakeTime(const KernelCall& call) {
  return MapRows<int64_t, int32_t, int32_t, double>(
      call, [](int32_t hour, int32_t minute, double second, int64_t* out) {
        return MakeMicros(ClockTime{hour, minute, second}, out);
      });
}

ArrayOr MakeTimestampAt(const KernelCall& call, int64_t zone_micros) {
  MR_ASSIGN_OR_RETURN(const Validity strict, StrictValidity(call));
  std::vector<ColumnReader<int32_t>> fields;
  for (size_t i = 0; i < 5; ++i) fields.emplace_back(call.args[i]);
  const ColumnReader<double> seconds(call.args[5]);
  ColumnWriter<int64_t> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  for (int64_t row = 0; row < call.num_rows; ++row) {
    if (!strict.IsValid(row)) {
      writer.SetNull(row);
      continue;
    }
    const CivilDate date{fields[0][row], fields[1][row], fields[2][row]};
    const ClockTime time{fields[3][row], fields[4][row], seconds[row]};
    MR_RETURN_IF_ERROR(MakeTimestampMicros(date, time, writer.slot()));
    *writer.slot() -= zone_micros;
    writer.Commit(row);
  }
  return writer.Finish(strict);
}

ArrayOr MakeTimestamp(const KernelCall& call) { return MakeTimestampAt(call, 0); }

ArrayOr MakeTimestampTz(const KernelCall& call) {
  return MakeTimestampAt(call, call.context->zone_offset_seconds * kMicrosPerSecond);
}

// years, months, weeks, days, hours, mins, secs; those at the end may be missing.
ArrayOr MakeInterval(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(const Validity strict, StrictValidity(call));
  ColumnWriter<IntervalParts> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  const auto part = [&](size_t index, int64_t row) -> int64_t {
    return index < call.args.size() ? ColumnReader<int32_t>(call.args[index])[row] : 0;
  };
  for (int64_t row = 0; row < call.num_rows; ++row) {
    if (!strict.IsValid(row)) {
      writer.SetNull(row);
      continue;
    }
    const double seconds = call.args.size() > 6 ? ColumnReader<double>(call.args[6])[row] : 0;
    const int64_t months = part(0, row) * 12 + part(1, row);
    const int64_t days = part(2, row) * 7 + part(3, row);
    const double micros = static_cast<double>(part(4, row) * kMicrosPerHour) +
                          static_cast<double>(part(5, row) * kMicrosPerMinute) + seconds * 1e6;
    const bool fits = months == static_cast<int32_t>(months) &&
                      days == static_cast<int32_t>(days) &&
                      std::fabs(micros) < static_cast<double>(kMaxIntervalMicros);
    if (!fits) return IntervalOutOfRange();
    *writer.slot() = IntervalParts{static_cast<int32_t>(months), static_cast<int32_t>(days),
                                   std::llrint(micros)};
    writer.Commit(row);
  }
  return writer.Finish(strict);
}

ArrayOr FromEpoch(const KernelCall& call) {
  return MapRows<int64_t, double>(call, [](double seconds, int64_t* out) -> absl::Status {
    const double micros = std::rint(seconds * 1e6);
    constexpr double kEnd = 9223372036854775808.0;
    if (!(micros >= static_cast<double>(kMinTimestampMicros) && micros < kEnd)) {
      return MakeError(SqlState::kDatetimeOverflow,
                       absl::StrCat("timestamp out of range: \"", seconds, "\""));
    }
    *out = static_cast<int64_t>(micros);
    return absl::OkStatus();
  });
}

// The zone that was named last.
class ZoneReader {
 public:
  absl::StatusOr<ZoneOffset> Read(string_view name) {
    if (!zone_.has_value() || name != name_) {
      MR_ASSIGN_OR_RETURN(zone_, ZoneOffset::Parse(name));
      name_ = std::string(name);
    }
    return *zone_;
  }

 private:
  std::string name_;
  std::optional<ZoneOffset> zone_;
};

template <bool kToUtc>
ArrayOr AtNamedZone(const KernelCall& call) {
  ZoneReader zones;
  const auto convert = [&](string_view name, int64_t micros, int64_t* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const ZoneOffset zone, zones.Read(name));
    *out = kToUtc ? zone.ToUtc(micros) : zone.ToLocal(micros);
    return absl::OkStatus();
  };
  return MapRows<int64_t, string_view, int64_t>(call, convert);
}

template <bool kToUtc>
ArrayOr AtIntervalZone(const KernelCall& call) {
  const auto convert = [](const IntervalParts& offset, int64_t micros,
                          int64_t* out) -> absl::Status {
    if (offset.months != 0 || offset.days != 0) {
      return MakeError(SqlState::kInvalidParameterValue,
                       "interval time zone must not include months or days");
    }
    *out = kToUtc ? micros - offset.micros : micros + offset.micros;
    return absl::OkStatus();
  };
  return MapRows<int64_t, IntervalParts, int64_t>(call, convert);
}

}  // namespace

void AddDatetimeMakeFunctions(FunctionTable* table) {
  const uint8_t costly = kFallible | kCostly;
  table->Add("make_date(int4,int4,int4)->date", MakeDate, "year, month, day", costly);
  table->Add("make_time(int4,int4,float8)->time", MakeTime, "hour, minute, second", costly);
  table->Add("make_timestamp(int4,int4,int4,int4,int4,float8)->timestamp", MakeTimestamp,
             "year, month, day, hour, minute, second", costly);
  table->Add("make_timestamptz(int4,int4,int4,int4,int4,float8)->timestamptz", MakeTimestampTz,
             "year, month, day, hour, minute, second", costly | kStable);
  std::string args;
  for (int i = 0; i < 7; ++i) {
    table->Add(absl::StrCat("make_interval(", args, ")->interval"), MakeInterval,
               "years, months, weeks, days, hours, mins, secs", costly);
    absl::StrAppend(&args, i == 0 ? "" : ",", i == 6 ? "float8" : "int4");
  }
  table->Add(absl::StrCat("make_interval(", args, ")->interval"), MakeInterval,
             "years, months, weeks, days, hours, mins, secs", costly);
  table->Add("to_timestamp(float8)->timestamptz", FromEpoch, "seconds since 1970 as a time",
             costly);
  table->Add("timezone(text,timestamp)->timestamptz", AtNamedZone<true>, "AT TIME ZONE", costly);
  table->Add("timezone(text,timestamptz)->timestamp", AtNamedZone<false>, "AT TIME ZONE", costly);
  table->Add("timezone(interval,timestamp)->timestamptz", AtIntervalZone<true>, "AT TIME ZONE",
             costly);
  table->Add("timezone(interval,timestamptz)->timestamp", AtIntervalZone<false>, "AT TIME ZONE",
             costly);
}

}  // namespace millrace
