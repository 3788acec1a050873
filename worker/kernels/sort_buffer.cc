#include "worker/kernels/sort_buffer.h"

#include <algorithm>

#include "arrow/array.h"

namespace millrace {
namespace {

// Keys that agree in so many bytes are compared as a whole: each round of prefixes is a level of
// recursion.
constexpr int64_t kDepthMax = 64 * kSortPrefixBytes;

}  // namespace

void SortBuffer::Append(const Batch& batch, const EncodedRows& keys,
                        const FlatVector<uint32_t>* split) {
  const int64_t n = batch.num_rows();
  MR_DCHECK(n == 0 || keys.num_rows() == n);
  const uint32_t first = rows_.num_rows();
  rows_.Append(batch);
  items_.Reserve(first + n);
  int64_t longest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const std::string_view key = keys.row(i);
    longest = std::max(longest, static_cast<int64_t>(key.size()));
    items_.PushBack(MakeSortItem(key, 0, first + static_cast<uint32_t>(i)));
  }
  if (!stores_keys_ && n > 0 && (longest > kSortPrefixBytes || key_use_ == KeyUse::kKeep)) {
    // Short keys that came before need no bytes: their prefix says all, and padding equals an empty
    // rest.
    stores_keys_ = true;
    key_offsets_.Clear();
    key_offsets_.Resize(int64_t{first} + 1, 0);
  }
  if (stores_keys_) StoreKeys(keys);
  if (split != nullptr) splits_.Append(split->data(), n);
}

void SortBuffer::StoreKeys(const EncodedRows& keys) {
  const int64_t shift = key_bytes_.size();
  key_bytes_.Append(keys.bytes.data(), keys.offsets[keys.num_rows()]);
  key_offsets_.Reserve(key_offsets_.size() + keys.num_rows());
  for (int64_t i = 1; i <= keys.num_rows(); ++i) key_offsets_.PushBack(keys.offsets[i] + shift);
}

void SortBuffer::SortRange(SortItem* begin, SortItem* end, int64_t depth) {
  SortByPrefix(begin, end);
  const int64_t next = depth + kSortPrefixBytes;
  for (SortItem* run = begin; run != end;) {
    SortItem* run_end = run + 1;
    while (run_end != end && SamePrefix(*run, *run_end)) ++run_end;
    if (run_end - run > 1) {
      // No key is the beginning of another, so keys that go on are all of them longer.
      const bool goes_on = stores_keys_ && static_cast<int64_t>(Key(run->row).size()) > next;
      if (goes_on && next >= kDepthMax) {
        SortByWholeKey(run, run_end);
      } else if (goes_on) {
        for (SortItem* i = run; i != run_end; ++i) *i = MakeSortItem(Key(i->row), next, i->row);
        SortRange(run, run_end, next);
      } else {
        BreakTies(run, run_end);
      }
    }
    run = run_end;
  }
}

void SortBuffer::SortByWholeKey(SortItem* begin, SortItem* end) {
  std::sort(begin, end, [this](const SortItem& a, const SortItem& b) {
    const int order = Key(a.row).compare(Key(b.row));
    if (order != 0) return order < 0;
    return ties_ == TieBreak::kArrival ? a.row < b.row : rows_.CompareRows(a.row, b.row) < 0;
  });
}

void SortBuffer::BreakTies(SortItem* begin, SortItem* end) {
  if (ties_ == TieBreak::kArrival) {
    std::sort(begin, end, [](const SortItem& a, const SortItem& b) { return a.row < b.row; });
    return;
  }
  std::sort(begin, end, [this](const SortItem& a, const SortItem& b) {
    return rows_.CompareRows(a.row, b.row) < 0;
  });
}

absl::Span<const uint32_t> SortBuffer::Sort() {
  SortRange(items_.begin(), items_.end(), 0);
  order_.ResizeUninitialized(items_.size());
  for (int64_t i = 0; i < items_.size(); ++i) order_[i] = items_[i].row;
  return absl::MakeConstSpan(order_.data(), static_cast<size_t>(order_.size()));
}

void SortBuffer::Keep(absl::Span<const uint32_t> kept) {
  std::vector<uint32_t> rows;
  rows.reserve(kept.size());
  for (const uint32_t position : kept) rows.push_back(order_[position]);
  FlatVector<SortItem> items;
  FlatVector<char> key_bytes;
  FlatVector<int64_t> key_offsets;
  FlatVector<uint32_t> splits;
  key_offsets.PushBack(0);
  for (const uint32_t row : rows) {
    const auto new_row = static_cast<uint32_t>(items.size());
    if (stores_keys_) {
      const std::string_view key = Key(row);
      key_bytes.Append(key.data(), static_cast<int64_t>(key.size()));
      key_offsets.PushBack(key_bytes.size());
    }
    if (!splits_.empty()) splits.PushBack(splits_[row]);
    items.PushBack(SortItem{0, 0, new_row});
  }
  // Sorting may have replaced the prefixes of items by later parts of their keys.
  for (int64_t i = 0; i < items.size(); ++i) {
    items[i] = stores_keys_ && key_offsets[i + 1] > key_offsets[i]
                   ? MakeSortItem({key_bytes.data() + key_offsets[i],
                                   static_cast<size_t>(key_offsets[i + 1] - key_offsets[i])},
                                  0, static_cast<uint32_t>(i))
                   : SortItem{items_[kept[i]].high, items_[kept[i]].low, static_cast<uint32_t>(i)};
  }
  Batch batch = rows_.GatherRows(rows);
  rows_ = ColumnStore(rows_.types());
  rows_.Append(batch);
  items_ = std::move(items);
  key_bytes_ = std::move(key_bytes);
  key_offsets_ = std::move(key_offsets);
  splits_ = std::move(splits);
  order_.Clear();
}

Batch SortBuffer::OrderedBatch(uint32_t begin, uint32_t n) const {
  return rows_.GatherRows(absl::MakeConstSpan(order_.data() + begin, n));
}

uint32_t SortBuffer::RowsWithinBatch(uint32_t begin, int64_t rows_max) const {
  const auto n = static_cast<size_t>(std::min<int64_t>(rows_max, num_rows() - begin));
  const auto rows = absl::MakeConstSpan(order_.data() + begin, n);
  return static_cast<uint32_t>(rows_.RowsWithinBatch(rows));
}

int64_t SortBuffer::bytes() const {
  return rows_.bytes() + items_.bytes() + order_.bytes() + key_bytes_.bytes() +
         key_offsets_.bytes() + splits_.bytes();
}

}  // namespace millrace
