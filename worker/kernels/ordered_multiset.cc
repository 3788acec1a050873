#include "worker/kernels/ordered_multiset.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "worker/kernels/hash.h"

namespace millrace {
namespace {

// Fewer values that are gone are not worth moving the others.
constexpr int64_t kRebuildValuesMin = 1024;

}  // namespace

// The batch of changes as GroupIndex sees it.
struct OrderedMultiset::NextValues {
  KeyArena& arena;
  std::string_view bytes;
  const std::vector<size_t>& ends;

  std::string_view row(int64_t i) const {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return bytes.substr(begin, ends[i] - begin);
  }
  uint32_t size() const { return arena.size(); }
  void Prefetch(uint32_t value) const { arena.Prefetch(value); }
  bool Equal(uint32_t value, int64_t i) const { return arena.Equals(value, row(i)); }
  uint32_t Append(int64_t i) { return arena.Add(row(i)); }
};

void OrderedMultiset::Begin() {
  next_bytes_.clear();
  next_ends_.clear();
  next_weights_.clear();
}

std::string* OrderedMultiset::bytes_of_next(uint32_t group) {
  next_bytes_.append(reinterpret_cast<const char*>(&group), kGroupBytes);
  return &next_bytes_;
}

void OrderedMultiset::End(int64_t weight) {
  next_ends_.push_back(next_bytes_.size());
  next_weights_.push_back(weight);
}

void OrderedMultiset::FindNext() {
  const auto n = static_cast<int64_t>(next_ends_.size());
  NextValues next{arena_, next_bytes_, next_ends_};
  hashes_.resize(next_ends_.size());
  for (int64_t i = 0; i < n; ++i) hashes_[i] = HashValueText(next.row(i));
  next_values_.resize(next_ends_.size());
  const uint32_t before = arena_.size();
  index_.Lookup<true>(next, hashes_.data(), n, next_values_.data());
  const uint32_t size = arena_.size();
  counts_.Resize(size, 0);
  children_.Resize(size, kNone);
  siblings_.Resize(size, kNone);
  is_linked_.Resize(size, 0);
  is_changed_.Resize(size, 0);
  num_gone_ += size - before;
}

void OrderedMultiset::Apply() {
  FindNext();
  for (size_t i = 0; i < next_values_.size(); ++i) {
    const uint32_t value = next_values_[i];
    SetCount(value, counts_[value] + next_weights_[i]);
    if (!keeps_changes_ || is_changed_[value] != 0) continue;
    is_changed_[value] = 1;
    changed_.push_back(value);
  }
  for (const uint32_t value : next_values_) Settle(GroupOf(value));
}

void OrderedMultiset::SetCount(uint32_t value, int64_t count) {
  num_gone_ += static_cast<int>(count == 0) - static_cast<int>(counts_[value] == 0);
  counts_[value] = count;
  if (count != 0 && is_linked_[value] == 0) Link(GroupOf(value), value);
}

uint32_t OrderedMultiset::GroupOf(uint32_t value) const {
  uint32_t group = 0;
  std::memcpy(&group, arena_.key(value).data(), kGroupBytes);
  return group;
}

bool OrderedMultiset::IsBefore(uint32_t a, uint32_t b) const {
  const int order = value(a).compare(value(b));
  return largest_first_ ? order > 0 : order < 0;
}

uint32_t OrderedMultiset::Meld(uint32_t a, uint32_t b) {
  if (a == kNone) return b;
  if (b == kNone) return a;
  if (IsBefore(b, a)) std::swap(a, b);
  siblings_[b] = children_[a];
  children_[a] = b;
  return a;
}

void OrderedMultiset::Link(uint32_t group, uint32_t value) {
  is_linked_[value] = 1;
  children_[value] = kNone;
  siblings_[value] = kNone;
  roots_[group] = Meld(roots_[group], value);
}

void OrderedMultiset::Settle(uint32_t group) {
  while (roots_[group] != kNone && counts_[roots_[group]] == 0) {
    const uint32_t top = roots_[group];
    is_linked_[top] = 0;
    // Two passes: children in pairs, then the pairs from the last one on.
    melded_.clear();
    for (uint32_t child = children_[top]; child != kNone;) {
      const uint32_t second = siblings_[child];
      const uint32_t next = second == kNone ? kNone : siblings_[second];
      melded_.push_back(Meld(child, second));
      child = next;
    }
    uint32_t root = kNone;
    for (auto pair = melded_.rbegin(); pair != melded_.rend(); ++pair) root = Meld(root, *pair);
    if (root != kNone) siblings_[root] = kNone;
    roots_[group] = root;
  }
}

template <typename F>
void OrderedMultiset::Visit(uint32_t group, const F& f) const {
  stack_.clear();
  if (roots_[group] != kNone) stack_.push_back(roots_[group]);
  while (!stack_.empty()) {
    const uint32_t value = stack_.back();
    stack_.pop_back();
    if (counts_[value] != 0 && !f(value)) return;
    if (children_[value] != kNone) stack_.push_back(children_[value]);
    if (value != roots_[group] && siblings_[value] != kNone) stack_.push_back(siblings_[value]);
  }
}

bool OrderedMultiset::IsSingle(uint32_t group) const {
  int64_t sum = 0;
  Visit(group, [&](uint32_t value) {
    sum += counts_[value] == 1 ? 1 : 2;
    return sum < 2;
  });
  return sum < 2;
}

void OrderedMultiset::AppendValues(uint32_t group, std::vector<uint32_t>* values) const {
  const auto begin = static_cast<int64_t>(values->size());
  Visit(group, [&](uint32_t value) {
    values->push_back(value);
    return true;
  });
  std::sort(values->begin() + begin, values->end(),
            [this](uint32_t a, uint32_t b) { return IsBefore(a, b); });
}

void OrderedMultiset::Retain(absl::Span<const uint32_t> survivors) {
  Rebuild(RenumberingOf(static_cast<uint32_t>(roots_.size()), survivors),
          static_cast<uint32_t>(survivors.size()));
}

void OrderedMultiset::Rebuild(const FlatVector<uint32_t>& new_groups, uint32_t num_groups) {
  const KeyArena old = std::exchange(arena_, KeyArena());
  const FlatVector<int64_t> old_counts = std::exchange(counts_, FlatVector<int64_t>());
  const FlatVector<uint8_t> old_changed = std::exchange(is_changed_, FlatVector<uint8_t>());
  index_ = GroupIndex();
  children_ = FlatVector<uint32_t>();
  siblings_ = FlatVector<uint32_t>();
  is_linked_ = FlatVector<uint8_t>();
  roots_ = FlatVector<uint32_t>();
  roots_.Resize(num_groups, kNone);
  changed_.clear();
  num_gone_ = 0;
  std::vector<uint32_t> kept;
  Begin();
  for (uint32_t value = 0; value < old.size(); ++value) {
    uint32_t group = 0;
    std::memcpy(&group, old.key(value).data(), kGroupBytes);
    const bool is_needed = old_counts[value] != 0 || old_changed[value] != 0;
    if (new_groups[group] == kNoGroup || !is_needed) continue;
    bytes_of_next(new_groups[group])->append(old.key(value).substr(kGroupBytes));
    End(old_counts[value]);
    kept.push_back(value);
  }
  FindNext();
  for (size_t i = 0; i < kept.size(); ++i) {
    SetCount(next_values_[i], next_weights_[i]);
    if (old_changed[kept[i]] == 0) continue;
    is_changed_[next_values_[i]] = 1;
    changed_.push_back(next_values_[i]);
  }
}

void OrderedMultiset::TakeChanged(Visitor visit) {
  for (const uint32_t changed : changed_) {
    visit(GroupOf(changed), value(changed), counts_[changed]);
    is_changed_[changed] = 0;
  }
  changed_.clear();
  if (num_gone_ < kRebuildValuesMin || num_gone_ * 2 < int64_t{arena_.size()}) return;
  FlatVector<uint32_t> same(roots_.size());
  std::iota(same.begin(), same.end(), 0);
  Rebuild(same, static_cast<uint32_t>(roots_.size()));
}

void OrderedMultiset::Restore(uint32_t group, std::string_view value, int64_t count) {
  if (roots_.size() <= group) Resize(group + 1);
  Begin();
  bytes_of_next(group)->append(value);
  End(count);
  FindNext();
  SetCount(next_values_[0], count);
  Settle(group);
}

}  // namespace millrace
