#include <algorithm>

#include "arrow/util/basic_decimal.h"
#include "common/base/status.h"
#include "common/expr/column_writer.h"
#include "common/expr/decimal_column.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/types/decimal.h"

// Arithmetic of numeric. Each kernel looks once how large the batch's values are and then takes the
// narrowest loop that cannot overflow; money in 64 bits is the usual case. Only the widest one
// checks every row.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

// Values below 2^126 have at most 38 digits.
constexpr int kSafeBits = 126;

absl::Status NumericOverflow() {
  return MakeError(SqlState::kNumericOutOfRange, "value has more digits than numeric can hold (38)",
                   "Round the operands to fewer digits after the decimal point, or cast them to "
                   "double precision.");
}

absl::Status NumericDivisionByZero() {
  return MakeError(SqlState::kDivisionByZero, "division by zero");
}

// The operands of a sum, and what brings each to the scale of the result.
struct SumOperands {
  DecimalColumn a;
  DecimalColumn b;
  int32_t a_shift;
  int32_t b_shift;
};

template <bool kSubtract>
bool CheckedSum(__int128 a, int32_t a_shift, __int128 b, int32_t b_shift, __int128* out) {
  if (!RescaleDecimal(a, 0, a_shift, &a) || !RescaleDecimal(b, 0, b_shift, &b)) return false;
  // Both are below 10^38 < 2^127 / 1.7, so the sum of 128 bits may just overflow.
  const bool overflow =
      kSubtract ? __builtin_sub_overflow(a, b, out) : __builtin_add_overflow(a, b, out);
  return !overflow && FitsDecimal(*out);
}

template <bool kSubtract>
void SumIn64Bits(const SumOperands& in, int64_t n, int64_t* out) {
  const auto a_factor = static_cast<int64_t>(PowerOfTen(in.a_shift));
  const auto b_factor = static_cast<int64_t>(PowerOfTen(in.b_shift));
  const int64_t* a = in.a.words();
  const int64_t* b = in.b.words();
  const int64_t a_step = in.a.is_constant() ? 0 : 2;
  const int64_t b_step = in.b.is_constant() ? 0 : 2;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t left = a[i * a_step] * a_factor;
    const int64_t right = b[i * b_step] * b_factor;
    const int64_t sum = kSubtract ? left - right : left + right;
    out[2 * i] = sum;
    out[2 * i + 1] = sum >> 63;
  }
}

template <bool kSubtract>
absl::Status SumIn128Bits(const KernelCall& call, const SumOperands& in, const Validity& validity,
                          int64_t* out) {
  bool all_fit = true;
  for (int64_t i = 0; i < call.num_rows; ++i) {
    __int128 sum = 0;
    const bool fits = CheckedSum<kSubtract>(in.a[i], in.a_shift, in.b[i], in.b_shift, &sum);
    StoreDecimal(out, i, sum);
    all_fit &= fits || !validity.IsValid(i);
  }
  return all_fit ? absl::OkStatus() : NumericOverflow();
}

template <bool kSubtract>
ArrayOr DecimalSum(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * 16));
  auto* out = reinterpret_cast<int64_t*>(buffer->mutable_data());
  const int32_t scale = call.result_type.scale;
  const SumOperands in{DecimalColumn(call.args[0]), DecimalColumn(call.args[1]),
                       scale - call.args[0].type.scale, scale - call.args[1].type.scale};
  const int a_bits = in.a.BitWidth(call.num_rows) + (in.a_shift ? BitsOfPowerOfTen(in.a_shift) : 0);
  const int b_bits = in.b.BitWidth(call.num_rows) + (in.b_shift ? BitsOfPowerOfTen(in.b_shift) : 0);
  if (std::max(a_bits, b_bits) < 64) {
    SumIn64Bits<kSubtract>(in, call.num_rows, out);
  } else {
    MR_RETURN_IF_ERROR(SumIn128Bits<kSubtract>(call, in, validity, out));
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

void MultiplyIn64Bits(const DecimalColumn& a, const DecimalColumn& b, int64_t n, int64_t* out) {
  const int64_t* left = a.words();
  const int64_t* right = b.words();
  const int64_t left_step = a.is_constant() ? 0 : 2;
  const int64_t right_step = b.is_constant() ? 0 : 2;
  for (int64_t i = 0; i < n; ++i) {
    StoreDecimal(out, i, static_cast<__int128>(left[i * left_step]) * right[i * right_step]);
  }
}

// A product that is rounded must keep so many digits; with fewer it would say little or nothing.
constexpr __int128 kLeastRounded = PowerOfTen(9);

// The product brought down by `drop` digits, rounded half away from zero.
bool CheckedProduct(__int128 a, __int128 b, int32_t drop, __int128* out) {
  __int128 product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) {
    if (drop == 0) {
      *out = product;
      return FitsDecimal(product);
    }
    *out = DivideRounded(product, PowerOfTen(drop));
    const bool says_enough = *out >= kLeastRounded || *out <= -kLeastRounded;
    return says_enough || product % PowerOfTen(drop) == 0;
  }
  if (drop == 0) return false;
  // More than 38 digits before the zeros are dropped.
  const auto to256 = [](__int128 value) {
    return arrow::BasicDecimal256(
        arrow::BasicDecimal128(static_cast<int64_t>(value >> 64), static_cast<uint64_t>(value)));
  };
  const auto magnitude = [&](__int128 value) { return to256(value < 0 ? -value : value); };
  arrow::BasicDecimal256 quotient;
  arrow::BasicDecimal256 remainder;
  const arrow::BasicDecimal256 unit = to256(PowerOfTen(drop));
  (magnitude(a) * magnitude(b)).Divide(unit, &quotient, &remainder);
  if (remainder * arrow::BasicDecimal256(2) >= unit) quotient += arrow::BasicDecimal256(1);
  const bool says_enough =
      remainder == arrow::BasicDecimal256(0) || quotient >= to256(kLeastRounded);
  if (!says_enough || quotient > to256(kMaxDecimal)) return false;
  const auto& words = quotient.little_endian_array();
  const __int128 low = (static_cast<__int128>(words[1]) << 64) | words[0];
  *out = (a < 0) != (b < 0) ? -low : low;
  return true;
}

ArrayOr Multiply(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * 16));
  auto* out = reinterpret_cast<int64_t*>(buffer->mutable_data());
  const DecimalColumn a(call.args[0]);
  const DecimalColumn b(call.args[1]);
  const int32_t drop = call.args[0].type.scale + call.args[1].type.scale - call.result_type.scale;
  const int a_bits = a.BitWidth(call.num_rows);
  const int b_bits = b.BitWidth(call.num_rows);
  if (drop == 0 && std::max(a_bits, b_bits) <= 64 && a_bits + b_bits <= kSafeBits) {
    MultiplyIn64Bits(a, b, call.num_rows, out);
  } else {
    bool all_fit = true;
    for (int64_t i = 0; i < call.num_rows; ++i) {
      __int128 product = 0;
      const bool fits = CheckedProduct(a[i], b[i], drop, &product);
      StoreDecimal(out, i, product);
      all_fit &= fits || !validity.IsValid(i);
    }
    if (!all_fit) return NumericOverflow();
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

// a * 10^shift / b, rounded half away from zero, where the numerator may need 256 bits.
bool DivideWide(__int128 a, int32_t shift, __int128 b, __int128* out) {
  constexpr int kMaxDigits256 = 76;
  int digits = 0;
  const __int128 magnitude = a < 0 ? -a : a;
  while (digits < 38 && magnitude >= PowerOfTen(digits)) ++digits;
  if (digits + shift > kMaxDigits256) return false;
  const auto to256 = [](__int128 value) {
    return arrow::BasicDecimal256(
        arrow::BasicDecimal128(static_cast<int64_t>(value >> 64), static_cast<uint64_t>(value)));
  };
  const __int128 divisor = b < 0 ? -b : b;
  const arrow::BasicDecimal256 numerator =
      to256(magnitude) * arrow::BasicDecimal256::GetScaleMultiplier(shift);
  arrow::BasicDecimal256 quotient;
  arrow::BasicDecimal256 remainder;
  numerator.Divide(to256(divisor), &quotient, &remainder);
  if (remainder * arrow::BasicDecimal256(2) >= to256(divisor)) {
    quotient += arrow::BasicDecimal256(1);
  }
  if (quotient > to256(kMaxDecimal)) return false;
  const auto& words = quotient.little_endian_array();
  const __int128 result = (static_cast<__int128>(words[1]) << 64) | words[0];
  *out = (a < 0) != (b < 0) ? -result : result;
  return true;
}

absl::Status DivideOne(__int128 a, int32_t shift, __int128 b, __int128* out) {
  if (b == 0) return NumericDivisionByZero();
  __int128 numerator = 0;
  if (RescaleDecimal(a, 0, shift, &numerator)) {
    *out = b < 0 ? DivideRounded(-numerator, -b) : DivideRounded(numerator, b);
    return absl::OkStatus();
  }
  return DivideWide(a, shift, b, out) ? absl::OkStatus() : NumericOverflow();
}

ArrayOr DecimalDivide(const KernelCall& call) {
  const int32_t shift = call.result_type.scale + call.args[1].type.scale - call.args[0].type.scale;
  return MapRows<__int128, __int128, __int128>(
      call, [shift](__int128 a, __int128 b, __int128* out) { return DivideOne(a, shift, b, out); });
}

ArrayOr Modulo(const KernelCall& call) {
  const int32_t a_scale = call.args[0].type.scale;
  const int32_t b_scale = call.args[1].type.scale;
  const int32_t scale = call.result_type.scale;
  const auto modulo = [=](__int128 a, __int128 b, __int128* out) -> absl::Status {
    if (b == 0) return NumericDivisionByZero();
    __int128 left = 0;
    __int128 right = 0;
    if (!RescaleDecimal(a, a_scale, scale, &left)) return NumericOverflow();
    // A divisor that is out of range at the common scale is larger than the dividend.
    *out = RescaleDecimal(b, b_scale, scale, &right) ? left % right : left;
    return absl::OkStatus();
  };
  return MapRows<__int128, __int128, __int128>(call, modulo);
}

// div(a, b): the quotient truncated to a whole number.
ArrayOr DivideWhole(const KernelCall& call) {
  const int32_t a_scale = call.args[0].type.scale;
  const int32_t b_scale = call.args[1].type.scale;
  const int32_t scale = std::max(a_scale, b_scale);
  const auto divide = [=](__int128 a, __int128 b, __int128* out) -> absl::Status {
    if (b == 0) return NumericDivisionByZero();
    __int128 left = 0;
    __int128 right = 0;
    if (!RescaleDecimal(a, a_scale, scale, &left)) return NumericOverflow();
    *out = RescaleDecimal(b, b_scale, scale, &right) ? left / right : 0;
    return absl::OkStatus();
  };
  return MapRows<__int128, __int128, __int128>(call, divide);
}

ArrayOr Negate(const KernelCall& call) {
  return MapRows<__int128, __int128>(call, [](__int128 value, __int128* out) { *out = -value; });
}

ArrayOr Absolute(const KernelCall& call) {
  return MapRows<__int128, __int128>(
      call, [](__int128 value, __int128* out) { *out = value < 0 ? -value : value; });
}

ArrayOr SameNumeric(const KernelCall& call) { return call.args[0].array; }

}  // namespace

void AddDecimalFunctions(FunctionTable* table) {
  table->Add("add(numeric,numeric)->numeric", DecimalSum<false>, "sum", kFallible, ScaleRule::kMax);
  table->Add("sub(numeric,numeric)->numeric", DecimalSum<true>, "difference", kFallible,
             ScaleRule::kMax);
  table->Add("mul(numeric,numeric)->numeric", Multiply, "product", kFallible, ScaleRule::kSum);
  table->Add("div_op(numeric,numeric)->numeric", DecimalDivide, "quotient", kFallible | kCostly,
             ScaleRule::kDivide);
  table->Add("mod(numeric,numeric)->numeric", Modulo, "remainder with the sign of the dividend",
             kFallible | kCostly, ScaleRule::kMax);
  table->Add("div(numeric,numeric)->numeric", DivideWhole, "quotient, truncated to a whole number",
             kFallible | kCostly, ScaleRule::kZero);
  table->Add("neg(numeric)->numeric", Negate, "negation", kNoTraits, ScaleRule::kMax);
  table->Add("abs(numeric)->numeric", Absolute, "absolute value", kNoTraits, ScaleRule::kMax);
  table->Add("plus(numeric)->numeric", SameNumeric, "the value itself", kNoTraits, ScaleRule::kMax);
}

}  // namespace millrace
