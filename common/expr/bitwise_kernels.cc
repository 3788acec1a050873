#include <string>

#include "absl/strings/str_cat.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"

// & | # ~ << >> of integers.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

template <typename T>
ArrayOr And(const KernelCall& call) {
  return MapRows<T, T, T>(call, [](T a, T b, T* out) { *out = static_cast<T>(a & b); });
}

template <typename T>
ArrayOr Or(const KernelCall& call) {
  return MapRows<T, T, T>(call, [](T a, T b, T* out) { *out = static_cast<T>(a | b); });
}

template <typename T>
ArrayOr Xor(const KernelCall& call) {
  return MapRows<T, T, T>(call, [](T a, T b, T* out) { *out = static_cast<T>(a ^ b); });
}

template <typename T>
ArrayOr Not(const KernelCall& call) {
  return MapRows<T, T>(call, [](T a, T* out) { *out = static_cast<T>(~a); });
}

// The distance counts modulo the width, as on PostgreSQL's usual hardware; smallint is shifted as
// integer.
template <typename T>
int Distance(int32_t bits) {
  return bits & (sizeof(T) == 8 ? 63 : 31);
}

template <typename T>
ArrayOr ShiftLeft(const KernelCall& call) {
  return MapRows<T, T, int32_t>(call, [](T a, int32_t bits, T* out) {
    *out = static_cast<T>(static_cast<uint64_t>(a) << Distance<T>(bits));
  });
}

template <typename T>
ArrayOr ShiftRight(const KernelCall& call) {
  return MapRows<T, T, int32_t>(call, [](T a, int32_t bits, T* out) {
    *out = static_cast<T>(static_cast<int64_t>(a) >> Distance<T>(bits));
  });
}

template <typename T>
void AddWidth(absl::string_view type, FunctionTable* table) {
  const auto binary = [&](absl::string_view name) {
    return absl::StrCat(name, "(", type, ",", type, ")->", type);
  };
  table->Add(binary("bitand"), And<T>, "bitwise and");
  table->Add(binary("bitor"), Or<T>, "bitwise or");
  table->Add(binary("bitxor"), Xor<T>, "bitwise exclusive or");
  table->Add(absl::StrCat("bitnot(", type, ")->", type), Not<T>, "bitwise not");
  table->Add(absl::StrCat("shift_left(", type, ",int4)->", type), ShiftLeft<T>, "shifted left");
  table->Add(absl::StrCat("shift_right(", type, ",int4)->", type), ShiftRight<T>, "shifted right");
}

}  // namespace

void AddBitwiseFunctions(FunctionTable* table) {
  AddWidth<int16_t>("int2", table);
  AddWidth<int32_t>("int4", table);
  AddWidth<int64_t>("int8", table);
}

}  // namespace millrace
