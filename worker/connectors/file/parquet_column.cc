#include "worker/connectors/file/parquet_column.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/array/util.h"
#include "arrow/buffer_builder.h"
#include "arrow/compute/cast.h"
#include "arrow/extension_type.h"
#include "arrow/type.h"
#include "arrow/util/decimal.h"
#include "common/base/status.h"
#include "common/types/arrow_status.h"
#include "common/types/decimal.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

// Which declared types a file's type may fill.
bool MayFill(const SqlType& file, const SqlType& declared) {
  if (file.id == TypeId::kUnknown) return true;  // All NULL.
  if (file.is_integer()) return declared.is_number();
  if (file.is_numeric()) return declared.is_number();
  if (file.is_float()) return declared.is_float();
  if (file.is_string()) return declared.is_string();
  if (file.id == TypeId::kDate) return declared.id == TypeId::kDate || declared.is_timestamp();
  if (file.is_timestamp()) return declared.is_timestamp();
  // 16 bytes without a name may be a uuid, or an interval of ours.
  if (file.id == TypeId::kUuid) {
    return declared.id == TypeId::kUuid || declared.id == TypeId::kBytea ||
           declared.id == TypeId::kInterval;
  }
  return file.id == declared.id;
}

int64_t MicrosPerUnit(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1'000'000;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1;
    case arrow::TimeUnit::NANO:
      return -1'000;
  }
  return 0;
}

int64_t UnitFactor(const arrow::DataType& file, const SqlType& declared) {
  switch (file.id()) {
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
      return declared.is_integer() ? 1 : 0;
    case arrow::Type::FLOAT:
      return declared.id == TypeId::kFloat32 ? 1 : 0;
    case arrow::Type::DOUBLE:
      return declared.id == TypeId::kFloat64 ? 1 : 0;
    case arrow::Type::STRING:
      return declared.id == TypeId::kText || declared.id == TypeId::kVarchar ? 1 : 0;
    case arrow::Type::DATE32:
      return declared.id == TypeId::kDate ? 1 : 0;
    case arrow::Type::TIME64:
      return MicrosPerUnit(static_cast<const arrow::Time64Type&>(file).unit());
    case arrow::Type::TIMESTAMP:
      return MicrosPerUnit(static_cast<const arrow::TimestampType&>(file).unit());
    default:
      return 0;
  }
}

// The same buffers under another type of the same layout.
std::shared_ptr<arrow::Array> Retyped(const arrow::Array& array,
                                      const std::shared_ptr<arrow::DataType>& type) {
  std::shared_ptr<arrow::ArrayData> data = array.data()->Copy();
  data->type = type;
  return arrow::MakeArray(std::move(data));
}

const arrow::DataType& StorageOf(const arrow::DataType& type) {
  if (type.id() != arrow::Type::EXTENSION) return type;
  return *static_cast<const arrow::ExtensionType&>(type).storage_type();
}

}  // namespace

ParquetColumn::ParquetColumn(Field declared, std::string path)
    : declared_(std::move(declared)),
      path_(std::move(path)),
      target_(ToArrowType(declared_.type)) {}

absl::StatusOr<ParquetColumn> ParquetColumn::Create(const arrow::DataType& file_type,
                                                    const Field& declared,
                                                    const std::string& path) {
  ParquetColumn column(declared, path);
  const arrow::DataType& storage = StorageOf(file_type);
  absl::StatusOr<SqlType> sql_type = FromArrowType(storage);
  if (!sql_type.ok()) return column.Located(sql_type.status());
  if (!MayFill(*sql_type, declared.type)) {
    return MakeError(
        SqlState::kDatatypeMismatch,
        absl::StrCat("column \"", declared.name, "\" of \"", path, "\" is ", TypeName(*sql_type),
                     ", the table declares it as ", TypeName(declared.type)));
  }
  column.unit_factor_ = UnitFactor(storage, declared.type);
  return column;
}

absl::Status ParquetColumn::Located(absl::Status status) const {
  return WithContext(std::move(status),
                     absl::StrCat("column \"", declared_.name, "\" of \"", path_, "\""));
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ParquetColumn::Cast(
    std::shared_ptr<arrow::Array> array, const std::shared_ptr<arrow::DataType>& type) const {
  if (array->type()->Equals(*type)) return array;
  arrow::compute::CastOptions options = arrow::compute::CastOptions::Safe();
  options.allow_time_truncate = true;
  options.allow_float_truncate = true;
  auto cast = arrow::compute::Cast(*array, type, options);
  if (cast.ok()) return *std::move(cast);
  if (cast.status().IsInvalid()) {
    return Located(MakeError(
        SqlState::kNumericOutOfRange,
        absl::StrCat(TypeName(declared_.type), " out of range: ", cast.status().message())));
  }
  return Located(FromArrow(cast.status()));
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ParquetColumn::Convert(
    std::shared_ptr<arrow::Array> array) const {
  if (array->type_id() == arrow::Type::EXTENSION) {
    array = static_cast<const arrow::ExtensionArray&>(*array).storage();
  }
  const SqlType& declared = declared_.type;
  if (array->type_id() == arrow::Type::NA) {
    MR_ASSIGN_ARROW_OR_RETURN(auto nulls, arrow::MakeArrayOfNull(target_, array->length()));
    return nulls;
  }
  if (declared.id == TypeId::kInterval) return Retyped(*array, target_);
  if (declared.is_numeric()) return ToNumeric(std::move(array));
  if (declared.is_timestamp()) return ToTimestamp(std::move(array));
  if (declared.is_string()) {
    const bool has_length = declared.id != TypeId::kText && declared.precision > 0;
    const bool is_dictionary =
        array->type()->Equals(*arrow::dictionary(arrow::int32(), arrow::utf8()));
    if (is_dictionary && !has_length) return array;
    MR_ASSIGN_OR_RETURN(array, Cast(std::move(array), target_));
    if (has_length) MR_RETURN_IF_ERROR(CheckLength(*array));
    return array;
  }
  return Cast(std::move(array), target_);
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ParquetColumn::ToTimestamp(
    std::shared_ptr<arrow::Array> array) const {
  std::string zone;
  if (array->type_id() == arrow::Type::TIMESTAMP) {
    zone = static_cast<const arrow::TimestampType&>(*array->type()).timezone();
  }
  // The instant is stored in UTC whatever the zone; only the type's name changes.
  MR_ASSIGN_OR_RETURN(array,
                      Cast(std::move(array), arrow::timestamp(arrow::TimeUnit::MICRO, zone)));
  return Retyped(*array, target_);
}

absl::StatusOr<std::shared_ptr<arrow::Array>> ParquetColumn::ToNumeric(
    std::shared_ptr<arrow::Array> array) const {
  const SqlType& declared = declared_.type;
  const bool is_decimal = arrow::is_decimal(array->type_id());
  int32_t file_scale = 0;
  int32_t file_precision = kMaxNumericPrecision;
  if (is_decimal) {
    const auto& type = static_cast<const arrow::DecimalType&>(*array->type());
    file_scale = type.scale();
    file_precision = type.precision();
  }
  const auto widest = arrow::decimal128(kMaxNumericPrecision, file_scale);
  if (array->type_id() == arrow::Type::DECIMAL128) {
    array = Retyped(*array, widest);
  } else {
    MR_ASSIGN_OR_RETURN(array, Cast(std::move(array), widest));
  }
  const int32_t precision = declared.precision == 0 ? kMaxNumericPrecision : declared.precision;
  const bool always_fits = file_precision - file_scale <= precision - declared.scale;
  if (file_scale == declared.scale && (always_fits || declared.precision == 0)) {
    return Retyped(*array, target_);
  }

  const auto& decimals = static_cast<const arrow::Decimal128Array&>(*array);
  arrow::TypedBufferBuilder<__int128> values;
  MR_RETURN_IF_ARROW_ERROR(values.Reserve(array->length()));
  for (int64_t row = 0; row < array->length(); ++row) {
    const arrow::Decimal128 decimal(decimals.GetValue(row));
    __int128 value = decimals.IsNull(row)
                         ? __int128{0}
                         : (static_cast<__int128>(decimal.high_bits()) << 64) | decimal.low_bits();
    if (!RescaleDecimal(value, file_scale, declared.scale, &value) ||
        value >= PowerOfTen(precision) || value <= -PowerOfTen(precision)) {
      return Located(MakeError(SqlState::kNumericOutOfRange, "numeric field overflow"));
    }
    values.UnsafeAppend(value);
  }
  MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> buffer, values.Finish());
  // A slice's validity begins at its offset; the values are new and begin at 0.
  std::shared_ptr<arrow::Buffer> validity;
  if (array->null_count() > 0) {
    arrow::TypedBufferBuilder<bool> bits;
    MR_RETURN_IF_ARROW_ERROR(bits.Reserve(array->length()));
    for (int64_t row = 0; row < array->length(); ++row) bits.UnsafeAppend(array->IsValid(row));
    MR_ASSIGN_ARROW_OR_RETURN(validity, bits.Finish());
  }
  return arrow::MakeArray(
      arrow::ArrayData::Make(target_, array->length(), {std::move(validity), std::move(buffer)}));
}

absl::Status ParquetColumn::CheckLength(const arrow::Array& array) const {
  const auto& strings = static_cast<const arrow::StringArray&>(array);
  for (int64_t row = 0; row < strings.length(); ++row) {
    if (strings.IsNull(row)) continue;
    const std::string_view text = strings.GetView(row);
    const absl::string_view view(text.data(), text.size());
    if (text.size() > static_cast<size_t>(declared_.type.precision) &&
        CountChars(view) > declared_.type.precision) {
      return Located(MakeError(SqlState::kStringDataRightTruncation,
                               absl::StrCat("value too long for type ", TypeName(declared_.type))));
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace
