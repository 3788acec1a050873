#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "arrow/type_fwd.h"
#include "common/types/sql_type.h"
#include "common/types/value.h"

// PostgreSQL's output functions: value to text, as psql prints it. All functions append to *out.

namespace millrace {

// "t" or "f"; a cast to text gives "true" or "false" instead.
void AppendBool(bool value, std::string* out);
void AppendInt64(int64_t value, std::string* out);
// The shortest text that reads back as the same value: "0.1", "1e+20", "NaN", "-Infinity".
void AppendFloat32(float value, std::string* out);
void AppendFloat64(double value, std::string* out);
// All `scale` digits: 150 with scale 2 is "1.50".
void AppendNumeric(__int128 unscaled, int32_t scale, std::string* out);
// "2024-02-29"; years before 1 end in " BC".
void AppendDate(int64_t days, std::string* out);
// "12:34:56.7".
void AppendTime(int64_t micros, std::string* out);
// "2024-02-29 12:34:56.7".
void AppendTimestamp(int64_t micros, std::string* out);
// With the offset of the zone it is shown in: "2024-02-29 12:34:56+00".
void AppendTimestampTz(int64_t micros, int32_t zone_offset_seconds, std::string* out);
// "1 year 2 mons -3 days 04:05:06.7".
void AppendInterval(const IntervalParts& interval, std::string* out);
void AppendUuid(const uint8_t bytes[16], std::string* out);
// "\x0a1b".
void AppendBytea(absl::string_view bytes, std::string* out);

// The text of one value of a column; a NULL appends nothing. `array` has ToArrowType(type), or is a
// dictionary of utf8 for a string type. char(n) is padded to n characters.
void AppendValueText(const arrow::Array& array, int64_t row, const SqlType& type, std::string* out);

// A whole column as utf8, NULLs kept. Fails only where the text exceeds 2 GiB.
absl::StatusOr<std::shared_ptr<arrow::Array>> FormatColumn(const arrow::Array& array,
                                                           const SqlType& type);

// The text of a constant; "NULL" for a null.
std::string ValueText(const Value& value);

// Interval of Arrow's month-day-nano and back. Nanoseconds are always whole microseconds in ours.
IntervalParts IntervalAt(const arrow::Array& array, int64_t row);

}  // namespace millrace
