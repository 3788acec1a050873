#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "common/types/calendar.h"
#include "common/types/value.h"

// Arithmetic of timestamps and intervals as PostgreSQL defines it. Timestamps are local
// microseconds since 1970.

namespace millrace {

// What an interval's time part may hold: Arrow keeps it in nanoseconds.
inline constexpr int64_t kMaxIntervalMicros = INT64_MAX / 1000;

absl::Status TimestampOutOfRange();
absl::Status IntervalOutOfRange();

// Months first (the day is cut to the month's length), then days, then time.
absl::Status AddInterval(int64_t micros, const IntervalParts& interval, int64_t* out);
absl::Status NegateInterval(const IntervalParts& interval, IntervalParts* out);
absl::Status SumIntervals(const IntervalParts& a, const IntervalParts& b, IntervalParts* out);
// Fractions of months become days of 30 to the month, fractions of days become time.
absl::Status ScaleInterval(const IntervalParts& interval, double factor, IntervalParts* out);
absl::Status DivideInterval(const IntervalParts& interval, double divisor, IntervalParts* out);
// Whole days and the rest.
IntervalParts DifferenceOfTimestamps(int64_t a, int64_t b);
// The difference in years, months, days and time, as people count.
IntervalParts AgeBetween(int64_t a, int64_t b);

// 24 hours become a day; 30 days become a month; both, with equal signs in all parts.
absl::Status JustifyHours(const IntervalParts& interval, IntervalParts* out);
absl::Status JustifyDays(const IntervalParts& interval, IntervalParts* out);
absl::Status JustifyInterval(const IntervalParts& interval, IntervalParts* out);

}  // namespace millrace
