#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/types/sql_type.h"
#include "common/types/value.h"

// PostgreSQL's input functions: text to value, shared by casts, CSV and JSON. They return false on
// bad input and then leave *out unspecified; ParseFailure says afterwards what was wrong. Leading
// and trailing white space is ignored, as PostgreSQL does. Thread-safe, no allocation (apart from
// the ones that fill a string).

namespace millrace {

// true/false, t/f, yes/no, on/off, 1/0 and unique prefixes, in any case.
bool ParseBool(absl::string_view text, bool* out);

bool ParseInt16(absl::string_view text, int16_t* out);
bool ParseInt32(absl::string_view text, int32_t* out);
bool ParseInt64(absl::string_view text, int64_t* out);

// Decimal and exponent forms, "NaN", "Infinity", "inf". Too large or too small to represent is a
// failure.
bool ParseFloat32(absl::string_view text, float* out);
bool ParseFloat64(absl::string_view text, double* out);

// Rounds half away from zero to `scale` digits after the point. Fails for more than 38 digits, NaN
// and infinity.
bool ParseNumeric(absl::string_view text, int32_t scale, __int128* out);
// The same with the digits checked against a declared precision (0 = none).
bool ParseNumeric(absl::string_view text, const SqlType& type, __int128* out);
// Digits that a numeric literal has after the point ("1.50" has 2, "1e-3" has 3); false if it is no
// number.
bool NumericLiteralScale(absl::string_view text, int32_t* scale);

// Days since 1970-01-01. ISO 8601, PostgreSQL's month names and MDY forms; a time of day behind it
// is ignored.
bool ParseDate(absl::string_view text, int32_t* out);
// Microseconds since midnight; 24:00 is allowed.
bool ParseTime(absl::string_view text, int64_t* out);
// Microseconds since 1970-01-01; a zone in the text is ignored.
bool ParseTimestamp(absl::string_view text, int64_t* out);
// Microseconds since 1970-01-01 UTC; text without a zone is local time at `zone_offset_seconds`
// east of UTC.
bool ParseTimestampTz(absl::string_view text, int32_t zone_offset_seconds, int64_t* out);

// What a number without a unit in an interval means: PostgreSQL's INTERVAL '5' MINUTE. Values as in
// its typmods.
enum class IntervalUnit : uint8_t {
  kMonth = 1,
  kYear = 2,
  kDay = 3,
  kHour = 10,
  kMinute = 11,
  kSecond = 12,
};
// '1 year 2 mons -3 days 04:05:06.7', '@ 5 minutes ago', 'P1Y2M3DT4H5M6S', '1-2' (years-months),
// '5' with the unit given.
bool ParseInterval(absl::string_view text, IntervalUnit default_unit, IntervalParts* out);
inline bool ParseInterval(absl::string_view text, IntervalParts* out) {
  return ParseInterval(text, IntervalUnit::kSecond, out);
}

// 32 hex digits, with or without hyphens between groups of four, and braces; 16 bytes.
bool ParseUuid(absl::string_view text, uint8_t out[16]);
// "\x0a1b" or the escape form; replaces *out.
bool ParseBytea(absl::string_view text, std::string* out);

// PostgreSQL's error for a text that the parser of `type` has refused: 22P02 for a malformed one,
// 22003 or 22008 for one out of range, 22007 for malformed dates and times.
absl::Status ParseFailure(absl::string_view text, const SqlType& type);

}  // namespace millrace
