#include "common/expr/datetime_math.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/status.h"

namespace millrace {
namespace {

constexpr int64_t kDaysPerMonth = 30;
constexpr int64_t kSecondsPerDay = 86400;

bool FitsInt32(int64_t value) {
  return value >= std::numeric_limits<int32_t>::min() &&
         value <= std::numeric_limits<int32_t>::max();
}

absl::Status MakeInterval(int64_t months, int64_t days, int64_t micros, IntervalParts* out) {
  const bool fits = FitsInt32(months) && FitsInt32(days) && micros <= kMaxIntervalMicros &&
                    micros >= -kMaxIntervalMicros;
  if (!fits) return IntervalOutOfRange();
  *out = IntervalParts{static_cast<int32_t>(months), static_cast<int32_t>(days), micros};
  return absl::OkStatus();
}

// Rounds to whole microseconds what is counted in days or seconds.
double RoundMicros(double value) { return std::rint(value * 1e6) / 1e6; }

// Months and days as products, whose fractions cascade down. PostgreSQL's interval_mul.
absl::Status Cascade(double months, double days, double micros, IntervalParts* out) {
  constexpr double kLimit = 2147483648.0;
  if (!(std::fabs(months) < kLimit) || !(std::fabs(days) < kLimit)) return IntervalOutOfRange();
  const double whole_months = std::trunc(months);
  double whole_days = std::trunc(days);
  const double month_days =
      RoundMicros((months - whole_months) * static_cast<double>(kDaysPerMonth));
  double seconds = RoundMicros((days - whole_days + month_days - std::trunc(month_days)) *
                               static_cast<double>(kSecondsPerDay));
  if (std::fabs(seconds) >= static_cast<double>(kSecondsPerDay)) {
    const double more = std::trunc(seconds / static_cast<double>(kSecondsPerDay));
    whole_days += more;
    seconds -= more * static_cast<double>(kSecondsPerDay);
  }
  whole_days += std::trunc(month_days);
  const double time = std::rint(micros + seconds * 1e6);
  if (!(std::fabs(time) <= static_cast<double>(kMaxIntervalMicros))) return IntervalOutOfRange();
  return MakeInterval(static_cast<int64_t>(whole_months), static_cast<int64_t>(whole_days),
                      static_cast<int64_t>(time), out);
}

}  // namespace

absl::Status TimestampOutOfRange() {
  return MakeError(SqlState::kDatetimeOverflow, "timestamp out of range");
}

absl::Status IntervalOutOfRange() {
  return MakeError(SqlState::kDatetimeOverflow, "interval out of range");
}

absl::Status AddInterval(int64_t micros, const IntervalParts& interval, int64_t* out) {
  int64_t result = micros;
  if (interval.months != 0) {
    const int64_t days = FloorDiv(micros, kMicrosPerDay);
    const CivilDate date = CivilFromDays(days);
    const int64_t month_index = int64_t{date.year} * 12 + (date.month - 1) + interval.months;
    const int64_t year = FloorDiv(month_index, 12);
    const auto month = static_cast<int32_t>(FloorMod(month_index, 12)) + 1;
    const int32_t day = std::min(date.day, DaysInMonth(year, month));
    const int64_t new_days = DaysFromCivil(year, month, day);
    if (__builtin_mul_overflow(new_days, kMicrosPerDay, &result) ||
        __builtin_add_overflow(result, FloorMod(micros, kMicrosPerDay), &result)) {
      return TimestampOutOfRange();
    }
  }
  const bool overflow =
      __builtin_add_overflow(result, int64_t{interval.days} * kMicrosPerDay, &result) ||
      __builtin_add_overflow(result, interval.micros, &result);
  if (overflow || result < kMinTimestampMicros) return TimestampOutOfRange();
  *out = result;
  return absl::OkStatus();
}

absl::Status NegateInterval(const IntervalParts& interval, IntervalParts* out) {
  return MakeInterval(-int64_t{interval.months}, -int64_t{interval.days}, -interval.micros, out);
}

absl::Status SumIntervals(const IntervalParts& a, const IntervalParts& b, IntervalParts* out) {
  return MakeInterval(int64_t{a.months} + b.months, int64_t{a.days} + b.days, a.micros + b.micros,
                      out);
}

absl::Status ScaleInterval(const IntervalParts& interval, double factor, IntervalParts* out) {
  return Cascade(interval.months * factor, interval.days * factor,
                 static_cast<double>(interval.micros) * factor, out);
}

absl::Status DivideInterval(const IntervalParts& interval, double divisor, IntervalParts* out) {
  if (divisor == 0) return MakeError(SqlState::kDivisionByZero, "division by zero");
  return Cascade(interval.months / divisor, interval.days / divisor,
                 static_cast<double>(interval.micros) / divisor, out);
}

IntervalParts DifferenceOfTimestamps(int64_t a, int64_t b) {
  // Both lie within 2^63 microseconds, the difference within 2^64.
  const __int128 difference = static_cast<__int128>(a) - b;
  return IntervalParts{0, static_cast<int32_t>(difference / kMicrosPerDay),
                       static_cast<int64_t>(difference % kMicrosPerDay)};
}

IntervalParts AgeBetween(int64_t a, int64_t b) {
  const bool negative = a < b;
  const int64_t late = std::max(a, b);
  const int64_t early = std::min(a, b);
  const CivilDate to = CivilFromDays(FloorDiv(late, kMicrosPerDay));
  const CivilDate from = CivilFromDays(FloorDiv(early, kMicrosPerDay));
  int64_t months = (int64_t{to.year} - from.year) * 12 + (to.month - from.month);
  int64_t days = to.day - from.day;
  int64_t micros = FloorMod(late, kMicrosPerDay) - FloorMod(early, kMicrosPerDay);
  if (micros < 0) {
    micros += kMicrosPerDay;
    --days;
  }
  if (days < 0) {
    // Borrowed is the month of the earlier date.
    days += DaysInMonth(from.year, from.month);
    --months;
  }
  const int64_t sign = negative ? -1 : 1;
  return IntervalParts{static_cast<int32_t>(sign * months), static_cast<int32_t>(sign * days),
                       sign * micros};
}

absl::Status JustifyHours(const IntervalParts& interval, IntervalParts* out) {
  int64_t days = interval.days + interval.micros / kMicrosPerDay;
  int64_t micros = interval.micros % kMicrosPerDay;
  if (days > 0 && micros < 0) {
    micros += kMicrosPerDay;
    --days;
  } else if (days < 0 && micros > 0) {
    micros -= kMicrosPerDay;
    ++days;
  }
  return MakeInterval(interval.months, days, micros, out);
}

absl::Status JustifyDays(const IntervalParts& interval, IntervalParts* out) {
  int64_t months = interval.months + interval.days / kDaysPerMonth;
  int64_t days = interval.days % kDaysPerMonth;
  if (months > 0 && days < 0) {
    days += kDaysPerMonth;
    --months;
  } else if (months < 0 && days > 0) {
    days -= kDaysPerMonth;
    ++months;
  }
  return MakeInterval(months, days, interval.micros, out);
}

absl::Status JustifyInterval(const IntervalParts& interval, IntervalParts* out) {
  int64_t days = interval.days + interval.micros / kMicrosPerDay;
  int64_t micros = interval.micros % kMicrosPerDay;
  int64_t months = interval.months + days / kDaysPerMonth;
  days %= kDaysPerMonth;
  if (months > 0 && (days < 0 || (days == 0 && micros < 0))) {
    days += kDaysPerMonth;
    --months;
  } else if (months < 0 && (days > 0 || (days == 0 && micros > 0))) {
    days -= kDaysPerMonth;
    ++months;
  }
  if (days > 0 && micros < 0) {
    micros += kMicrosPerDay;
    --days;
  } else if (days < 0 && micros > 0) {
    micros -= kMicrosPerDay;
    ++days;
  }
  return MakeInterval(months, days, micros, out);
}

}  // namespace millrace
