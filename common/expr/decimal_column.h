#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "arrow/array.h"
#include "common/expr/kernel.h"

namespace millrace {

// A numeric operand as pairs of 64-bit words. Arrow promises an alignment of 8 bytes only, so it is
// not read through __int128 pointers.
class DecimalColumn {
 public:
  explicit DecimalColumn(const Operand& operand)
      : words_(reinterpret_cast<const int64_t*>(
            static_cast<const arrow::Decimal128Array&>(*operand.array).raw_values())),
        step_(operand.is_constant ? 0 : 2),
        max_digits_(operand.max_digits) {}

  __int128 operator[](int64_t row) const {
    const int64_t* p = words_ + row * step_;
    return (static_cast<__int128>(p[1]) << 64) | static_cast<uint64_t>(p[0]);
  }
  // The low word; it is the value where BitWidth() is at most 64.
  const int64_t* words() const { return words_; }
  bool is_constant() const { return step_ == 0; }

  // Bits, with the sign, that hold every value of the first `num_rows`; found by a scan unless the
  // type says that 64 are enough.
  int BitWidth(int64_t num_rows) const {
    constexpr int kDigitsOf64Bits = 18;
    if (max_digits_ <= kDigitsOf64Bits) return kBitsOf18Digits;
    const int64_t n = is_constant() ? 1 : num_rows;
    uint64_t high = 0;
    uint64_t low = 0;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t sign = words_[2 * i + 1] >> 63;
      low |= static_cast<uint64_t>(words_[2 * i] ^ sign);
      high |= static_cast<uint64_t>(words_[2 * i + 1] ^ sign);
    }
    const int width = high != 0 ? 128 - std::countl_zero(high) : 64 - std::countl_zero(low);
    return width + 1;
  }

 private:
  // 10^18 < 2^60, and the sign.
  static constexpr int kBitsOf18Digits = 61;

  const int64_t* words_;
  int64_t step_;
  int32_t max_digits_;
};

// Values of 128 bits, written as word pairs.
inline void StoreDecimal(int64_t* words, int64_t row, __int128 value) {
  words[2 * row] = static_cast<int64_t>(value);
  words[2 * row + 1] = static_cast<int64_t>(value >> 64);
}

// Bits of 10^exponent, with a sign.
inline int BitsOfPowerOfTen(int exponent) { return exponent * 3322 / 1000 + 2; }

}  // namespace millrace
