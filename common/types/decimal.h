#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// The arithmetic that numeric columns need on unscaled 128-bit integers.

namespace millrace {

namespace decimal_internal {
constexpr std::array<__int128, 39> MakePowersOfTen() {
  std::array<__int128, 39> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}
inline constexpr std::array<__int128, 39> kPowersOfTen = MakePowersOfTen();
}  // namespace decimal_internal

// 10^exponent for 0 ≤ exponent ≤ 38.
constexpr __int128 PowerOfTen(int exponent) { return decimal_internal::kPowersOfTen[exponent]; }

// The largest unscaled value: 38 nines.
inline constexpr __int128 kMaxDecimal = PowerOfTen(38) - 1;

constexpr bool FitsDecimal(__int128 value) { return value <= kMaxDecimal && value >= -kMaxDecimal; }

// a / b rounded half away from zero; b > 0.
constexpr __int128 DivideRounded(__int128 a, __int128 b) {
  const __int128 quotient = a / b;
  const __int128 remainder = a % b;
  // |remainder| * 2 >= b, written so that it cannot overflow.
  if (remainder >= 0) return quotient + (remainder >= b - remainder ? 1 : 0);
  return quotient - (-remainder >= b + remainder ? 1 : 0);
}

// `value` brought from one scale to another, rounded half away from zero. False if it needs more
// than 38 digits.
constexpr bool RescaleDecimal(__int128 value, int32_t from_scale, int32_t to_scale, __int128* out) {
  if (to_scale <= from_scale) {
    const int32_t drop = from_scale - to_scale;
    *out = drop == 0 ? value : drop > 38 ? 0 : DivideRounded(value, PowerOfTen(drop));
    return true;
  }
  const int32_t add = to_scale - from_scale;
  if (value == 0) {
    *out = 0;
    return true;
  }
  if (add > 38) return false;
  const __int128 limit = kMaxDecimal / PowerOfTen(add);
  if (value > limit || value < -limit) return false;
  *out = value * PowerOfTen(add);
  return true;
}

}  // namespace millrace
