#pragma once

#include <cmath>
#include <cstring>
#include <string_view>

#include "worker/kernels/column_view.h"

namespace millrace {

// Three-way comparison of values as SQL orders them.

template <typename T>
int CompareNumbers(T a, T b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}
// NaN is equal to itself and greater than all numbers.
template <typename T>
int CompareFloats(T a, T b) {
  if (a < b) return -1;
  if (b < a) return 1;
  if (a == b) return 0;
  return static_cast<int>(a != a) - static_cast<int>(b != b);
}
// By bytes (the C collation).
inline int CompareTexts(std::string_view a, std::string_view b) {
  const int order = std::memcmp(a.data(), b.data(), a.size() < b.size() ? a.size() : b.size());
  return order != 0 ? order : CompareNumbers(a.size(), b.size());
}
inline int CompareIntervals(const RawInterval& a, const RawInterval& b) {
  return CompareNumbers(IntervalSpan(a), IntervalSpan(b));
}

}  // namespace millrace
