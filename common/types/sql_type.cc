#include "common/types/sql_type.h"

#include "absl/strings/str_cat.h"
#include "arrow/extension_type.h"
#include "arrow/type.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/types.pb.h"

namespace millrace {
namespace {

struct TypeNames {
  const char* sql_name;
  const char* short_name;
};

// By TypeId.
constexpr TypeNames kNames[] = {
    {"unknown", "unknown"},
    {"boolean", "bool"},
    {"smallint", "int2"},
    {"integer", "int4"},
    {"bigint", "int8"},
    {"real", "float4"},
    {"double precision", "float8"},
    {"numeric", "numeric"},
    {"text", "text"},
    {"character varying", "varchar"},
    {"character", "bpchar"},
    {"bytea", "bytea"},
    {"uuid", "uuid"},
    {"date", "date"},
    {"time without time zone", "time"},
    {"timestamp without time zone", "timestamp"},
    {"timestamp with time zone", "timestamptz"},
    {"interval", "interval"},
};
static_assert(std::size(kNames) == static_cast<size_t>(TypeId::kInterval) + 1);

const TypeNames& NamesOf(TypeId id) {
  const auto index = static_cast<size_t>(id);
  MR_CHECK(index < std::size(kNames));
  return kNames[index];
}

absl::Status NoCounterpart(const arrow::DataType& type) {
  return NotSupported(absl::StrCat("a column of type ", type.ToString()));
}

absl::StatusOr<SqlType> FromDecimal(const arrow::DataType& type) {
  const auto& decimal = static_cast<const arrow::DecimalType&>(type);
  const bool fits = decimal.precision() <= kMaxNumericPrecision && decimal.scale() >= 0 &&
                    decimal.scale() <= decimal.precision();
  if (!fits) return NoCounterpart(type);
  return SqlType::Numeric(decimal.precision(), decimal.scale());
}

}  // namespace

std::string TypeName(const SqlType& type) {
  const char* name = NamesOf(type.id).sql_name;
  switch (type.id) {
    case TypeId::kNumeric:
      if (type.precision == 0) return name;
      return absl::StrCat(name, "(", type.precision, ",", type.scale, ")");
    case TypeId::kVarchar:
      if (type.precision == 0) return name;
      return absl::StrCat(name, "(", type.precision, ")");
    case TypeId::kChar:
      // PostgreSQL, too, calls a character type without a length by its internal name.
      if (type.precision == 0) return "bpchar";
      return absl::StrCat(name, "(", type.precision, ")");
    default:
      return name;
  }
}

absl::string_view ShortTypeName(TypeId id) { return NamesOf(id).short_name; }

std::shared_ptr<arrow::DataType> ToArrowType(const SqlType& type) {
  switch (type.id) {
    case TypeId::kUnknown:
      return arrow::null();
    case TypeId::kBoolean:
      return arrow::boolean();
    case TypeId::kInt16:
      return arrow::int16();
    case TypeId::kInt32:
      return arrow::int32();
    case TypeId::kInt64:
      return arrow::int64();
    case TypeId::kFloat32:
      return arrow::float32();
    case TypeId::kFloat64:
      return arrow::float64();
    case TypeId::kNumeric:
      return arrow::decimal128(kMaxNumericPrecision, type.scale);
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
      return arrow::utf8();
    case TypeId::kBytea:
      return arrow::binary();
    case TypeId::kUuid:
      return arrow::fixed_size_binary(16);
    case TypeId::kDate:
      return arrow::date32();
    case TypeId::kTime:
      return arrow::time64(arrow::TimeUnit::MICRO);
    case TypeId::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO);
    case TypeId::kTimestampTz:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case TypeId::kInterval:
      return arrow::month_day_nano_interval();
  }
  MR_CHECK(false);
}

absl::StatusOr<SqlType> FromArrowType(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      return SqlType::Of(TypeId::kBoolean);
    case arrow::Type::INT8:
    case arrow::Type::UINT8:
    case arrow::Type::INT16:
      return SqlType::Of(TypeId::kInt16);
    case arrow::Type::UINT16:
    case arrow::Type::INT32:
      return SqlType::Of(TypeId::kInt32);
    case arrow::Type::UINT32:
    case arrow::Type::INT64:
      return SqlType::Of(TypeId::kInt64);
    case arrow::Type::UINT64:
      return SqlType::Numeric(20, 0);
    case arrow::Type::HALF_FLOAT:
    case arrow::Type::FLOAT:
      return SqlType::Of(TypeId::kFloat32);
    case arrow::Type::DOUBLE:
      return SqlType::Of(TypeId::kFloat64);
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
      return FromDecimal(type);
    case arrow::Type::NA:
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return SqlType::Of(TypeId::kText);
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
      return SqlType::Of(TypeId::kBytea);
    case arrow::Type::FIXED_SIZE_BINARY: {
      const int width = static_cast<const arrow::FixedSizeBinaryType&>(type).byte_width();
      return SqlType::Of(width == 16 ? TypeId::kUuid : TypeId::kBytea);
    }
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      return SqlType::Of(TypeId::kDate);
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      return SqlType::Of(TypeId::kTime);
    case arrow::Type::TIMESTAMP: {
      const bool has_zone = !static_cast<const arrow::TimestampType&>(type).timezone().empty();
      return SqlType::Of(has_zone ? TypeId::kTimestampTz : TypeId::kTimestamp);
    }
    case arrow::Type::DURATION:
    case arrow::Type::INTERVAL_MONTHS:
    case arrow::Type::INTERVAL_DAY_TIME:
    case arrow::Type::INTERVAL_MONTH_DAY_NANO:
      return SqlType::Of(TypeId::kInterval);
    case arrow::Type::DICTIONARY:
      return FromArrowType(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case arrow::Type::EXTENSION:
      return FromArrowType(*static_cast<const arrow::ExtensionType&>(type).storage_type());
    default:
      return NoCounterpart(type);
  }
}

std::shared_ptr<arrow::Schema> ToArrowSchema(const Schema& schema) {
  arrow::FieldVector fields;
  fields.reserve(schema.size());
  for (const Field& field : schema) {
    fields.push_back(arrow::field(field.name, ToArrowType(field.type)));
  }
  return arrow::schema(std::move(fields));
}

void ToProto(const SqlType& type, v1::SqlType* out) {
  out->set_id(static_cast<v1::TypeId>(type.id));
  out->set_precision(type.precision);
  out->set_scale(type.scale);
}

SqlType FromProto(const v1::SqlType& proto) {
  // A type that this version does not know can only come from another version's plan; it becomes
  // unknown, which no function takes, so the plan is refused where it is compiled.
  const bool known = v1::TypeId_IsValid(proto.id());
  return SqlType{known ? static_cast<TypeId>(proto.id()) : TypeId::kUnknown, proto.precision(),
                 proto.scale()};
}

void ToProto(const Field& field, v1::Field* out) {
  out->set_name(field.name);
  ToProto(field.type, out->mutable_type());
}

Field FromProto(const v1::Field& proto) { return Field{proto.name(), FromProto(proto.type())}; }

}  // namespace millrace
