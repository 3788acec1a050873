#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "arrow/type_fwd.h"
#include "common/base/check.h"

namespace millrace {

// How the values of a column lie in memory. Types that are stored alike share a layout: date is
// kInt32; time and timestamps are kInt64; numeric is kInt128; text and bytea are kBytes.
enum class Layout : uint8_t {
  kNull,
  kBool,
  kInt16,
  kInt32,
  kInt64,
  kFloat32,
  kFloat64,
  kInt128,
  kUuid,
  kInterval,
  kBytes,
  // Text as int32 codes of a dictionary of kBytes.
  kDictionary,
};

// Bytes of a value in a flat column; 0 for kNull, kBytes and kDictionary, 1 for kBool.
int WidthOf(Layout layout);

// The layout that a column of an Arrow type has.
Layout LayoutOf(const arrow::DataType& type);

// values[i] of an Arrow buffer. Buffers that came over the wire are aligned to 8 bytes only, which
// is too little for a plain load of an __int128.
template <typename T>
T LoadAt(const T* values, int64_t i) {
  T value;
  std::memcpy(&value, values + i, sizeof(T));
  return value;
}

inline bool BitAt(const uint8_t* bits, int64_t i) { return (bits[i >> 3] >> (i & 7)) & 1; }

// A month_day_nano interval as it lies in memory.
struct RawInterval {
  int32_t months;
  int32_t days;
  int64_t nanos;
};

// An interval as one length: a month has 30 days, a day 24 hours, as PostgreSQL compares them.
inline __int128 IntervalSpan(const RawInterval& v) {
  constexpr __int128 kDayNanos = __int128{86400} * 1000000000;
  return (__int128{v.months} * 30 + v.days) * kDayNanos + v.nanos;
}

// Raw pointers into one Arrow array, resolved once per batch so that loops over rows are typed and
// free of virtual calls. Borrows the array.
struct ColumnView {
  ColumnView() = default;
  explicit ColumnView(const arrow::Array& array);

  Layout layout = Layout::kNull;
  int64_t length = 0;
  // Null when no value is NULL (for kNull all are). Bit `bit_offset + i` belongs to row i.
  const uint8_t* validity = nullptr;
  int64_t bit_offset = 0;
  // Fixed widths: the first row's value. kBool: bitmap, same bit offset as validity. kBytes:
  // characters. kDictionary: int32 codes.
  const uint8_t* values = nullptr;
  // kBytes: offsets of the first row.
  const int32_t* offsets = nullptr;
  // kDictionary: its values; identity tells dictionaries apart. Slices of a column share it.
  const arrow::ArrayData* dictionary = nullptr;
  int64_t dictionary_length = 0;
  const int32_t* dictionary_offsets = nullptr;
  const uint8_t* dictionary_chars = nullptr;
  const uint8_t* dictionary_validity = nullptr;
  int64_t dictionary_bit_offset = 0;

  // True if some row may be NULL.
  bool nullable() const {
    return layout == Layout::kNull || validity != nullptr || dictionary_validity != nullptr;
  }
  bool IsNull(int64_t i) const {
    if (layout == Layout::kNull) return true;
    if (validity != nullptr && !BitAt(validity, bit_offset + i)) return true;
    return dictionary_validity != nullptr &&
           !BitAt(dictionary_validity, dictionary_bit_offset + Code(i));
  }

  template <typename T>
  T Get(int64_t i) const {
    T value;
    std::memcpy(&value, values + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return value;
  }
  template <typename T>
  const T* data() const {
    return reinterpret_cast<const T*>(values);
  }
  bool Bool(int64_t i) const { return BitAt(values, bit_offset + i); }
  int32_t Code(int64_t i) const { return data<int32_t>()[i]; }
  // Value of a dictionary entry.
  std::string_view Entry(int64_t code) const {
    const int32_t begin = dictionary_offsets[code];
    return {reinterpret_cast<const char*>(dictionary_chars) + begin,
            static_cast<size_t>(dictionary_offsets[code + 1] - begin)};
  }
  bool EntryIsNull(int64_t code) const {
    return dictionary_validity != nullptr &&
           !BitAt(dictionary_validity, dictionary_bit_offset + code);
  }
  // kBytes and kDictionary; the row must not be NULL.
  std::string_view Text(int64_t i) const {
    if (layout == Layout::kDictionary) return Entry(Code(i));
    const int32_t begin = offsets[i];
    return {reinterpret_cast<const char*>(values) + begin,
            static_cast<size_t>(offsets[i + 1] - begin)};
  }
};

}  // namespace millrace
