#include "common/types/value_array.h"

#include <cstring>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/scalar.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/types/arrow_status.h"
#include "common/types/text_format.h"

namespace millrace {
namespace {

using ScalarPtr = std::shared_ptr<arrow::Scalar>;

ScalarPtr IntegerScalar(int64_t value, const SqlType& type) {
  switch (type.id) {
    case TypeId::kInt16:
      return std::make_shared<arrow::Int16Scalar>(static_cast<int16_t>(value));
    case TypeId::kInt32:
      return std::make_shared<arrow::Int32Scalar>(static_cast<int32_t>(value));
    case TypeId::kInt64:
      return std::make_shared<arrow::Int64Scalar>(value);
    case TypeId::kDate:
      return std::make_shared<arrow::Date32Scalar>(static_cast<int32_t>(value));
    case TypeId::kTime:
      return std::make_shared<arrow::Time64Scalar>(value, ToArrowType(type));
    default:
      return std::make_shared<arrow::TimestampScalar>(value, ToArrowType(type));
  }
}

struct ScalarMaker {
  const SqlType& type;

  ScalarPtr operator()(std::monostate) const { return arrow::MakeNullScalar(ToArrowType(type)); }
  ScalarPtr operator()(bool value) const { return std::make_shared<arrow::BooleanScalar>(value); }
  ScalarPtr operator()(int64_t value) const { return IntegerScalar(value, type); }
  ScalarPtr operator()(double value) const {
    if (type.id == TypeId::kFloat32) {
      return std::make_shared<arrow::FloatScalar>(static_cast<float>(value));
    }
    return std::make_shared<arrow::DoubleScalar>(value);
  }
  ScalarPtr operator()(__int128 value) const {
    const arrow::Decimal128 decimal(static_cast<int64_t>(value >> 64),
                                    static_cast<uint64_t>(value));
    return std::make_shared<arrow::Decimal128Scalar>(decimal, ToArrowType(type));
  }
  ScalarPtr operator()(const std::string& value) const {
    if (type.id == TypeId::kBytea) return std::make_shared<arrow::BinaryScalar>(value);
    if (type.id == TypeId::kUuid) {
      return std::make_shared<arrow::FixedSizeBinaryScalar>(arrow::Buffer::FromString(value),
                                                            ToArrowType(type));
    }
    return std::make_shared<arrow::StringScalar>(value);
  }
  ScalarPtr operator()(const IntervalParts& value) const {
    return std::make_shared<arrow::MonthDayNanoIntervalScalar>(
        arrow::MonthDayNanoIntervalType::MonthDayNanos{value.months, value.days,
                                                       value.micros * 1000});
  }
};

template <typename Array>
auto RowOf(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).Value(row);
}

std::string BytesOf(const arrow::Array& array, int64_t row) {
  if (array.type_id() == arrow::Type::DICTIONARY) {
    const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
    return BytesOf(*dictionary.dictionary(), dictionary.GetValueIndex(row));
  }
  return std::string(static_cast<const arrow::BinaryArray&>(array).GetView(row));
}

__int128 DecimalOf(const arrow::Array& array, int64_t row) {
  __int128 value = 0;
  std::memcpy(&value, static_cast<const arrow::Decimal128Array&>(array).GetValue(row),
              sizeof(value));
  return value;
}

}  // namespace

absl::StatusOr<std::shared_ptr<arrow::Array>> ArrayOfValue(const Value& value, int64_t num_rows) {
  // A long constant for each row of a batch.
  constexpr int64_t kTextBytesMax = int64_t{512} << 20;
  const auto* text = std::get_if<std::string>(&value.value);
  if (text != nullptr && static_cast<int64_t>(text->size()) * num_rows > kTextBytesMax) {
    return MakeError(
        SqlState::kProgramLimitExceeded,
        absl::StrCat("a constant of ", text->size(), " bytes is too long for ", num_rows, " rows"));
  }
  const ScalarPtr scalar = std::visit(ScalarMaker{value.type}, value.value);
  MR_ASSIGN_ARROW_OR_RETURN(auto array, arrow::MakeArrayFromScalar(*scalar, num_rows));
  return array;
}

Value ValueAt(const arrow::Array& array, int64_t row, const SqlType& type) {
  Value value = Value::Null(type);
  if (array.type_id() == arrow::Type::NA || array.IsNull(row)) return value;
  switch (type.id) {
    case TypeId::kBoolean:
      value.value = RowOf<arrow::BooleanArray>(array, row);
      break;
    case TypeId::kInt16:
      value.value = int64_t{RowOf<arrow::Int16Array>(array, row)};
      break;
    case TypeId::kInt32:
      value.value = int64_t{RowOf<arrow::Int32Array>(array, row)};
      break;
    case TypeId::kInt64:
      value.value = int64_t{RowOf<arrow::Int64Array>(array, row)};
      break;
    case TypeId::kFloat32:
      value.value = double{RowOf<arrow::FloatArray>(array, row)};
      break;
    case TypeId::kFloat64:
      value.value = RowOf<arrow::DoubleArray>(array, row);
      break;
    case TypeId::kNumeric:
      value.value = DecimalOf(array, row);
      break;
    case TypeId::kDate:
      value.value = int64_t{RowOf<arrow::Date32Array>(array, row)};
      break;
    case TypeId::kTime:
      value.value = int64_t{RowOf<arrow::Time64Array>(array, row)};
      break;
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      value.value = int64_t{RowOf<arrow::TimestampArray>(array, row)};
      break;
    case TypeId::kInterval:
      value.value = IntervalAt(array, row);
      break;
    case TypeId::kUuid:
      value.value =
          std::string(reinterpret_cast<const char*>(
                          static_cast<const arrow::FixedSizeBinaryArray&>(array).GetValue(row)),
                      16);
      break;
    case TypeId::kUnknown:
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
    case TypeId::kBytea:
      value.value = BytesOf(array, row);
      break;
  }
  return value;
}

}  // namespace millrace
