#pragma once

#include <cstdint>
#include <cstring>

#ifdef __AVX2__
#include <immintrin.h>
#endif

// Loops over whole columns in a form that the compiler vectorises. Either side may be a constant;
// the variants are instantiated apart, so that the loop body has no branch.

namespace millrace {

// One side of a loop: a value for each row, or one for all.
template <typename T>
struct LoopSide {
  const T* values;
  bool is_constant;
};

// body(i, a, b) for i in [0, n), with a and b the values of row i.
template <typename T, typename Body>
inline void ForEachPair(const LoopSide<T>& left, const LoopSide<T>& right, int64_t n,
                        const Body& body) {
  const T* a = left.values;
  const T* b = right.values;
  if (right.is_constant && !left.is_constant) {
    const T value = *b;
    for (int64_t i = 0; i < n; ++i) body(i, a[i], value);
  } else if (left.is_constant && !right.is_constant) {
    const T value = *a;
    for (int64_t i = 0; i < n; ++i) body(i, value, b[i]);
  } else if (left.is_constant) {
    const T x = *a;
    const T y = *b;
    for (int64_t i = 0; i < n; ++i) body(i, x, y);
  } else {
    for (int64_t i = 0; i < n; ++i) body(i, a[i], b[i]);
  }
}

// The low bits of 64 bytes that are each 0 or 1, byte i in bit i.
inline uint64_t PackBits(const uint8_t bytes[64]) {
#ifdef __AVX2__
  const auto pack = [](const uint8_t* p) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_slli_epi16(v, 7)));
  };
  return pack(bytes) | (static_cast<uint64_t>(pack(bytes + 32)) << 32);
#else
  uint64_t word = 0;
  for (int i = 0; i < 8; ++i) {
    uint64_t eight;
    std::memcpy(&eight, bytes + i * 8, 8);
    // Collects the low bits of the eight bytes in the top byte of the product.
    word |= ((eight * 0x0102040810204080) >> 56) << (i * 8);
  }
  return word;
#endif
}

// Bit i of `out` = test(i). `out` has room for whole words.
template <typename Test>
inline void FillBits(int64_t n, uint8_t* out, const Test& test) {
  alignas(64) uint8_t bytes[64];
  int64_t base = 0;
  for (; base + 64 <= n; base += 64, out += 8) {
    for (int64_t j = 0; j < 64; ++j) bytes[j] = test(base + j) ? 1 : 0;
    const uint64_t word = PackBits(bytes);
    std::memcpy(out, &word, 8);
  }
  if (base == n) return;
  std::memset(bytes, 0, sizeof(bytes));
  for (int64_t j = 0; base + j < n; ++j) bytes[j] = test(base + j) ? 1 : 0;
  const uint64_t word = PackBits(bytes);
  std::memcpy(out, &word, 8);
}

}  // namespace millrace
