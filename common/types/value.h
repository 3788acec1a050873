#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "common/types/sql_type.h"

namespace millrace {

namespace v1 {
class Value;
}  // namespace v1

struct IntervalParts {
  int32_t months = 0;
  int32_t days = 0;
  int64_t micros = 0;
  friend bool operator==(const IntervalParts&, const IntervalParts&) = default;
};

// One constant: literals, options, frame offsets, bounds. Never used for rows.
struct Value {
  SqlType type;
  // monostate = NULL. bool; int64_t for integers, date (days), time, timestamps (µs); double for
  // floats; __int128 for numeric (unscaled); std::string for text, bytea, uuid (16 bytes), unknown;
  // IntervalParts.
  std::variant<std::monostate, bool, int64_t, double, __int128, std::string, IntervalParts> value;

  bool is_null() const { return value.index() == 0; }
  static Value Null(SqlType type) { return Value{type, {}}; }
  friend bool operator==(const Value&, const Value&) = default;
};

void ToProto(const Value& value, v1::Value* out);
Value FromProto(const v1::Value& proto);

}  // namespace millrace
