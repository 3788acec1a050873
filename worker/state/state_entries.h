#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "worker/kernels/flat_vector.h"

namespace millrace {

// Entries of an operator's state, one behind the other in flat memory: changes that are written at
// a checkpoint barrier, or what comes back from the store. Keys and values are given in parts,
// which are put together.
class StateEntries {
 public:
  using Parts = std::initializer_list<std::string_view>;

  enum class Kind : uint8_t {
    // The key has this value.
    kPut,
    // The key is deleted.
    kDelete,
    // Adds to a counter, which begins at 0. Whoever reads the state gets a value that
    // StateCounter() decodes, also when it is 0.
    kAdd,
  };
  struct Entry {
    // Shard of the entry's key (0 for state that does not belong to keys, such as a watermark).
    uint32_t shard = 0;
    Kind kind = Kind::kPut;
    std::string_view key;
    // For kPut.
    std::string_view value;
    // For kAdd.
    int64_t count = 0;
  };

  void Put(uint32_t shard, Parts key, Parts value) { Append(shard, Kind::kPut, 0, key, value); }
  void Delete(uint32_t shard, Parts key) { Append(shard, Kind::kDelete, 0, key, {}); }
  void Add(uint32_t shard, Parts key, int64_t count) { Append(shard, Kind::kAdd, count, key, {}); }

  int64_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  // Its views are valid until the next change.
  Entry operator[](int64_t i) const {
    const Place& place = places_[i];
    const char* key = bytes_.data() + place.begin;
    return {place.shard,
            place.kind,
            {key, place.key_bytes},
            {key + place.key_bytes, place.value_bytes},
            place.count};
  }

  // Keeps the memory.
  void Clear() {
    bytes_.Clear();
    places_.Clear();
  }

  uint32_t shard(int64_t i) const { return places_[i].shard; }
  void SetShard(int64_t i, uint32_t shard) { places_[i].shard = shard; }

  // All keys, in order; valid until the next change.
  std::vector<std::string_view> Keys() const;
  // The same entries by shard, key, and order of addition.
  StateEntries Sorted() const;

 private:
  struct Place {
    uint64_t begin;
    int64_t count;
    uint32_t key_bytes;
    uint32_t value_bytes;
    uint32_t shard;
    Kind kind;
  };

  void Append(uint32_t shard, Kind kind, int64_t count, Parts key, Parts value);

  FlatVector<char> bytes_;
  FlatVector<Place> places_;
};

// A number's bytes as they lie in memory, as a part of a key or value. Valid as long as the number.
template <typename T>
std::string_view RawBytes(const T& number) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&number), sizeof(T)};
}

}  // namespace millrace
