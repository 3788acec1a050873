#include <quadmath.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/types/decimal.h"

// Functions of numeric. Rounding is exact; roots, powers and logarithms are computed with 113 bits,
// 34 digits.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

absl::Status NumericMathOverflow() {
  return MakeError(SqlState::kNumericOutOfRange,
                   "value has more digits than numeric can hold (38)");
}

// The digits behind the decimal place `digits` removed; kRound rounds halves away from zero. Same
// scale.
template <bool kRound>
__int128 CutDigits(__int128 value, int32_t scale, int64_t digits) {
  const int64_t drop = scale - digits;
  if (drop <= 0) return value;
  if (drop > 38) return 0;
  const __int128 unit = PowerOfTen(static_cast<int>(drop));
  return (kRound ? DivideRounded(value, unit) : value / unit) * unit;
}

template <bool kRound>
absl::Status CutAndRescale(__int128 value, int32_t scale, int64_t digits, int32_t to_scale,
                           __int128* out) {
  const __int128 cut = CutDigits<kRound>(value, scale, digits);
  return RescaleDecimal(cut, scale, to_scale, out) && FitsDecimal(*out) ? absl::OkStatus()
                                                                        : NumericMathOverflow();
}

template <bool kRound>
ArrayOr Cut(const KernelCall& call) {
  const int32_t scale = call.args[0].type.scale;
  const int32_t to_scale = call.result_type.scale;
  return MapRows<__int128, __int128>(call, [=](__int128 value, __int128* out) {
    return CutAndRescale<kRound>(value, scale, 0, to_scale, out);
  });
}

template <bool kRound>
ArrayOr CutTo(const KernelCall& call) {
  const int32_t scale = call.args[0].type.scale;
  const int32_t to_scale = call.result_type.scale;
  return MapRows<__int128, __int128, int32_t>(
      call, [=](__int128 value, int32_t digits, __int128* out) {
        return CutAndRescale<kRound>(value, scale, digits, to_scale, out);
      });
}

template <bool kUp>
ArrayOr FloorOrCeil(const KernelCall& call) {
  const __int128 unit = PowerOfTen(call.args[0].type.scale);
  return MapRows<__int128, __int128>(call, [=](__int128 value, __int128* out) {
    *out = value / unit;
    const __int128 rest = value % unit;
    if (kUp && rest > 0) ++*out;
    if (!kUp && rest < 0) --*out;
  });
}

ArrayOr Sign(const KernelCall& call) {
  return MapRows<__int128, __int128>(
      call, [](__int128 value, __int128* out) { *out = value > 0 ? 1 : (value < 0 ? -1 : 0); });
}

__float128 ToQuad(__int128 value, int32_t scale) {
  return static_cast<__float128>(value) / static_cast<__float128>(PowerOfTen(scale));
}

absl::Status FromQuad(__float128 value, int32_t scale, __int128* out) {
  const __float128 scaled = roundq(value * static_cast<__float128>(PowerOfTen(scale)));
  // NaN fails the comparison too.
  if (!(fabsq(scaled) <= static_cast<__float128>(kMaxDecimal))) return NumericMathOverflow();
  *out = static_cast<__int128>(scaled);
  return FitsDecimal(*out) ? absl::OkStatus() : NumericMathOverflow();
}

template <absl::Status (*kFunction)(__float128, __float128*)>
ArrayOr MapNumeric(const KernelCall& call) {
  const int32_t scale = call.args[0].type.scale;
  const int32_t to_scale = call.result_type.scale;
  return MapRows<__int128, __int128>(call, [=](__int128 value, __int128* out) -> absl::Status {
    __float128 result = 0;
    MR_RETURN_IF_ERROR(kFunction(ToQuad(value, scale), &result));
    return FromQuad(result, to_scale, out);
  });
}

absl::Status Sqrt(__float128 x, __float128* out) {
  if (x < 0) {
    return MakeError(SqlState::kInvalidArgumentForPower,
                     "cannot take square root of a negative number");
  }
  *out = sqrtq(x);
  return absl::OkStatus();
}

absl::Status Exp(__float128 x, __float128* out) {
  *out = expq(x);
  return absl::OkStatus();
}

absl::Status CheckLogArgument(__float128 x) {
  if (x == 0) return MakeError(SqlState::kInvalidArgumentForLog, "cannot take logarithm of zero");
  if (x > 0) return absl::OkStatus();
  return MakeError(SqlState::kInvalidArgumentForLog, "cannot take logarithm of a negative number");
}

absl::Status NaturalLog(__float128 x, __float128* out) {
  MR_RETURN_IF_ERROR(CheckLogArgument(x));
  *out = logq(x);
  return absl::OkStatus();
}

absl::Status DecimalLog(__float128 x, __float128* out) {
  MR_RETURN_IF_ERROR(CheckLogArgument(x));
  *out = log10q(x);
  return absl::OkStatus();
}

// log(base, x).
absl::Status LogToBase(__float128 base, __float128 x, __float128* out) {
  MR_RETURN_IF_ERROR(CheckLogArgument(base));
  MR_RETURN_IF_ERROR(CheckLogArgument(x));
  if (base == 1) return MakeError(SqlState::kDivisionByZero, "division by zero");
  *out = logq(x) / logq(base);
  return absl::OkStatus();
}

absl::Status Power(__float128 base, __float128 exponent, __float128* out) {
  if (base == 0 && exponent < 0) {
    return MakeError(SqlState::kInvalidArgumentForPower,
                     "zero raised to a negative power is undefined");
  }
  if (base < 0 && floorq(exponent) != exponent) {
    return MakeError(SqlState::kInvalidArgumentForPower,
                     "a negative number raised to a non-integer power yields a complex result");
  }
  *out = powq(base, exponent);
  return absl::OkStatus();
}

template <absl::Status (*kFunction)(__float128, __float128, __float128*)>
ArrayOr MapPair(const KernelCall& call) {
  const int32_t a_scale = call.args[0].type.scale;
  const int32_t b_scale = call.args[1].type.scale;
  const int32_t to_scale = call.result_type.scale;
  const auto apply = [=](__int128 a, __int128 b, __int128* out) -> absl::Status {
    __float128 result = 0;
    MR_RETURN_IF_ERROR(kFunction(ToQuad(a, a_scale), ToQuad(b, b_scale), &result));
    return FromQuad(result, to_scale, out);
  };
  return MapRows<__int128, __int128, __int128>(call, apply);
}

// Up to 33!, which has 37 digits.
ArrayOr Factorial(const KernelCall& call) {
  return MapRows<__int128, int64_t>(call, [](int64_t n, __int128* out) -> absl::Status {
    constexpr int64_t kLargest = 33;
    if (n < 0) {
      return MakeError(SqlState::kNumericOutOfRange, "factorial of a negative number is undefined");
    }
    if (n > kLargest) return NumericMathOverflow();
    *out = 1;
    for (int64_t i = 2; i <= n; ++i) *out *= i;
    return absl::OkStatus();
  });
}

// The digits behind the point without the zeros at their end.
ArrayOr MinScale(const KernelCall& call) {
  const int32_t scale = call.args[0].type.scale;
  return MapRows<int32_t, __int128>(call, [=](__int128 value, int32_t* out) {
    *out = value == 0 ? 0 : scale;
    for (; *out > 0 && value % 10 == 0; value /= 10) --*out;
  });
}

absl::Status WidthBucket(__float128 x, __float128 low, __float128 high, int32_t count,
                         int32_t* out) {
  if (count <= 0) {
    return MakeError(SqlState::kInvalidArgumentForWidthBucket, "count must be greater than zero");
  }
  if (low == high) {
    return MakeError(SqlState::kInvalidArgumentForWidthBucket,
                     "lower bound cannot equal upper bound");
  }
  const bool before = low < high ? x < low : x > low;
  const bool after = low < high ? x >= high : x <= high;
  *out = before  ? 0
         : after ? count + 1
                 : static_cast<int32_t>(floorq(count * ((x - low) / (high - low)))) + 1;
  return absl::OkStatus();
}

ArrayOr NumericWidthBucketKernel(const KernelCall& call) {
  const int32_t scales[] = {call.args[0].type.scale, call.args[1].type.scale,
                            call.args[2].type.scale};
  return MapRows<int32_t, __int128, __int128, __int128, int32_t>(
      call, [=](__int128 x, __int128 low, __int128 high, int32_t count, int32_t* out) {
        return WidthBucket(ToQuad(x, scales[0]), ToQuad(low, scales[1]), ToQuad(high, scales[2]),
                           count, out);
      });
}

}  // namespace

void AddNumericMathFunctions(FunctionTable* table) {
  const uint8_t costly = kFallible | kCostly;
  for (const std::string name : {"ceil", "ceiling"}) {
    table->Add(name + "(numeric)->numeric", FloorOrCeil<true>, "nearest whole number not below",
               kCostly, ScaleRule::kZero);
  }
  table->Add("floor(numeric)->numeric", FloorOrCeil<false>, "nearest whole number not above",
             kCostly, ScaleRule::kZero);
  table->Add("round(numeric)->numeric", Cut<true>, "nearest whole number, halves away from zero",
             costly, ScaleRule::kZero);
  table->Add("trunc(numeric)->numeric", Cut<false>, "whole number towards zero", costly,
             ScaleRule::kZero);
  table->Add("round(numeric,int4)->numeric", CutTo<true>, "rounded to n decimal places", costly,
             ScaleRule::kByLiteral);
  table->Add("trunc(numeric,int4)->numeric", CutTo<false>, "truncated to n decimal places", costly,
             ScaleRule::kByLiteral);
  table->Add("sign(numeric)->numeric", Sign, "-1, 0 or 1", kNoTraits, ScaleRule::kZero);
  table->Add("sqrt(numeric)->numeric", MapNumeric<Sqrt>, "square root", costly,
             ScaleRule::kInexact);
  table->Add("exp(numeric)->numeric", MapNumeric<Exp>, "e to the power", costly,
             ScaleRule::kInexact);
  table->Add("ln(numeric)->numeric", MapNumeric<NaturalLog>, "natural logarithm", costly,
             ScaleRule::kInexact);
  table->Add("log(numeric)->numeric", MapNumeric<DecimalLog>, "logarithm to base 10", costly,
             ScaleRule::kInexact);
  table->Add("log10(numeric)->numeric", MapNumeric<DecimalLog>, "logarithm to base 10", costly,
             ScaleRule::kInexact);
  table->Add("log(numeric,numeric)->numeric", MapPair<LogToBase>,
             "logarithm of the second to base a", costly, ScaleRule::kInexact);
  for (const std::string name : {"power", "pow"}) {
    table->Add(name + "(numeric,numeric)->numeric", MapPair<Power>, "a to the power of b", costly,
               ScaleRule::kInexact);
  }
  table->Add("factorial(int8)->numeric", Factorial, "n!", costly, ScaleRule::kZero);
  table->Add("min_scale(numeric)->int4", MinScale, "digits after the point that are needed",
             kCostly);
  table->Add("width_bucket(numeric,numeric,numeric,int4)->int4", NumericWidthBucketKernel,
             "bucket of equal width", costly);
}

}  // namespace millrace
