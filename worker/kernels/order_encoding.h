#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "common/types/sql_type.h"
#include "worker/kernels/column_view.h"

namespace millrace {

// Values as bytes whose order by memcmp is the order of the values. Big-endian, signs flipped; NaN
// behind all numbers; an interval by its length, then its parts; text as it is.

// The bits of a value as an unsigned number of the same order.
inline uint64_t OrderedBits(int64_t value) {
  return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63);
}
inline uint32_t OrderedBits(int32_t value) {
  return static_cast<uint32_t>(value) ^ (uint32_t{1} << 31);
}
inline uint16_t OrderedBits(int16_t value) {
  return static_cast<uint16_t>(static_cast<uint16_t>(value) ^ 0x8000);
}
inline unsigned __int128 OrderedBits(__int128 value) {
  return static_cast<unsigned __int128>(value) ^ (static_cast<unsigned __int128>(1) << 127);
}
uint64_t OrderedBits(double value);
uint32_t OrderedBits(float value);

// Appends the value of a row, which must not be NULL.
void AppendOrdered(const ColumnView& column, int64_t row, std::string* out);

// The inverse: a column of `type` from encoded values; a null data() is a NULL.
std::shared_ptr<arrow::Array> DecodeOrdered(const SqlType& type,
                                            absl::Span<const std::string_view> values);

}  // namespace millrace
