#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "arrow/type_fwd.h"

namespace millrace {

namespace v1 {
class SqlType;
class Field;
class Schema;
}  // namespace v1

// PostgreSQL's types. The numbers are those of millrace.v1.TypeId.
enum class TypeId : uint8_t {
  kUnknown = 0,  // an untyped NULL or string literal
  kBoolean = 1,
  kInt16 = 2,
  kInt32 = 3,
  kInt64 = 4,
  kFloat32 = 5,
  kFloat64 = 6,
  kNumeric = 7,
  kText = 8,
  kVarchar = 9,
  kChar = 10,
  kBytea = 11,
  kUuid = 12,
  kDate = 13,
  kTime = 14,
  kTimestamp = 15,
  kTimestampTz = 16,
  kInterval = 17,
};

// A SQL type with its modifiers.
//
// How values lie in memory (Arrow): boolean bool; int16/32/64; float32/64; numeric decimal128(38,
// scale): the scale is a property of the column, fixed by the binder, also where SQL says just
// "numeric"; text, varchar, char utf8; bytea binary; uuid fixed_size_binary(16); date date32; time
// time64[us]; timestamp timestamp[us]; timestamptz timestamp[us, UTC]; interval month_day_nano;
// unknown: null. char(n) is kept without its trailing blanks, because they mean nothing in
// comparisons and hashes; the output adds them again (text_format.h), and sources must strip them.
struct SqlType {
  TypeId id = TypeId::kUnknown;
  // numeric: declared precision, 0 = unconstrained. varchar, char: declared length, 0 = none.
  int32_t precision = 0;
  // numeric: digits after the point.
  int32_t scale = 0;

  static SqlType Of(TypeId id) { return SqlType{id, 0, 0}; }
  static SqlType Numeric(int32_t precision, int32_t scale) {
    return SqlType{TypeId::kNumeric, precision, scale};
  }

  bool is_integer() const { return id >= TypeId::kInt16 && id <= TypeId::kInt64; }
  bool is_float() const { return id == TypeId::kFloat32 || id == TypeId::kFloat64; }
  bool is_numeric() const { return id == TypeId::kNumeric; }
  // Any type one can add.
  bool is_number() const { return id >= TypeId::kInt16 && id <= TypeId::kNumeric; }
  bool is_string() const { return id >= TypeId::kText && id <= TypeId::kChar; }
  bool is_timestamp() const { return id == TypeId::kTimestamp || id == TypeId::kTimestampTz; }

  friend bool operator==(const SqlType&, const SqlType&) = default;
};

// The digits after the point that a column declared as plain "numeric" keeps.
inline constexpr int32_t kUnconstrainedNumericScale = 16;
inline constexpr int32_t kMaxNumericPrecision = 38;

// PostgreSQL's name: "bigint", "numeric(12,2)", "timestamp without time zone".
std::string TypeName(const SqlType& type);
// PostgreSQL's internal short name, as function signatures use it: "int8", "numeric", "timestamp".
absl::string_view ShortTypeName(TypeId id);

// The Arrow type that values of `type` have in memory.
std::shared_ptr<arrow::DataType> ToArrowType(const SqlType& type);
// The SQL type for a column of a file; error 0A000 for types without a counterpart (lists, structs,
// …). Dictionary types map to their value type; unsigned and odd widths to the next that holds
// them.
absl::StatusOr<SqlType> FromArrowType(const arrow::DataType& type);

struct Field {
  std::string name;
  SqlType type;
  friend bool operator==(const Field&, const Field&) = default;
};
using Schema = std::vector<Field>;

std::shared_ptr<arrow::Schema> ToArrowSchema(const Schema& schema);

void ToProto(const SqlType& type, v1::SqlType* out);
SqlType FromProto(const v1::SqlType& proto);
void ToProto(const Field& field, v1::Field* out);
Field FromProto(const v1::Field& proto);

}  // namespace millrace
