#pragma once

#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"
#include "common/types/calendar.h"
#include "common/types/decimal.h"
#include "common/types/sql_type.h"
#include "common/types/text_parse.h"
#include "common/types/value.h"

// The input functions of common/types/text_parse.h behind short cuts for what fields of files look
// like nearly always: plain digits, ISO dates. A short cut accepts nothing that the full function
// refuses, and gives the same value; all else goes to the full function.

namespace millrace {

namespace field_parse_internal {

// Takes digits off the front of [p, end) into *value; at most `digits_max`. Returns the position
// behind them.
inline const char* TakeDigits(const char* p, const char* end, uint64_t* value) {
  uint64_t sum = 0;
  while (p < end) {
    const unsigned digit = static_cast<unsigned char>(*p) - unsigned{'0'};
    if (digit > 9) break;
    sum = sum * 10 + digit;
    ++p;
  }
  *value = sum;
  return p;
}

// Two digits; more than 99 if they are none.
inline unsigned TwoDigits(const char* p) {
  const unsigned high = static_cast<unsigned char>(p[0]) - unsigned{'0'};
  const unsigned low = static_cast<unsigned char>(p[1]) - unsigned{'0'};
  return high > 9 || low > 9 ? 1000 : high * 10 + low;
}

// "2024-02-29" at p (ten readable bytes).
inline bool TakeIsoDate(const char* p, int64_t* days) {
  const unsigned century = TwoDigits(p);
  const unsigned year_in_century = TwoDigits(p + 2);
  const unsigned month = TwoDigits(p + 5);
  const unsigned day = TwoDigits(p + 8);
  if (century > 99 || year_in_century > 99 || p[4] != '-' || p[7] != '-') return false;
  if (month - 1 > 11 || day - 1 > 30) return false;
  const unsigned year = century * 100 + year_in_century;
  if (year == 0) return false;
  if (day > 28 && day > static_cast<unsigned>(DaysInMonth(year, static_cast<int32_t>(month)))) {
    return false;
  }
  *days = DaysFromCivil(year, static_cast<int32_t>(month), static_cast<int32_t>(day));
  return true;
}

// "12:34:56" or "12:34:56.789" from p to end.
inline bool TakeIsoTime(const char* p, const char* end, int64_t* micros) {
  if (end - p < 8 || p[2] != ':' || p[5] != ':') return false;
  const unsigned hour = TwoDigits(p);
  const unsigned minute = TwoDigits(p + 3);
  const unsigned second = TwoDigits(p + 6);
  if (hour > 23 || minute > 59 || second > 59) return false;
  int64_t value = ((int64_t{hour} * 60 + minute) * 60 + second) * kMicrosPerSecond;
  p += 8;
  if (p != end) {
    const int64_t num_digits = end - p - 1;
    uint64_t fraction = 0;
    if (*p != '.' || num_digits < 1 || num_digits > 6) return false;
    if (TakeDigits(p + 1, end, &fraction) != end) return false;
    for (int64_t i = num_digits; i < 6; ++i) fraction *= 10;
    value += static_cast<int64_t>(fraction);
  }
  *micros = value;
  return true;
}

// "2024-02-29 12:34:56[.789]" or with 'T'.
inline bool TakeIsoTimestamp(const char* p, const char* end, int64_t* micros) {
  int64_t days = 0;
  int64_t time = 0;
  if (end - p < 19 || (p[10] != ' ' && p[10] != 'T')) return false;
  if (!TakeIsoDate(p, &days) || !TakeIsoTime(p + 11, end, &time)) return false;
  *micros = days * kMicrosPerDay + time;
  return true;
}

// [-]digits[.digits] with at most 18 digits: the digits without the point, and how many stood
// behind it.
inline bool TakePlainDecimal(absl::string_view text, int64_t* digits, int* scale) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = p < end && *p == '-';
  p += negative;
  if (end - p > 19 || p == end) return false;
  uint64_t whole = 0;
  const char* const point = TakeDigits(p, end, &whole);
  int64_t num_digits = point - p;
  *scale = 0;
  if (point != end) {
    if (*point != '.') return false;
    uint64_t fraction = 0;
    if (TakeDigits(point + 1, end, &fraction) != end) return false;
    *scale = static_cast<int>(end - point - 1);
    num_digits += *scale;
    for (int i = 0; i < *scale; ++i) whole *= 10;
    whole += fraction;
  }
  if (num_digits == 0 || num_digits > 18) return false;
  *digits = negative ? -static_cast<int64_t>(whole) : static_cast<int64_t>(whole);
  return true;
}

inline constexpr double kExactPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                               1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                               1e14, 1e15, 1e16, 1e17, 1e18};

}  // namespace field_parse_internal

struct IntegerField {
  template <typename T>
  static bool Parse(absl::string_view text, T* out) {
    const char* p = text.data();
    const char* const end = p + text.size();
    const bool negative = p < end && *p == '-';
    p += negative;
    uint64_t magnitude = 0;
    if (end - p >= 1 && end - p <= 18 &&
        field_parse_internal::TakeDigits(p, end, &magnitude) == end) {
      const int64_t value =
          negative ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
      *out = static_cast<T>(value);
      if (*out == value) return true;
    }
    if constexpr (sizeof(T) == 2) return ParseInt16(text, out);
    if constexpr (sizeof(T) == 4) return ParseInt32(text, out);
    if constexpr (sizeof(T) == 8) return ParseInt64(text, out);
  }
};

inline bool ParseFloat64Field(absl::string_view text, double* out) {
  int64_t digits = 0;
  int scale = 0;
  // Both numbers are exact, so one division rounds correctly (Clinger 1990). "-0" must keep its
  // sign.
  constexpr int64_t kExactMax = int64_t{1} << 53;
  if (field_parse_internal::TakePlainDecimal(text, &digits, &scale) && digits != 0 &&
      digits <= kExactMax && digits >= -kExactMax) {
    *out = static_cast<double>(digits) / field_parse_internal::kExactPowersOfTen[scale];
    return true;
  }
  return ParseFloat64(text, out);
}

inline bool ParseNumericField(absl::string_view text, const SqlType& type, __int128* out) {
  int64_t digits = 0;
  int scale = 0;
  if (field_parse_internal::TakePlainDecimal(text, &digits, &scale) && scale <= type.scale) {
    const int64_t magnitude = digits < 0 ? -digits : digits;
    const int precision = type.precision == 0 ? kMaxNumericPrecision : type.precision;
    // 18 digits and 20 zeros always fit; otherwise the precision decides.
    if (type.scale - scale <= 20) {
      const __int128 factor = PowerOfTen(type.scale - scale);
      if (magnitude * factor < PowerOfTen(precision)) {
        *out = digits * factor;
        return true;
      }
    }
  }
  return ParseNumeric(text, type, out);
}

inline bool ParseDateField(absl::string_view text, int32_t* out) {
  int64_t days = 0;
  if (text.size() == 10 && field_parse_internal::TakeIsoDate(text.data(), &days)) {
    *out = static_cast<int32_t>(days);
    return true;
  }
  return ParseDate(text, out);
}

inline bool ParseTimeField(absl::string_view text, int64_t* out) {
  return field_parse_internal::TakeIsoTime(text.data(), text.data() + text.size(), out) ||
         ParseTime(text, out);
}

inline bool ParseTimestampField(absl::string_view text, int64_t* out) {
  return field_parse_internal::TakeIsoTimestamp(text.data(), text.data() + text.size(), out) ||
         ParseTimestamp(text, out);
}

// Text without a zone is UTC: a file means the same for every session.
inline bool ParseTimestampTzField(absl::string_view text, int64_t* out) {
  return field_parse_internal::TakeIsoTimestamp(text.data(), text.data() + text.size(), out) ||
         ParseTimestampTz(text, 0, out);
}

}  // namespace millrace
