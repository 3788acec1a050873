#include "worker/state/state_entries.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace millrace {
namespace {

// How many entries ahead of the one that is copied memory is fetched.
constexpr int64_t kFetchAhead = 16;

// Enough to tell most keys apart without looking at them.
struct SortItem {
  uint32_t shard;
  uint32_t index;
  // The first bytes of the key, as a number that is ordered as they are.
  uint64_t prefix;
};

uint64_t PrefixOf(std::string_view key) {
  uint64_t prefix = 0;
  std::memcpy(&prefix, key.data(), std::min(key.size(), sizeof(prefix)));
  return __builtin_bswap64(prefix);
}

uint32_t AppendParts(StateEntries::Parts parts, FlatVector<char>* bytes) {
  size_t size = 0;
  for (const std::string_view part : parts) {
    bytes->Append(part.data(), static_cast<int64_t>(part.size()));
    size += part.size();
  }
  MR_CHECK(size <= UINT32_MAX);
  return static_cast<uint32_t>(size);
}

}  // namespace

void StateEntries::Append(uint32_t shard, Kind kind, int64_t count, Parts key, Parts value) {
  Place place{static_cast<uint64_t>(bytes_.size()), count, 0, 0, shard, kind};
  place.key_bytes = AppendParts(key, &bytes_);
  place.value_bytes = AppendParts(value, &bytes_);
  places_.PushBack(place);
}

std::vector<std::string_view> StateEntries::Keys() const {
  std::vector<std::string_view> keys(static_cast<size_t>(size()));
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = (*this)[static_cast<int64_t>(i)].key;
  return keys;
}

StateEntries StateEntries::Sorted() const {
  MR_CHECK(size() <= int64_t{UINT32_MAX});
  FlatVector<SortItem> items(size());
  for (int64_t i = 0; i < size(); ++i) {
    const Entry entry = (*this)[i];
    items[i] = {entry.shard, static_cast<uint32_t>(i), PrefixOf(entry.key)};
  }
  std::sort(items.begin(), items.end(), [this](const SortItem& a, const SortItem& b) {
    if (a.shard != b.shard) return a.shard < b.shard;
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    const int order = (*this)[a.index].key.compare((*this)[b.index].key);
    return order != 0 ? order < 0 : a.index < b.index;
  });
  StateEntries sorted;
  sorted.bytes_.Reserve(bytes_.size());
  sorted.places_.Reserve(places_.size());
  for (int64_t i = 0; i < size(); ++i) {
    // They lie all over the memory: what is needed soon is fetched now, first where it is.
    if (i + 2 * kFetchAhead < size()) {
      __builtin_prefetch(&places_[items[i + 2 * kFetchAhead].index]);
    }
    if (i + kFetchAhead < size()) {
      __builtin_prefetch(bytes_.data() + places_[items[i + kFetchAhead].index].begin);
    }
    Place place = places_[items[i].index];
    const char* bytes = bytes_.data() + place.begin;
    place.begin = static_cast<uint64_t>(sorted.bytes_.size());
    sorted.bytes_.Append(bytes, int64_t{place.key_bytes} + place.value_bytes);
    sorted.places_.PushBack(place);
  }
  return sorted;
}

}  // namespace millrace
