#pragma once

#include "common/types/calendar.h"
#include "common/types/value.h"

namespace millrace {

// Microseconds by which PostgreSQL orders intervals: a month has 30 days, a day 24 hours. Equal
// intervals may differ in their parts.
inline __int128 IntervalOrder(const IntervalParts& interval) {
  const auto days = static_cast<__int128>(interval.months) * 30 + interval.days;
  return days * kMicrosPerDay + interval.micros;
}

}  // namespace millrace
