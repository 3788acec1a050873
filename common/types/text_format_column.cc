#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/builder.h"
#include "common/base/check.h"
#include "common/types/arrow_status.h"
#include "common/types/text_format.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

template <typename Array>
auto ValueAt(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).Value(row);
}

absl::string_view BytesAt(const arrow::Array& array, int64_t row) {
  if (array.type_id() == arrow::Type::DICTIONARY) {
    const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
    return BytesAt(*dictionary.dictionary(), dictionary.GetValueIndex(row));
  }
  const auto view = static_cast<const arrow::BinaryArray&>(array).GetView(row);
  return absl::string_view(view.data(), view.size());
}

__int128 DecimalAt(const arrow::Array& array, int64_t row) {
  __int128 value = 0;
  std::memcpy(&value, static_cast<const arrow::Decimal128Array&>(array).GetValue(row),
              sizeof(value));
  return value;
}

void AppendPaddedText(absl::string_view text, int32_t length, std::string* out) {
  out->append(text.data(), text.size());
  const int64_t num_chars = CountChars(text);
  if (num_chars < length) out->append(static_cast<size_t>(length - num_chars), ' ');
}

}  // namespace

IntervalParts IntervalAt(const arrow::Array& array, int64_t row) {
  const auto& intervals = static_cast<const arrow::MonthDayNanoIntervalArray&>(array);
  const auto value = intervals.GetValue(row);
  return IntervalParts{value.months, value.days, value.nanoseconds / 1000};
}

void AppendValueText(const arrow::Array& array, int64_t row, const SqlType& type,
                     std::string* out) {
  if (array.IsNull(row)) return;
  switch (type.id) {
    case TypeId::kUnknown:
      return;
    case TypeId::kBoolean:
      return AppendBool(ValueAt<arrow::BooleanArray>(array, row), out);
    case TypeId::kInt16:
      return AppendInt64(ValueAt<arrow::Int16Array>(array, row), out);
    case TypeId::kInt32:
      return AppendInt64(ValueAt<arrow::Int32Array>(array, row), out);
    case TypeId::kInt64:
      return AppendInt64(ValueAt<arrow::Int64Array>(array, row), out);
    case TypeId::kFloat32:
      return AppendFloat32(ValueAt<arrow::FloatArray>(array, row), out);
    case TypeId::kFloat64:
      return AppendFloat64(ValueAt<arrow::DoubleArray>(array, row), out);
    case TypeId::kNumeric:
      return AppendNumeric(DecimalAt(array, row), type.scale, out);
    case TypeId::kText:
    case TypeId::kVarchar: {
      const absl::string_view text = BytesAt(array, row);
      out->append(text.data(), text.size());
      return;
    }
    case TypeId::kChar:
      return AppendPaddedText(BytesAt(array, row), type.precision, out);
    case TypeId::kBytea:
      return AppendBytea(BytesAt(array, row), out);
    case TypeId::kUuid:
      return AppendUuid(static_cast<const arrow::FixedSizeBinaryArray&>(array).GetValue(row), out);
    case TypeId::kDate:
      return AppendDate(ValueAt<arrow::Date32Array>(array, row), out);
    case TypeId::kTime:
      return AppendTime(ValueAt<arrow::Time64Array>(array, row), out);
    case TypeId::kTimestamp:
      return AppendTimestamp(ValueAt<arrow::TimestampArray>(array, row), out);
    case TypeId::kTimestampTz:
      return AppendTimestampTz(ValueAt<arrow::TimestampArray>(array, row), 0, out);
    case TypeId::kInterval:
      return AppendInterval(IntervalAt(array, row), out);
  }
}

absl::StatusOr<std::shared_ptr<arrow::Array>> FormatColumn(const arrow::Array& array,
                                                           const SqlType& type) {
  arrow::StringBuilder builder;
  MR_RETURN_IF_ARROW_ERROR(builder.Reserve(array.length()));
  std::string text;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) {
      builder.UnsafeAppendNull();
      continue;
    }
    text.clear();
    AppendValueText(array, row, type, &text);
    MR_RETURN_IF_ARROW_ERROR(builder.Append(text));
  }
  std::shared_ptr<arrow::Array> result;
  MR_RETURN_IF_ARROW_ERROR(builder.Finish(&result));
  return result;
}

std::string ValueText(const Value& value) {
  if (value.is_null()) return "NULL";
  std::string out;
  if (const auto* flag = std::get_if<bool>(&value.value)) {
    AppendBool(*flag, &out);
  } else if (const auto* number = std::get_if<double>(&value.value)) {
    value.type.id == TypeId::kFloat32 ? AppendFloat32(static_cast<float>(*number), &out)
                                      : AppendFloat64(*number, &out);
  } else if (const auto* decimal = std::get_if<__int128>(&value.value)) {
    AppendNumeric(*decimal, value.type.scale, &out);
  } else if (const auto* interval = std::get_if<IntervalParts>(&value.value)) {
    AppendInterval(*interval, &out);
  } else if (const auto* bytes = std::get_if<std::string>(&value.value)) {
    if (value.type.id == TypeId::kBytea) {
      AppendBytea(*bytes, &out);
    } else if (value.type.id == TypeId::kUuid) {
      MR_CHECK(bytes->size() == 16);
      AppendUuid(reinterpret_cast<const uint8_t*>(bytes->data()), &out);
    } else if (value.type.id == TypeId::kChar) {
      AppendPaddedText(*bytes, value.type.precision, &out);
    } else {
      out = *bytes;
    }
  } else {
    const int64_t integer = std::get<int64_t>(value.value);
    switch (value.type.id) {
      case TypeId::kDate:
        AppendDate(integer, &out);
        break;
      case TypeId::kTime:
        AppendTime(integer, &out);
        break;
      case TypeId::kTimestamp:
        AppendTimestamp(integer, &out);
        break;
      case TypeId::kTimestampTz:
        AppendTimestampTz(integer, 0, &out);
        break;
      default:
        AppendInt64(integer, &out);
    }
  }
  return out;
}

}  // namespace millrace
