#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "common/types/batch.h"

namespace millrace {

// Version of the functions below. It is stored with every job: shards on disk and channels between
// tasks depend on them, so they never change under one version.
inline constexpr uint32_t kHashVersion = 1;

// A hash of the key columns of each row. Depends on the values only: not on the representation
// (dictionary or plain text, width of an integer, slice), −0.0 = 0.0, all NaN are equal, NULL has a
// fixed hash of its own. No columns: the same hash for every row.
void HashRows(const Batch& batch, absl::Span<const int> columns, std::vector<uint64_t>* out);

// Shards and channels take the high half of a hash, hash tables the low half.
inline uint32_t PartitionOf(uint64_t hash, uint32_t num_partitions) {
  return static_cast<uint32_t>(((hash >> 32) * num_partitions) >> 32);
}
inline uint32_t ShardOf(uint64_t hash, uint32_t num_shards) {
  return PartitionOf(hash, num_shards);
}

// The parts that HashRows is made of, for kernels that hash inside of their own loops.
inline constexpr uint64_t kHashSeed = 0x9e3779b97f4a7c15;
inline constexpr uint64_t kNullHashValue = 0xa24baed4963ee407;

inline uint64_t MixHash(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  x ^= x >> 32;
  return x;
}
inline uint64_t FirstHash(uint64_t value) { return MixHash(value + kHashSeed); }
inline uint64_t NextHash(uint64_t hash, uint64_t value) {
  return MixHash(((hash << 23) | (hash >> 41)) + value + kHashSeed);
}
inline uint64_t HashValue16(uint64_t low, uint64_t high) {
  return low ^ (high * 0x9ddfea08eb382d69);
}
uint64_t HashValueText(std::string_view text);

// The bits of a float by which it is compared: −0.0 becomes 0.0, every NaN the same one.
inline double CanonicalFloat(double value) {
  if (value == 0) return 0;
  return value != value ? __builtin_nan("") : value;
}
inline float CanonicalFloat(float value) {
  if (value == 0) return 0;
  return value != value ? __builtin_nanf("") : value;
}

}  // namespace millrace
