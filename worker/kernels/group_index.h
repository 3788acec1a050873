#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "worker/kernels/flat_vector.h"

namespace millrace {

// "There is no such group."
inline constexpr uint32_t kNoGroup = UINT32_MAX;

// The slots of a hash table from keys to group ids: open addressing with linear probing, at most
// half full. A slot holds the low half of the hash, so growing never looks at keys. The keys
// themselves lie in the caller's store, by group id.
class GroupIndex {
 public:
  GroupIndex() { Allocate(kFirstCapacity); }

  // Makes room for `num_groups` groups in all.
  void Reserve(int64_t num_groups) {
    if (num_groups * 2 <= slots_.size()) return;
    int64_t capacity = slots_.size();
    while (capacity < num_groups * 2) capacity *= 2;
    // Tables grow fast at first: four times at once while they fit the cache.
    if (capacity < kSmallCapacity) capacity *= 2;
    FlatVector<Slot> old = std::move(slots_);
    slots_ = FlatVector<Slot>();
    Allocate(capacity);
    for (const Slot& slot : old) {
      if (slot.group != kNoGroup) Place(slot);
    }
  }

  // Fills groups[0, n) with the group of each row. Unknown keys are added to `store` (kInsert) or
  // give kNoGroup. The store tells whether a row's key is that of a group (Equal), adds a row's key
  // (Append), and fetches a key (Prefetch).
  template <bool kInsert, typename Store>
  void Lookup(Store& store, const uint64_t* hashes, int64_t n, uint32_t* groups) {
    for (int64_t begin = 0; begin < n; begin += kBlockRows) {
      const int64_t end = std::min(n, begin + kBlockRows);
      if constexpr (kInsert) Reserve(int64_t{store.size()} + (end - begin));
      LookupBlock<kInsert>(store, hashes, begin, end, groups);
    }
  }

  // Renumbers: group g becomes new_ids[g]; kNoGroup leaves it out.
  void Renumber(const FlatVector<uint32_t>& new_ids) {
    FlatVector<Slot> old = std::move(slots_);
    slots_ = FlatVector<Slot>();
    Allocate(old.size());
    for (const Slot& slot : old) {
      if (slot.group == kNoGroup || new_ids[slot.group] == kNoGroup) continue;
      Place(Slot{slot.hash, new_ids[slot.group]});
    }
  }

  int64_t bytes() const { return slots_.bytes(); }

 private:
  struct Slot {
    uint32_t hash;
    uint32_t group;
  };
  static constexpr int64_t kFirstCapacity = 1024;
  static constexpr int64_t kSmallCapacity = 1 << 16;
  static constexpr int64_t kBlockRows = 512;

  void Allocate(int64_t capacity) {
    slots_.Resize(capacity, Slot{0, kNoGroup});
    mask_ = static_cast<uint32_t>(capacity - 1);
  }
  void Place(Slot slot) {
    uint32_t at = slot.hash & mask_;
    while (slots_[at].group != kNoGroup) at = (at + 1) & mask_;
    slots_[at] = slot;
  }

  template <bool kInsert, typename Store>
  void LookupBlock(Store& store, const uint64_t* hashes, int64_t begin, int64_t end,
                   uint32_t* groups) {
    const bool prefetch = slots_.size() > kSmallCapacity;
    const Slot* slots = slots_.data();
    if (prefetch) {
      for (int64_t i = begin; i < end; ++i) {
        __builtin_prefetch(&slots[static_cast<uint32_t>(hashes[i]) & mask_]);
      }
    }
    // First guess: the slot that the hash points at.
    for (int64_t i = begin; i < end; ++i) {
      const auto hash = static_cast<uint32_t>(hashes[i]);
      const Slot slot = slots[hash & mask_];
      const uint32_t group = slot.hash == hash ? slot.group : kNoGroup;
      groups[i] = group;
      if (prefetch && group != kNoGroup) store.Prefetch(group);
    }
    for (int64_t i = begin; i < end; ++i) {
      if (groups[i] != kNoGroup && store.Equal(groups[i], i)) continue;
      groups[i] = Probe<kInsert>(store, static_cast<uint32_t>(hashes[i]), i);
    }
  }

  template <bool kInsert, typename Store>
  uint32_t Probe(Store& store, uint32_t hash, int64_t row) {
    for (uint32_t at = hash & mask_;; at = (at + 1) & mask_) {
      Slot& slot = slots_[at];
      if (slot.group == kNoGroup) {
        if constexpr (!kInsert) return kNoGroup;
        slot = Slot{hash, store.Append(row)};
        return slot.group;
      }
      if (slot.hash == hash && store.Equal(slot.group, row)) return slot.group;
    }
  }

  FlatVector<Slot> slots_;
  uint32_t mask_ = 0;
};

}  // namespace millrace
