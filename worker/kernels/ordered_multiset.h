#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "worker/kernels/bytes_key_table.h"
#include "worker/kernels/flat_vector.h"
#include "worker/kernels/group_index.h"

namespace millrace {

// Values of groups, as bytes that order as the values do, each with how often it is there. Finds
// the first value of a group at once, also when values are taken back. Everything lies in flat
// arrays: values in an arena that is looked up by hash, a batch at a time, and the order of a group
// as a pairing heap (Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap", 1986) by links
// between values, from which a value that is gone is taken only when it comes to the top. Not
// thread-safe.
class OrderedMultiset {
 public:
  enum class First : uint8_t { kSmallest, kLargest };
  // "There is no such value."
  static constexpr uint32_t kNone = UINT32_MAX;

  // `keeps_changes`: for TakeChanged.
  OrderedMultiset(First first, bool keeps_changes)
      : largest_first_(first == First::kLargest), keeps_changes_(keeps_changes) {}

  // Makes room for groups up to `num_groups` − 1.
  void Resize(uint32_t num_groups) { roots_.Resize(num_groups, kNone); }

  // A batch of changes: Begin, for each of them the group and the bytes (Append, then End with the
  // weight), Apply.
  void Begin();
  std::string* bytes_of_next(uint32_t group);
  void End(int64_t weight);
  void Apply();

  // The first value of a group, kNone if it has none.
  uint32_t FirstOf(uint32_t group) const { return roots_[group]; }
  // True if the group has at most one value, and that once.
  bool IsSingle(uint32_t group) const;
  // Appends the values of a group in order.
  void AppendValues(uint32_t group, std::vector<uint32_t>* values) const;
  std::string_view value(uint32_t value) const { return arena_.key(value).substr(kGroupBytes); }
  int64_t count(uint32_t value) const { return counts_[value]; }

  // survivors[i] (ascending) becomes group i.
  void Retain(absl::Span<const uint32_t> survivors);
  // Visits what has changed since the last call, with the new count.
  using Visitor = absl::FunctionRef<void(uint32_t group, std::string_view value, int64_t count)>;
  void TakeChanged(Visitor visit);
  // Sets a value's count, which is not a change.
  void Restore(uint32_t group, std::string_view value, int64_t count);

  int64_t bytes() const {
    return arena_.bytes() + index_.bytes() + counts_.bytes() + children_.bytes() +
           siblings_.bytes() + is_linked_.bytes() + is_changed_.bytes() + roots_.bytes();
  }

 private:
  static constexpr size_t kGroupBytes = sizeof(uint32_t);
  struct NextValues;

  uint32_t GroupOf(uint32_t value) const;
  // The numbers of the values that stand in next_.
  void FindNext();
  void SetCount(uint32_t value, int64_t count);
  bool IsBefore(uint32_t a, uint32_t b) const;
  uint32_t Meld(uint32_t a, uint32_t b);
  void Link(uint32_t group, uint32_t value);
  // Takes values that are gone off the top.
  void Settle(uint32_t group);
  // Calls f(value) for each value of a group that is there, in no order, until it returns false.
  template <typename F>
  void Visit(uint32_t group, const F& f) const;
  // Only values that are there, or whose end was not told yet, with new numbers.
  void Rebuild(const FlatVector<uint32_t>& new_groups, uint32_t num_groups);

  const bool largest_first_;
  const bool keeps_changes_;
  // Group and bytes of each value.
  KeyArena arena_;
  GroupIndex index_;
  // By value.
  FlatVector<int64_t> counts_;
  FlatVector<uint32_t> children_;
  FlatVector<uint32_t> siblings_;
  FlatVector<uint8_t> is_linked_;
  FlatVector<uint8_t> is_changed_;
  std::vector<uint32_t> changed_;
  int64_t num_gone_ = 0;
  // By group.
  FlatVector<uint32_t> roots_;
  // The batch of changes.
  std::string next_bytes_;
  std::vector<size_t> next_ends_;
  std::vector<int64_t> next_weights_;
  std::vector<uint32_t> next_values_;
  // Scratch.
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> melded_;
  mutable std::vector<uint32_t> stack_;
};

}  // namespace millrace
