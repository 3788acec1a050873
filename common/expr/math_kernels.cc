#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"

// Functions of double precision, and the number theory of integers.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

absl::Status OutOfRange(const char* what) { return MakeError(SqlState::kNumericOutOfRange, what); }

absl::Status InputOutOfRange() { return OutOfRange("input is out of range"); }

// A result that left the range of a double, although the argument was in it.
absl::Status CheckResult(double result, bool finite_input) {
  return std::isinf(result) && finite_input ? OutOfRange("value out of range: overflow")
                                            : absl::OkStatus();
}

template <double (*kFunction)(double)>
ArrayOr Map(const KernelCall& call) {
  return MapRows<double, double>(call, [](double x, double* out) { *out = kFunction(x); });
}

// For functions with a domain: kFunction checks it.
template <absl::Status (*kFunction)(double, double*)>
ArrayOr TryMap(const KernelCall& call) {
  return MapRows<double, double>(call, kFunction);
}

double RoundHalfEven(double x) { return std::rint(x); }
double Sign(double x) { return x > 0 ? 1 : (x < 0 ? -1 : (std::isnan(x) ? x : 0)); }
double Degrees(double x) { return x * (180.0 / std::numbers::pi); }
double Radians(double x) { return x * (std::numbers::pi / 180.0); }
double Ceil(double x) { return std::ceil(x); }
double Floor(double x) { return std::floor(x); }
double Trunc(double x) { return std::trunc(x); }
double Cbrt(double x) { return std::cbrt(x); }
double Atan(double x) { return std::atan(x); }
double Tanh(double x) { return std::tanh(x); }
double Asinh(double x) { return std::asinh(x); }

absl::Status Sqrt(double x, double* out) {
  if (x < 0) {
    return MakeError(SqlState::kInvalidArgumentForPower,
                     "cannot take square root of a negative number");
  }
  *out = std::sqrt(x);
  return absl::OkStatus();
}

absl::Status Exp(double x, double* out) {
  *out = std::exp(x);
  if (*out == 0 && !std::isinf(x)) return OutOfRange("value out of range: underflow");
  return CheckResult(*out, !std::isinf(x));
}

template <double (*kLogarithm)(double)>
absl::Status Log(double x, double* out) {
  if (x == 0) return MakeError(SqlState::kInvalidArgumentForLog, "cannot take logarithm of zero");
  if (x < 0) {
    return MakeError(SqlState::kInvalidArgumentForLog,
                     "cannot take logarithm of a negative number");
  }
  *out = kLogarithm(x);
  return absl::OkStatus();
}
double NaturalLog(double x) { return std::log(x); }
double DecimalLog(double x) { return std::log10(x); }

// Sines and the like are not defined at infinity.
template <double (*kFunction)(double)>
absl::Status Angle(double x, double* out) {
  if (std::isinf(x)) return InputOutOfRange();
  *out = kFunction(x);
  return absl::OkStatus();
}
double Sin(double x) { return std::sin(x); }
double Cos(double x) { return std::cos(x); }
double Tan(double x) { return std::tan(x); }
double Cot(double x) { return 1.0 / std::tan(x); }

template <double (*kFunction)(double)>
absl::Status ArcFunction(double x, double* out) {
  if (x < -1 || x > 1) return InputOutOfRange();
  *out = kFunction(x);
  return absl::OkStatus();
}
double Asin(double x) { return std::asin(x); }
double Acos(double x) { return std::acos(x); }
double Atanh(double x) { return std::atanh(x); }

absl::Status Acosh(double x, double* out) {
  if (x < 1) return InputOutOfRange();
  *out = std::acosh(x);
  return absl::OkStatus();
}

double Sinh(double x) { return std::sinh(x); }
double Cosh(double x) { return std::cosh(x); }

absl::Status Power(double base, double exponent, double* out) {
  if (base == 0 && exponent < 0) {
    return MakeError(SqlState::kInvalidArgumentForPower,
                     "zero raised to a negative power is undefined");
  }
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) &&
      std::floor(exponent) != exponent) {
    return MakeError(SqlState::kInvalidArgumentForPower,
                     "a negative number raised to a non-integer power yields a complex result");
  }
  *out = std::pow(base, exponent);
  const bool finite = std::isfinite(base) && std::isfinite(exponent);
  if (*out == 0 && finite && base != 0) return OutOfRange("value out of range: underflow");
  return CheckResult(*out, finite);
}

ArrayOr PowerKernel(const KernelCall& call) { return MapRows<double, double, double>(call, Power); }

ArrayOr Atan2(const KernelCall& call) {
  return MapRows<double, double, double>(
      call, [](double y, double x, double* out) { *out = std::atan2(y, x); });
}

ArrayOr Pi(const KernelCall& call) {
  return MapRows<double>(call, [](double* out) { *out = std::numbers::pi; });
}

template <typename T>
absl::Status GreatestCommonDivisor(T a, T b, T* out) {
  using Wide = std::make_unsigned_t<T>;
  const auto magnitude = [](T x) {
    return x < 0 ? Wide{0} - static_cast<Wide>(x) : static_cast<Wide>(x);
  };
  const Wide divisor = std::gcd(magnitude(a), magnitude(b));
  *out = static_cast<T>(divisor);
  if (*out >= 0) return absl::OkStatus();
  return OutOfRange(sizeof(T) == 4 ? "integer out of range" : "bigint out of range");
}

template <typename T>
ArrayOr Gcd(const KernelCall& call) {
  return MapRows<T, T, T>(call, GreatestCommonDivisor<T>);
}

template <typename T>
ArrayOr Lcm(const KernelCall& call) {
  const auto multiple = [](T a, T b, T* out) -> absl::Status {
    *out = 0;
    if (a == 0 || b == 0) return absl::OkStatus();
    T divisor = 1;
    MR_RETURN_IF_ERROR(GreatestCommonDivisor(a, b, &divisor));
    const bool overflow =
        __builtin_mul_overflow(a / divisor, b, out) || *out == std::numeric_limits<T>::min();
    if (overflow)
      return OutOfRange(sizeof(T) == 4 ? "integer out of range" : "bigint out of range");
    *out = *out < 0 ? static_cast<T>(-*out) : *out;
    return absl::OkStatus();
  };
  return MapRows<T, T, T>(call, multiple);
}

// The bucket of `count` equal ones between the bounds; 0 and count + 1 are outside.
absl::Status WidthBucket(double x, double low, double high, int32_t count, int32_t* out) {
  const auto invalid = [](const char* what) {
    return MakeError(SqlState::kInvalidArgumentForWidthBucket, what);
  };
  if (count <= 0) return invalid("count must be greater than zero");
  if (std::isnan(x) || std::isnan(low) || std::isnan(high)) {
    return invalid("operand, lower bound, and upper bound cannot be NaN");
  }
  if (std::isinf(low) || std::isinf(high)) return invalid("lower and upper bounds must be finite");
  if (low == high) return invalid("lower bound cannot equal upper bound");
  const bool ascending = low < high;
  const bool before = ascending ? x < low : x > low;
  const bool after = ascending ? x >= high : x <= high;
  if (before) {
    *out = 0;
  } else if (after) {
    if (count == std::numeric_limits<int32_t>::max()) return OutOfRange("integer out of range");
    *out = count + 1;
  } else {
    *out = static_cast<int32_t>(count * ((x - low) / (high - low))) + 1;
    if (*out > count) *out = count;
  }
  return absl::OkStatus();
}

ArrayOr WidthBucketKernel(const KernelCall& call) {
  return MapRows<int32_t, double, double, double, int32_t>(call, WidthBucket);
}

}  // namespace

void AddMathFunctions(FunctionTable* table) {
  const auto map = [&](absl::string_view name, Kernel kernel, const char* description,
                       uint8_t traits = kNoTraits) {
    table->Add(absl::StrCat(name, "(float8)->float8"), kernel, description, traits | kCostly);
  };
  map("ceil", Map<Ceil>, "nearest whole number not below");
  map("ceiling", Map<Ceil>, "nearest whole number not below");
  map("floor", Map<Floor>, "nearest whole number not above");
  map("trunc", Map<Trunc>, "whole number towards zero");
  map("round", Map<RoundHalfEven>, "nearest whole number, halves to the even one");
  map("sign", Map<Sign>, "-1, 0 or 1");
  map("cbrt", Map<Cbrt>, "cube root");
  map("degrees", Map<Degrees>, "radians to degrees");
  map("radians", Map<Radians>, "degrees to radians");
  map("atan", Map<Atan>, "inverse tangent");
  map("tanh", Map<Tanh>, "hyperbolic tangent");
  map("asinh", Map<Asinh>, "inverse hyperbolic sine");
  map("sinh", Map<Sinh>, "hyperbolic sine");
  map("cosh", Map<Cosh>, "hyperbolic cosine");
  map("sqrt", TryMap<Sqrt>, "square root", kFallible);
  map("exp", TryMap<Exp>, "e to the power", kFallible);
  map("ln", TryMap<Log<NaturalLog>>, "natural logarithm", kFallible);
  map("log", TryMap<Log<DecimalLog>>, "logarithm to base 10", kFallible);
  map("log10", TryMap<Log<DecimalLog>>, "logarithm to base 10", kFallible);
  map("sin", TryMap<Angle<Sin>>, "sine", kFallible);
  map("cos", TryMap<Angle<Cos>>, "cosine", kFallible);
  map("tan", TryMap<Angle<Tan>>, "tangent", kFallible);
  map("cot", TryMap<Angle<Cot>>, "cotangent", kFallible);
  map("asin", TryMap<ArcFunction<Asin>>, "inverse sine", kFallible);
  map("acos", TryMap<ArcFunction<Acos>>, "inverse cosine", kFallible);
  map("atanh", TryMap<ArcFunction<Atanh>>, "inverse hyperbolic tangent", kFallible);
  map("acosh", TryMap<Acosh>, "inverse hyperbolic cosine", kFallible);
  for (const char* name : {"power", "pow"}) {
    table->Add(absl::StrCat(name, "(float8,float8)->float8"), PowerKernel, "a to the power of b",
               kFallible | kCostly);
  }
  table->Add("atan2(float8,float8)->float8", Atan2, "inverse tangent of y/x", kCostly);
  table->Add("pi()->float8", Pi, "the constant pi");
  table->Add("gcd(int4,int4)->int4", Gcd<int32_t>, "greatest common divisor", kFallible | kCostly);
  table->Add("gcd(int8,int8)->int8", Gcd<int64_t>, "greatest common divisor", kFallible | kCostly);
  table->Add("lcm(int4,int4)->int4", Lcm<int32_t>, "least common multiple", kFallible | kCostly);
  table->Add("lcm(int8,int8)->int8", Lcm<int64_t>, "least common multiple", kFallible | kCostly);
  table->Add("width_bucket(float8,float8,float8,int4)->int4", WidthBucketKernel,
             "bucket of equal width", kFallible | kCostly);
}

}  // namespace millrace
