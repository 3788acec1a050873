#pragma once

#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"
#include "arrow/array.h"
#include "common/expr/kernel.h"
#include "common/types/value.h"

// Typed access to an operand, row by row. A constant operand gives its one value for every row.

namespace millrace {

// The 16 bytes of a uuid.
struct UuidBytes {
  uint8_t bytes[16];
};

// Values of fixed width: integers, floats, dates, times, timestamps, numeric (__int128), uuid.
template <typename T>
class ColumnReader {
 public:
  explicit ColumnReader(const Operand& operand)
      : values_(RawValues(*operand.array)), stride_(operand.is_constant ? 0 : 1) {}

  T operator[](int64_t row) const {
    // Arrow aligns to 8 bytes only; memcpy makes the 16-byte types safe.
    T value;
    std::memcpy(&value, values_ + row * stride_ * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return value;
  }

  // The values as they lie in memory; rows follow each other, or there is one.
  const T* data() const { return reinterpret_cast<const T*>(values_); }
  bool is_constant() const { return stride_ == 0; }

 private:
  static const uint8_t* RawValues(const arrow::Array& array) {
    const auto& data = *array.data();
    return data.buffers[1] == nullptr
               ? nullptr
               : data.buffers[1]->data() + data.offset * static_cast<int64_t>(sizeof(T));
  }

  const uint8_t* values_;
  int64_t stride_;
};

template <>
class ColumnReader<bool> {
 public:
  explicit ColumnReader(const Operand& operand)
      : array_(static_cast<const arrow::BooleanArray*>(operand.array.get())),
        stride_(operand.is_constant ? 0 : 1) {}
  bool operator[](int64_t row) const { return array_->Value(row * stride_); }

 private:
  const arrow::BooleanArray* array_;
  int64_t stride_;
};

// text and bytea.
template <>
class ColumnReader<absl::string_view> {
 public:
  explicit ColumnReader(const Operand& operand) : stride_(operand.is_constant ? 0 : 1) {
    const auto& array = static_cast<const arrow::BinaryArray&>(*operand.array);
    offsets_ = array.raw_value_offsets();
    bytes_ = reinterpret_cast<const char*>(array.raw_data());
  }
  absl::string_view operator[](int64_t row) const {
    const int64_t at = row * stride_;
    return absl::string_view(bytes_ + offsets_[at],
                             static_cast<size_t>(offsets_[at + 1] - offsets_[at]));
  }

 private:
  const int32_t* offsets_;
  const char* bytes_;
  int64_t stride_;
};

template <>
class ColumnReader<IntervalParts> {
 public:
  explicit ColumnReader(const Operand& operand)
      : array_(static_cast<const arrow::MonthDayNanoIntervalArray*>(operand.array.get())),
        stride_(operand.is_constant ? 0 : 1) {}
  IntervalParts operator[](int64_t row) const {
    const auto value = array_->GetValue(row * stride_);
    return IntervalParts{value.months, value.days, value.nanoseconds / 1000};
  }

 private:
  const arrow::MonthDayNanoIntervalArray* array_;
  int64_t stride_;
};

}  // namespace millrace
