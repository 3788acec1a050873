#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types/sql_type.h"
#include "common/types/value.h"

namespace millrace {

// What extract, date_part and date_trunc name.
enum class DatetimeField : uint8_t {
  kMicroseconds,
  kMilliseconds,
  kSecond,
  kMinute,
  kHour,
  kDay,
  kWeek,
  kMonth,
  kQuarter,
  kYear,
  kDecade,
  kCentury,
  kMillennium,
  kEpoch,
  kDow,
  kIsoDow,
  kDoy,
  kIsoYear,
  kJulian,
  kTimezone,
  kTimezoneHour,
  kTimezoneMinute,
};

// A field by PostgreSQL's names for it ("day", "days", "mon", …); 22023 for others. `type` is for
// the message.
absl::StatusOr<DatetimeField> ParseDatetimeField(absl::string_view name, const SqlType& type);

// Digits behind the point that a field's values have.
int32_t ScaleOfField(DatetimeField field);

// The field as an unscaled number of ScaleOfField digits. `micros` are local. 0A000 for fields that
// a type lacks.
absl::StatusOr<__int128> ExtractFromTimestamp(DatetimeField field, int64_t micros,
                                              int32_t zone_offset_seconds, bool has_zone);
absl::StatusOr<__int128> ExtractFromDate(DatetimeField field, int32_t days);
absl::StatusOr<__int128> ExtractFromTime(DatetimeField field, int64_t micros);
absl::StatusOr<__int128> ExtractFromInterval(DatetimeField field, const IntervalParts& interval);

// The start of the second, …, millennium that `micros` (local) lies in.
absl::StatusOr<int64_t> TruncateTimestamp(DatetimeField field, int64_t micros, bool has_zone);
absl::StatusOr<IntervalParts> TruncateInterval(DatetimeField field, const IntervalParts& interval);

}  // namespace millrace
