#include "common/expr/cast_kernels.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/column_reader.h"
#include "common/expr/column_writer.h"
#include "common/expr/decimal_column.h"
#include "common/types/decimal.h"
#include "common/types/text_parse.h"

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

ArrayOr PassThrough(const KernelCall& call) { return call.args[0].array; }

template <typename From, typename To, typename F>
ArrayOr MapFixed(const KernelCall& call, const F& convert) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * static_cast<int64_t>(sizeof(To))));
  auto* out = reinterpret_cast<To*>(buffer->mutable_data());
  const From* values = ColumnReader<From>(call.args[0]).data();
  bool all_fit = true;
  for (int64_t i = 0; i < call.num_rows; ++i) all_fit &= convert(values[i], &out[i]);
  for (int64_t i = 0; !all_fit && i < call.num_rows; ++i) {
    To ignored;
    if (validity.IsValid(i) && !convert(values[i], &ignored)) {
      return CastOutOfRange(call.result_type);
    }
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

template <typename From, typename To>
bool ConvertNumber(From value, To* out) {
  if constexpr (std::is_integral_v<From> && std::is_integral_v<To>) {
    *out = static_cast<To>(value);
    return static_cast<From>(*out) == value;
  } else if constexpr (std::is_integral_v<From>) {
    *out = static_cast<To>(value);
    return true;
  } else if constexpr (std::is_integral_v<To>) {
    // Halves go to the even neighbour. The bounds are exact as floats: -2^k, and 2^k itself is out.
    const From rounded = std::rint(value);
    constexpr From kEnd = -static_cast<From>(std::numeric_limits<To>::min());
    const bool fits = rounded >= -kEnd && rounded < kEnd;
    *out = fits ? static_cast<To>(rounded) : To{0};
    return fits;
  } else {
    *out = static_cast<To>(value);
    const bool overflow = std::isinf(*out) && !std::isinf(value);
    const bool underflow = *out == 0 && value != 0;
    return !overflow && !underflow;
  }
}

template <typename From, typename To>
ArrayOr CastNumber(const KernelCall& call) {
  return MapFixed<From, To>(call, [](From value, To* out) { return ConvertNumber(value, out); });
}

// Numeric results; convert(row, &value) is false where the value does not fit.
template <typename F>
ArrayOr FillDecimal(const KernelCall& call, const F& convert) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * 16));
  auto* out = reinterpret_cast<int64_t*>(buffer->mutable_data());
  const int32_t precision = call.result_type.precision;
  const __int128 limit =
      precision == 0 || precision >= 38 ? kMaxDecimal : PowerOfTen(precision) - 1;
  bool all_fit = true;
  for (int64_t i = 0; i < call.num_rows; ++i) {
    __int128 value = 0;
    const bool fits = convert(i, &value) && value <= limit && value >= -limit;
    StoreDecimal(out, i, value);
    all_fit &= fits || !validity.IsValid(i);
  }
  if (!all_fit) return CastOutOfRange(call.result_type);
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

template <typename From>
ArrayOr IntegerToNumeric(const KernelCall& call) {
  const From* values = ColumnReader<From>(call.args[0]).data();
  const int32_t scale = call.result_type.scale;
  return FillDecimal(
      call, [=](int64_t i, __int128* out) { return RescaleDecimal(values[i], 0, scale, out); });
}

// As PostgreSQL: the value's 15 (float4: 6) significant digits, then rounded to the scale.
template <typename From>
ArrayOr FloatToNumeric(const KernelCall& call) {
  const From* values = ColumnReader<From>(call.args[0]).data();
  const int32_t scale = call.result_type.scale;
  constexpr int kDigits = std::numeric_limits<From>::digits10;
  return FillDecimal(call, [=](int64_t i, __int128* out) {
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), values[i],
                                   std::chars_format::scientific, kDigits - 1);
    return ParseNumeric(absl::string_view(buffer, static_cast<size_t>(end.ptr - buffer)), scale,
                        out);
  });
}

ArrayOr NumericToNumeric(const KernelCall& call) {
  const SqlType& from = call.args[0].type;
  const SqlType& to = call.result_type;
  const bool keeps_all =
      to.precision == 0 || (from.precision > 0 && to.precision >= from.precision);
  if (from.scale == to.scale && keeps_all) return call.args[0].array;
  const DecimalColumn values(call.args[0]);
  return FillDecimal(call, [&](int64_t i, __int128* out) {
    return RescaleDecimal(values[i], from.scale, to.scale, out);
  });
}

template <typename To>
ArrayOr NumericToInteger(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * static_cast<int64_t>(sizeof(To))));
  auto* out = reinterpret_cast<To*>(buffer->mutable_data());
  const DecimalColumn values(call.args[0]);
  const int32_t scale = call.args[0].type.scale;
  for (int64_t i = 0; i < call.num_rows; ++i) {
    __int128 whole = 0;
    RescaleDecimal(values[i], scale, 0, &whole);
    out[i] = static_cast<To>(whole);
    if (out[i] != whole && validity.IsValid(i)) return CastOutOfRange(call.result_type);
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

// The nearest float: through text where the digits exceed what a double holds exactly.
template <typename To>
To DecimalToFloat(__int128 value, int32_t scale) {
  constexpr __int128 kExact = __int128{1} << 53;
  // Powers of ten up to 10^22 are exact, so one division rounds correctly.
  if (value < kExact && value > -kExact && scale <= 22) {
    const double quotient =
        static_cast<double>(static_cast<int64_t>(value)) / static_cast<double>(PowerOfTen(scale));
    return static_cast<To>(quotient);
  }
  char buffer[64];
  char* p = buffer + sizeof(buffer);
  const std::string exponent = absl::StrCat("e-", scale);
  p -= exponent.size();
  std::memcpy(p, exponent.data(), exponent.size());
  auto magnitude =
      value < 0 ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  for (; magnitude > 0; magnitude /= 10) *--p = static_cast<char>('0' + magnitude % 10);
  if (value < 0) *--p = '-';
  To result = 0;
  std::from_chars(p, buffer + sizeof(buffer), result);
  return result;
}

template <typename To>
ArrayOr NumericToFloat(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * static_cast<int64_t>(sizeof(To))));
  auto* out = reinterpret_cast<To*>(buffer->mutable_data());
  const DecimalColumn values(call.args[0]);
  const int32_t scale = call.args[0].type.scale;
  for (int64_t i = 0; i < call.num_rows; ++i) out[i] = DecimalToFloat<To>(values[i], scale);
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

ArrayOr BoolToInt32(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * 4));
  auto* out = reinterpret_cast<int32_t*>(buffer->mutable_data());
  const ColumnReader<bool> values(call.args[0]);
  for (int64_t i = 0; i < call.num_rows; ++i) out[i] = values[i] ? 1 : 0;
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

ArrayOr Int32ToBool(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto bits, AllocateBits(call.num_rows));
  const ColumnReader<int32_t> values(call.args[0]);
  for (int64_t i = 0; i < call.num_rows; ++i) {
    if (values[i] != 0) arrow::bit_util::SetBit(bits->mutable_data(), i);
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(bits));
}

template <typename From>
Kernel FindFromNumber(TypeId to) {
  switch (to) {
    case TypeId::kInt16:
      return CastNumber<From, int16_t>;
    case TypeId::kInt32:
      return CastNumber<From, int32_t>;
    case TypeId::kInt64:
      return CastNumber<From, int64_t>;
    case TypeId::kFloat32:
      return CastNumber<From, float>;
    case TypeId::kFloat64:
      return CastNumber<From, double>;
    case TypeId::kNumeric:
      if constexpr (std::is_integral_v<From>) {
        return IntegerToNumeric<From>;
      } else {
        return FloatToNumeric<From>;
      }
    default:
      return nullptr;
  }
}

Kernel FindFromNumeric(TypeId to) {
  switch (to) {
    case TypeId::kInt16:
      return NumericToInteger<int16_t>;
    case TypeId::kInt32:
      return NumericToInteger<int32_t>;
    case TypeId::kInt64:
      return NumericToInteger<int64_t>;
    case TypeId::kFloat32:
      return NumericToFloat<float>;
    case TypeId::kFloat64:
      return NumericToFloat<double>;
    case TypeId::kNumeric:
      return NumericToNumeric;
    default:
      return nullptr;
  }
}

// Every value is NULL.
ArrayOr UnknownToAny(const KernelCall& call) {
  MR_ASSIGN_ARROW_OR_RETURN(auto array,
                            arrow::MakeArrayOfNull(ToArrowType(call.result_type), call.num_rows));
  return array;
}

}  // namespace

absl::Status CastOutOfRange(const SqlType& type) {
  if (type.id != TypeId::kNumeric) {
    return MakeError(SqlState::kNumericOutOfRange, absl::StrCat(TypeName(type), " out of range"));
  }
  if (type.precision == 0) {
    return MakeError(SqlState::kNumericOutOfRange,
                     "value has more digits than numeric can hold (38)");
  }
  return MakeError(SqlState::kNumericOutOfRange, "numeric field overflow",
                   absl::StrCat("A field with precision ", type.precision, ", scale ", type.scale,
                                " must round to an absolute value less than 10^",
                                type.precision - type.scale, "."));
}

Kernel FindNumberCast(TypeId from, TypeId to) {
  if (from == TypeId::kInt32 && to == TypeId::kBoolean) return Int32ToBool;
  if (from == TypeId::kBoolean && to == TypeId::kInt32) return BoolToInt32;
  switch (from) {
    case TypeId::kInt16:
      return FindFromNumber<int16_t>(to);
    case TypeId::kInt32:
      return FindFromNumber<int32_t>(to);
    case TypeId::kInt64:
      return FindFromNumber<int64_t>(to);
    case TypeId::kFloat32:
      return FindFromNumber<float>(to);
    case TypeId::kFloat64:
      return FindFromNumber<double>(to);
    case TypeId::kNumeric:
      return FindFromNumeric(to);
    default:
      return nullptr;
  }
}

Kernel FindCastKernel(const SqlType& from, const SqlType& to) {
  if (from.id == TypeId::kUnknown) return UnknownToAny;
  if (Kernel kernel = FindTextCast(from, to)) return kernel;
  if (from.id == to.id && from.id != TypeId::kNumeric) return PassThrough;
  if (Kernel kernel = FindNumberCast(from.id, to.id)) return kernel;
  return FindDatetimeCast(from.id, to.id);
}

bool IsFallibleCast(const SqlType& from, const SqlType& to) {
  if (from.id == TypeId::kUnknown || to.is_string()) return false;
  if (from.is_string()) return true;
  if (from.is_integer() && to.is_integer()) return to.id < from.id;
  if (from.is_number() && to.is_float()) {
    return from.id == TypeId::kFloat64 && to.id == TypeId::kFloat32;
  }
  // The rest concerns ranges and digits.
  return from.id != to.id || from.id == TypeId::kNumeric;
}

}  // namespace millrace
