#pragma once

#include <cstdint>
#include <cstring>

#include "arrow/util/basic_decimal.h"

namespace millrace {

// A 256-bit two's complement integer with the few operations that exact variances need.
struct Int256 {
  // Least significant first.
  uint64_t words[4] = {0, 0, 0, 0};

  void Add(const Int256& other) {
    unsigned __int128 carry = 0;
    for (int i = 0; i < 4; ++i) {
      carry += static_cast<unsigned __int128>(words[i]) + other.words[i];
      words[i] = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
  }
  void Negate() {
    for (uint64_t& word : words) word = ~word;
    Add(Int256{{1, 0, 0, 0}});
  }
  // value² · |factor|, with the sign of factor; wraps around.
  static Int256 Square(__int128 value, int64_t factor) {
    const auto magnitude = value < 0 ? ~static_cast<unsigned __int128>(value) + 1
                                     : static_cast<unsigned __int128>(value);
    const uint64_t low = static_cast<uint64_t>(magnitude);
    const uint64_t high = static_cast<uint64_t>(magnitude >> 64);
    Int256 square;
    square.AddProduct(low, low, 0);
    square.AddProduct(low, high, 1);
    square.AddProduct(low, high, 1);
    square.AddProduct(high, high, 2);
    if (factor == 1) return square;
    Int256 scaled;
    const uint64_t times =
        factor < 0 ? uint64_t{0} - static_cast<uint64_t>(factor) : static_cast<uint64_t>(factor);
    for (int i = 0; i < 4; ++i) scaled.AddProduct(square.words[i], times, i);
    if (factor < 0) scaled.Negate();
    return scaled;
  }
  arrow::BasicDecimal256 ToDecimal() const {
    return arrow::BasicDecimal256(arrow::BasicDecimal256::LittleEndianArray,
                                  {words[0], words[1], words[2], words[3]});
  }

 private:
  // Adds a · b · 2^(64 · word).
  void AddProduct(uint64_t a, uint64_t b, int word) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    Int256 shifted;
    if (word < 4) shifted.words[word] = static_cast<uint64_t>(product);
    if (word < 3) shifted.words[word + 1] = static_cast<uint64_t>(product >> 64);
    Add(shifted);
  }
};

}  // namespace millrace
