#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/expr/column_reader.h"
#include "common/expr/column_writer.h"
#include "common/expr/decimal_column.h"
#include "common/expr/function_table.h"
#include "common/expr/interval_order.h"
#include "common/expr/numeric_loops.h"
#include "common/types/decimal.h"

// = <> < <= > >= of all types. Results are bitmaps; a comparison cannot fail.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

// Whether `order` (negative, zero, positive) satisfies the comparison.
enum class Test : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe };

template <Test kTest>
bool Holds(int order) {
  switch (kTest) {
    case Test::kEq:
      return order == 0;
    case Test::kNe:
      return order != 0;
    case Test::kLt:
      return order < 0;
    case Test::kLe:
      return order <= 0;
    case Test::kGt:
      return order > 0;
    case Test::kGe:
      return order >= 0;
  }
}

template <Test kTest, typename T>
inline bool Compare(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    // PostgreSQL orders NaN above all other numbers and equal to itself.
    const bool a_nan = a != a;
    const bool b_nan = b != b;
    if constexpr (kTest == Test::kEq) return (a == b) | (a_nan & b_nan);
    if constexpr (kTest == Test::kNe) return !((a == b) | (a_nan & b_nan));
    if constexpr (kTest == Test::kLt) return (a < b) | (b_nan & !a_nan);
    if constexpr (kTest == Test::kLe) return (a <= b) | b_nan;
    if constexpr (kTest == Test::kGt) return (a > b) | (a_nan & !b_nan);
    if constexpr (kTest == Test::kGe) return (a >= b) | a_nan;
  } else {
    if constexpr (kTest == Test::kEq) return a == b;
    if constexpr (kTest == Test::kNe) return a != b;
    if constexpr (kTest == Test::kLt) return a < b;
    if constexpr (kTest == Test::kLe) return a <= b;
    if constexpr (kTest == Test::kGt) return a > b;
    if constexpr (kTest == Test::kGe) return a >= b;
  }
}

// The result of a test on all rows.
template <typename TestRow>
ArrayOr FillResult(const KernelCall& call, const TestRow& test) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto bits, AllocateBits(call.num_rows));
  FillBits(call.num_rows, bits->mutable_data(), test);
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(bits));
}

template <Test kTest, typename T>
ArrayOr CompareFixed(const KernelCall& call) {
  const ColumnReader<T> left(call.args[0]);
  const ColumnReader<T> right(call.args[1]);
  const T* a = left.data();
  const T* b = right.data();
  if (right.is_constant()) {
    const T value = *b;
    return FillResult(call, [=](int64_t i) { return Compare<kTest, T>(a[i], value); });
  }
  if (left.is_constant()) {
    const T value = *a;
    return FillResult(call, [=](int64_t i) { return Compare<kTest, T>(value, b[i]); });
  }
  return FillResult(call, [=](int64_t i) { return Compare<kTest, T>(a[i], b[i]); });
}

template <Test kTest>
ArrayOr CompareBool(const KernelCall& call) {
  const ColumnReader<bool> a(call.args[0]);
  const ColumnReader<bool> b(call.args[1]);
  return FillResult(call, [&](int64_t i) { return Compare<kTest, int>(a[i], b[i]); });
}

template <Test kTest>
ArrayOr CompareText(const KernelCall& call) {
  const ColumnReader<absl::string_view> a(call.args[0]);
  const ColumnReader<absl::string_view> b(call.args[1]);
  return FillResult(call, [&](int64_t i) {
    if constexpr (kTest == Test::kEq) return a[i] == b[i];
    if constexpr (kTest == Test::kNe) return a[i] != b[i];
    return Holds<kTest>(a[i].compare(b[i]));
  });
}

template <Test kTest>
ArrayOr CompareUuid(const KernelCall& call) {
  const ColumnReader<UuidBytes> a(call.args[0]);
  const ColumnReader<UuidBytes> b(call.args[1]);
  return FillResult(call, [&](int64_t i) {
    const UuidBytes left = a[i];
    const UuidBytes right = b[i];
    return Holds<kTest>(std::memcmp(left.bytes, right.bytes, sizeof(left.bytes)));
  });
}

template <Test kTest>
ArrayOr CompareInterval(const KernelCall& call) {
  const ColumnReader<IntervalParts> a(call.args[0]);
  const ColumnReader<IntervalParts> b(call.args[1]);
  return FillResult(call, [&](int64_t i) {
    return Compare<kTest, __int128>(IntervalOrder(a[i]), IntervalOrder(b[i]));
  });
}

// a * 10^shift against b without overflow: a product that leaves 128 bits is beyond every b.
int CompareScaled(__int128 a, int32_t shift, __int128 b) {
  __int128 scaled = 0;
  if (__builtin_mul_overflow(a, PowerOfTen(shift), &scaled)) return a < 0 ? -1 : 1;
  return scaled < b ? -1 : (scaled > b ? 1 : 0);
}

template <Test kTest>
ArrayOr CompareDecimal(const KernelCall& call) {
  const DecimalColumn a(call.args[0]);
  const DecimalColumn b(call.args[1]);
  const int32_t shift = call.args[1].type.scale - call.args[0].type.scale;
  if (shift > 0) {
    return FillResult(call,
                      [&](int64_t i) { return Holds<kTest>(CompareScaled(a[i], shift, b[i])); });
  }
  if (shift < 0) {
    return FillResult(call,
                      [&](int64_t i) { return Holds<kTest>(-CompareScaled(b[i], -shift, a[i])); });
  }
  const bool narrow = a.BitWidth(call.num_rows) <= 64 && b.BitWidth(call.num_rows) <= 64;
  if (!narrow) {
    return FillResult(call, [&](int64_t i) { return Compare<kTest, __int128>(a[i], b[i]); });
  }
  const int64_t* left = a.words();
  const int64_t* right = b.words();
  if (b.is_constant()) {
    const int64_t value = *right;
    return FillResult(call, [=](int64_t i) { return Compare<kTest, int64_t>(left[2 * i], value); });
  }
  if (a.is_constant()) {
    const int64_t value = *left;
    return FillResult(call,
                      [=](int64_t i) { return Compare<kTest, int64_t>(value, right[2 * i]); });
  }
  return FillResult(call,
                    [=](int64_t i) { return Compare<kTest, int64_t>(left[2 * i], right[2 * i]); });
}

template <Test kTest>
void AddTest(const char* name, FunctionTable* table) {
  const auto add = [&](TypeId id, Kernel kernel) {
    const absl::string_view type = ShortTypeName(id);
    table->Add(absl::StrCat(name, "(", type, ",", type, ")->bool"), kernel, "comparison");
  };
  add(TypeId::kBoolean, CompareBool<kTest>);
  add(TypeId::kInt16, CompareFixed<kTest, int16_t>);
  add(TypeId::kInt32, CompareFixed<kTest, int32_t>);
  add(TypeId::kInt64, CompareFixed<kTest, int64_t>);
  add(TypeId::kFloat32, CompareFixed<kTest, float>);
  add(TypeId::kFloat64, CompareFixed<kTest, double>);
  add(TypeId::kNumeric, CompareDecimal<kTest>);
  add(TypeId::kText, CompareText<kTest>);
  add(TypeId::kChar, CompareText<kTest>);
  add(TypeId::kBytea, CompareText<kTest>);
  add(TypeId::kUuid, CompareUuid<kTest>);
  add(TypeId::kDate, CompareFixed<kTest, int32_t>);
  add(TypeId::kTime, CompareFixed<kTest, int64_t>);
  add(TypeId::kTimestamp, CompareFixed<kTest, int64_t>);
  add(TypeId::kTimestampTz, CompareFixed<kTest, int64_t>);
  add(TypeId::kInterval, CompareInterval<kTest>);
}

void AddMixedTest(const char* name, FunctionTable* table) {
  const auto add = [&](TypeId a, TypeId b, TypeId wider) {
    table->AddPromoted(absl::StrCat(name, "(", ShortTypeName(a), ",", ShortTypeName(b), ")->bool"),
                       wider);
    table->AddPromoted(absl::StrCat(name, "(", ShortTypeName(b), ",", ShortTypeName(a), ")->bool"),
                       wider);
  };
  add(TypeId::kInt16, TypeId::kInt32, TypeId::kInt32);
  add(TypeId::kInt16, TypeId::kInt64, TypeId::kInt64);
  add(TypeId::kInt32, TypeId::kInt64, TypeId::kInt64);
  add(TypeId::kFloat32, TypeId::kFloat64, TypeId::kFloat64);
  add(TypeId::kDate, TypeId::kTimestamp, TypeId::kTimestamp);
  add(TypeId::kDate, TypeId::kTimestampTz, TypeId::kTimestampTz);
  add(TypeId::kTimestamp, TypeId::kTimestampTz, TypeId::kTimestampTz);
}

}  // namespace

void AddComparisonFunctions(FunctionTable* table) {
  AddTest<Test::kEq>("eq", table);
  AddTest<Test::kNe>("ne", table);
  AddTest<Test::kLt>("lt", table);
  AddTest<Test::kLe>("le", table);
  AddTest<Test::kGt>("gt", table);
  AddTest<Test::kGe>("ge", table);
  for (const char* name : {"eq", "ne", "lt", "le", "gt", "ge"}) AddMixedTest(name, table);
}

}  // namespace millrace
