#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"

namespace millrace {
namespace {

struct NamedType {
  absl::string_view name;
  TypeId id;
};

constexpr NamedType kTypeNames[] = {
    {"bool", TypeId::kBoolean},
    {"boolean", TypeId::kBoolean},
    {"int2", TypeId::kInt16},
    {"smallint", TypeId::kInt16},
    {"int", TypeId::kInt32},
    {"int4", TypeId::kInt32},
    {"integer", TypeId::kInt32},
    {"int8", TypeId::kInt64},
    {"bigint", TypeId::kInt64},
    {"float4", TypeId::kFloat32},
    {"real", TypeId::kFloat32},
    {"float", TypeId::kFloat64},
    {"float8", TypeId::kFloat64},
    {"double precision", TypeId::kFloat64},
    {"numeric", TypeId::kNumeric},
    {"decimal", TypeId::kNumeric},
    {"dec", TypeId::kNumeric},
    {"text", TypeId::kText},
    {"varchar", TypeId::kVarchar},
    {"character varying", TypeId::kVarchar},
    {"bpchar", TypeId::kChar},
    {"char", TypeId::kChar},
    {"character", TypeId::kChar},
    {"bytea", TypeId::kBytea},
    {"uuid", TypeId::kUuid},
    {"date", TypeId::kDate},
    {"time", TypeId::kTime},
    {"time without time zone", TypeId::kTime},
    {"timestamp", TypeId::kTimestamp},
    {"timestamp without time zone", TypeId::kTimestamp},
    {"timestamptz", TypeId::kTimestampTz},
    {"timestamp with time zone", TypeId::kTimestampTz},
    {"interval", TypeId::kInterval},
};

absl::StatusOr<SqlType> NumericWithModifiers(const std::vector<int32_t>& modifiers) {
  if (modifiers.empty()) return SqlType::Numeric(0, kUnconstrainedNumericScale);
  const int32_t precision = modifiers[0];
  const int32_t scale = modifiers.size() > 1 ? modifiers[1] : 0;
  if (modifiers.size() > 2) {
    return MakeError(SqlState::kInvalidParameterValue, "invalid NUMERIC type modifier");
  }
  if (precision < 1 || precision > 1000) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("NUMERIC precision ", precision, " must be between 1 and 1000"));
  }
  if (precision > kMaxNumericPrecision) {
    return NotSupported(
        absl::StrCat("NUMERIC precision ", precision, " (more than ", kMaxNumericPrecision, ")"));
  }
  if (scale < 0 || scale > precision) {
    return NotSupported(absl::StrCat("NUMERIC scale ", scale, " with precision ", precision));
  }
  return SqlType::Numeric(precision, scale);
}

absl::StatusOr<SqlType> StringWithModifiers(TypeId id, absl::string_view name,
                                            const std::vector<int32_t>& modifiers) {
  constexpr int32_t kMaxLength = 10485760;
  if (modifiers.empty()) {
    // character without a length is character(1); bpchar has no limit.
    return SqlType{id, id == TypeId::kChar && name != "bpchar" ? 1 : 0, 0};
  }
  const absl::string_view what = id == TypeId::kChar ? "char" : "varchar";
  if (modifiers.size() > 1 || modifiers[0] < 1) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("length for type ", what, " must be at least 1"));
  }
  if (modifiers[0] > kMaxLength) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("length for type ", what, " cannot exceed ", kMaxLength));
  }
  return SqlType{id, modifiers[0], 0};
}

// float(n): up to 24 bits are real, up to 53 double precision.
absl::StatusOr<SqlType> FloatWithBits(int32_t bits) {
  if (bits < 1 || bits > 53) {
    return MakeError(SqlState::kInvalidParameterValue,
                     "precision for type float must be between 1 and 53 bits");
  }
  return SqlType::Of(bits <= 24 ? TypeId::kFloat32 : TypeId::kFloat64);
}

}  // namespace

absl::StatusOr<SqlType> ResolveTypeName(absl::string_view name,
                                        const std::vector<int32_t>& modifiers) {
  const std::string lower = absl::AsciiStrToLower(name);
  TypeId id = TypeId::kUnknown;
  for (const NamedType& entry : kTypeNames) {
    if (entry.name == lower) id = entry.id;
  }
  if (id == TypeId::kUnknown) {
    return MakeError(SqlState::kUndefinedObject,
                     absl::StrCat("type \"", name, "\" does not exist"));
  }
  if (id == TypeId::kNumeric) return NumericWithModifiers(modifiers);
  if (id == TypeId::kVarchar || id == TypeId::kChar) {
    return StringWithModifiers(id, lower, modifiers);
  }
  if (modifiers.empty()) return SqlType::Of(id);
  if (lower == "float" && modifiers.size() == 1) return FloatWithBits(modifiers[0]);
  const SqlType type = SqlType::Of(id);
  const bool has_fraction = type.is_timestamp() || id == TypeId::kTime;
  // timestamp(6) is what timestamp is anyway.
  if (has_fraction && modifiers.size() == 1 && modifiers[0] == 6) return type;
  if (has_fraction) {
    return NotSupported(absl::StrCat("type ", lower, " with a precision other than 6"));
  }
  return MakeError(SqlState::kSyntaxError,
                   absl::StrCat("type modifier is not allowed for type \"", lower, "\""));
}

}  // namespace millrace
