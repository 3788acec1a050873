#include <bit>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/column_reader.h"
#include "common/expr/column_writer.h"
#include "common/expr/function_table.h"
#include "common/expr/numeric_loops.h"

// + - * / % and signs of integers and floats. The loops compute every row, NULL or not, and only
// note that something went wrong; the row is looked for afterwards.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

template <typename T>
constexpr TypeId TypeIdOf() {
  if constexpr (std::is_same_v<T, int16_t>) return TypeId::kInt16;
  if constexpr (std::is_same_v<T, int32_t>) return TypeId::kInt32;
  if constexpr (std::is_same_v<T, int64_t>) return TypeId::kInt64;
  if constexpr (std::is_same_v<T, float>) return TypeId::kFloat32;
  return TypeId::kFloat64;
}

absl::Status DivisionByZero() { return MakeError(SqlState::kDivisionByZero, "division by zero"); }

template <typename T>
absl::Status Overflow() {
  if (std::is_floating_point_v<T>) {
    return MakeError(SqlState::kNumericOutOfRange, "value out of range: overflow");
  }
  return MakeError(SqlState::kNumericOutOfRange,
                   absl::StrCat(TypeName(SqlType::Of(TypeIdOf<T>())), " out of range"));
}

absl::Status Underflow() {
  return MakeError(SqlState::kNumericOutOfRange, "value out of range: underflow");
}

// An operation gives a result for any arguments. Its Flags gather over a batch whether a row may be
// in error; Check says so for one row.

template <typename T>
struct IntegerAdd {
  using Flags = T;
  using Wide = std::make_unsigned_t<T>;
  static T Apply(T a, T b, T* flags) {
    const T sum = static_cast<T>(static_cast<Wide>(a) + static_cast<Wide>(b));
    *flags |= static_cast<T>((a ^ sum) & (b ^ sum));
    return sum;
  }
  static bool Suspicious(T flags) { return flags < 0; }
  static absl::Status Check(T a, T b) {
    T out;
    return __builtin_add_overflow(a, b, &out) ? Overflow<T>() : absl::OkStatus();
  }
};

template <typename T>
struct IntegerSubtract {
  using Flags = T;
  using Wide = std::make_unsigned_t<T>;
  static T Apply(T a, T b, T* flags) {
    const T difference = static_cast<T>(static_cast<Wide>(a) - static_cast<Wide>(b));
    *flags |= static_cast<T>((a ^ b) & (a ^ difference));
    return difference;
  }
  static bool Suspicious(T flags) { return flags < 0; }
  static absl::Status Check(T a, T b) {
    T out;
    return __builtin_sub_overflow(a, b, &out) ? Overflow<T>() : absl::OkStatus();
  }
};

template <typename T>
struct IntegerMultiply {
  using Flags = T;
  static T Apply(T a, T b, T* flags) {
    if constexpr (sizeof(T) == 8) {
      T product;
      *flags |= static_cast<T>(__builtin_mul_overflow(a, b, &product));
      return product;
    } else {
      const int64_t product = static_cast<int64_t>(a) * b;
      *flags |= static_cast<T>(product != static_cast<T>(product));
      return static_cast<T>(product);
    }
  }
  static bool Suspicious(T flags) { return flags != 0; }
  static absl::Status Check(T a, T b) {
    T out;
    return __builtin_mul_overflow(a, b, &out) ? Overflow<T>() : absl::OkStatus();
  }
};

template <typename T>
struct IntegerDivide {
  using Flags = T;
  static T Apply(T a, T b, T* flags) {
    const bool overflow = a == std::numeric_limits<T>::min() && b == -1;
    const bool bad = b == 0 || overflow;
    *flags |= static_cast<T>(bad);
    return static_cast<T>(a / (bad ? T{1} : b));
  }
  static bool Suspicious(T flags) { return flags != 0; }
  static absl::Status Check(T a, T b) {
    if (b == 0) return DivisionByZero();
    return a == std::numeric_limits<T>::min() && b == -1 ? Overflow<T>() : absl::OkStatus();
  }
};

template <typename T>
struct IntegerModulo {
  using Flags = T;
  static T Apply(T a, T b, T* flags) {
    *flags |= static_cast<T>(b == 0);
    // x % 1 is 0, which is also right for -1, where the hardware could overflow.
    return static_cast<T>(a % (b == 0 || b == -1 ? T{1} : b));
  }
  static bool Suspicious(T flags) { return flags != 0; }
  static absl::Status Check(T, T b) { return b == 0 ? DivisionByZero() : absl::OkStatus(); }
};

// Floats: an infinity or zero that did not come from the arguments is an overflow or underflow.
template <typename T>
absl::Status CheckOverflow(T a, T b, T result) {
  return std::isinf(result) && !std::isinf(a) && !std::isinf(b) ? Overflow<T>() : absl::OkStatus();
}

template <typename T>
using FloatBits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

// Has its top bit set if `value` is infinite or NaN: its exponent is all ones, so adding one
// carries. Integers, because sums of floats cannot be reordered and so would not be vectorised.
template <typename T>
FloatBits<T> NonFiniteFlag(T value) {
  constexpr int kMantissaBits = std::numeric_limits<T>::digits - 1;
  constexpr FloatBits<T> kOne = FloatBits<T>{1} << kMantissaBits;
  constexpr FloatBits<T> kExponent = ((FloatBits<T>{1} << (sizeof(T) * 8 - 1)) - 1) & ~(kOne - 1);
  return (std::bit_cast<FloatBits<T>>(value) & kExponent) + kOne;
}

template <typename T>
FloatBits<T> TopBitIf(bool condition) {
  return FloatBits<T>{condition} << (sizeof(T) * 8 - 1);
}

template <typename T>
struct FloatOp {
  using Flags = FloatBits<T>;
  static bool Suspicious(Flags flags) { return flags >> (sizeof(T) * 8 - 1) != 0; }
};

template <typename T>
struct FloatAdd : FloatOp<T> {
  static T Apply(T a, T b, FloatBits<T>* flags) {
    const T sum = a + b;
    *flags |= NonFiniteFlag(sum);
    return sum;
  }
  static absl::Status Check(T a, T b) { return CheckOverflow(a, b, a + b); }
};

template <typename T>
struct FloatSubtract : FloatOp<T> {
  static T Apply(T a, T b, FloatBits<T>* flags) {
    const T difference = a - b;
    *flags |= NonFiniteFlag(difference);
    return difference;
  }
  static absl::Status Check(T a, T b) { return CheckOverflow(a, b, a - b); }
};

template <typename T>
struct FloatMultiply : FloatOp<T> {
  static T Apply(T a, T b, FloatBits<T>* flags) {
    const T product = a * b;
    *flags |= NonFiniteFlag(product) | TopBitIf<T>((product == 0) & (a != 0) & (b != 0));
    return product;
  }
  static absl::Status Check(T a, T b) {
    const T product = a * b;
    if (product == 0 && a != 0 && b != 0) return Underflow();
    return CheckOverflow(a, b, product);
  }
};

template <typename T>
struct FloatDivide : FloatOp<T> {
  static T Apply(T a, T b, FloatBits<T>* flags) {
    // Division by zero gives an infinity or NaN, which is noticed as such.
    const T quotient = a / b;
    *flags |= NonFiniteFlag(quotient) | TopBitIf<T>((quotient == 0) & (a != 0));
    return quotient;
  }
  static absl::Status Check(T a, T b) {
    // NaN / 0 is NaN in PostgreSQL.
    if (b == 0) return std::isnan(a) ? absl::OkStatus() : DivisionByZero();
    const T quotient = a / b;
    if (quotient == 0 && a != 0 && !std::isinf(b)) return Underflow();
    return CheckOverflow(a, b, quotient);
  }
};

template <typename Op, typename T>
absl::Status FindError(const KernelCall& call, const Validity& validity) {
  const ColumnReader<T> a(call.args[0]);
  const ColumnReader<T> b(call.args[1]);
  for (int64_t row = 0; row < call.num_rows; ++row) {
    if (validity.IsValid(row)) MR_RETURN_IF_ERROR(Op::Check(a[row], b[row]));
  }
  return absl::OkStatus();
}

template <typename Op, typename T>
ArrayOr Binary(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * static_cast<int64_t>(sizeof(T))));
  T* out = reinterpret_cast<T*>(buffer->mutable_data());
  const ColumnReader<T> a(call.args[0]);
  const ColumnReader<T> b(call.args[1]);
  typename Op::Flags flags = 0;
  const LoopSide<T> left{a.data(), a.is_constant()};
  const LoopSide<T> right{b.data(), b.is_constant()};
  ForEachPair(left, right, call.num_rows,
              [out, &flags](int64_t i, T x, T y) { out[i] = Op::Apply(x, y, &flags); });
  if (Op::Suspicious(flags)) MR_RETURN_IF_ERROR((FindError<Op, T>(call, validity)));
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

struct NegateOp {
  template <typename T>
  static bool Apply(T value, T* out) {
    if constexpr (std::is_integral_v<T>) {
      *out =
          static_cast<T>(std::make_unsigned_t<T>{0} - static_cast<std::make_unsigned_t<T>>(value));
      return value == std::numeric_limits<T>::min();
    } else {
      *out = -value;
      return false;
    }
  }
};

struct AbsoluteOp {
  template <typename T>
  static bool Apply(T value, T* out) {
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      *out = static_cast<T>(value < 0 ? U{0} - static_cast<U>(value) : static_cast<U>(value));
      return value == std::numeric_limits<T>::min();
    } else {
      *out = std::fabs(value);
      return false;
    }
  }
};

template <typename Op, typename T>
ArrayOr Unary(const KernelCall& call) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * static_cast<int64_t>(sizeof(T))));
  T* out = reinterpret_cast<T*>(buffer->mutable_data());
  const T* values = ColumnReader<T>(call.args[0]).data();
  bool any = false;
  for (int64_t i = 0; i < call.num_rows; ++i) any |= Op::Apply(values[i], &out[i]);
  for (int64_t i = 0; any && i < call.num_rows; ++i) {
    T ignored;
    if (validity.IsValid(i) && Op::Apply(values[i], &ignored)) return Overflow<T>();
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

ArrayOr Identity(const KernelCall& call) { return call.args[0].array; }

std::string Signature(absl::string_view name, TypeId type, int num_args) {
  const absl::string_view text = ShortTypeName(type);
  return num_args == 1 ? absl::StrCat(name, "(", text, ")->", text)
                       : absl::StrCat(name, "(", text, ",", text, ")->", text);
}

template <typename T>
void AddIntegers(FunctionTable* table) {
  const TypeId type = TypeIdOf<T>();
  const auto binary = [&](const char* name, Kernel kernel, const char* description) {
    table->Add(Signature(name, type, 2), kernel, description, kFallible);
  };
  binary("add", Binary<IntegerAdd<T>, T>, "sum");
  binary("sub", Binary<IntegerSubtract<T>, T>, "difference");
  binary("mul", Binary<IntegerMultiply<T>, T>, "product");
  binary("div_op", Binary<IntegerDivide<T>, T>, "quotient, truncated");
  binary("mod", Binary<IntegerModulo<T>, T>, "remainder with the sign of the dividend");
  table->Add(Signature("neg", type, 1), Unary<NegateOp, T>, "negation", kFallible);
  table->Add(Signature("abs", type, 1), Unary<AbsoluteOp, T>, "absolute value", kFallible);
  table->Add(Signature("plus", type, 1), Identity, "the value itself");
}

template <typename T>
void AddFloats(FunctionTable* table) {
  const TypeId type = TypeIdOf<T>();
  const auto binary = [&](const char* name, Kernel kernel, const char* description) {
    table->Add(Signature(name, type, 2), kernel, description, kFallible);
  };
  binary("add", Binary<FloatAdd<T>, T>, "sum");
  binary("sub", Binary<FloatSubtract<T>, T>, "difference");
  binary("mul", Binary<FloatMultiply<T>, T>, "product");
  binary("div_op", Binary<FloatDivide<T>, T>, "quotient");
  table->Add(Signature("neg", type, 1), Unary<NegateOp, T>, "negation");
  table->Add(Signature("abs", type, 1), Unary<AbsoluteOp, T>, "absolute value");
  table->Add(Signature("plus", type, 1), Identity, "the value itself");
}

// PostgreSQL has these operators for each pair of integer types and of float types; they count when
// it looks for exact matches.
void AddMixed(FunctionTable* table) {
  constexpr TypeId kIntegers[] = {TypeId::kInt16, TypeId::kInt32, TypeId::kInt64};
  const auto add = [&](const char* name, TypeId a, TypeId b) {
    const TypeId wider = std::max(a, b);
    table->AddPromoted(absl::StrCat(name, "(", ShortTypeName(a), ",", ShortTypeName(b), ")->",
                                    ShortTypeName(wider)),
                       wider);
  };
  for (const char* name : {"add", "sub", "mul", "div_op"}) {
    for (TypeId a : kIntegers) {
      for (TypeId b : kIntegers) {
        if (a != b) add(name, a, b);
      }
    }
    add(name, TypeId::kFloat32, TypeId::kFloat64);
    add(name, TypeId::kFloat64, TypeId::kFloat32);
  }
}

}  // namespace

void AddArithmeticFunctions(FunctionTable* table) {
  AddIntegers<int16_t>(table);
  AddIntegers<int32_t>(table);
  AddIntegers<int64_t>(table);
  AddFloats<float>(table);
  AddFloats<double>(table);
  AddMixed(table);
}

}  // namespace millrace
