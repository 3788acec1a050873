#include "worker/kernels/packed_key_table.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "arrow/array.h"
#include "arrow/type.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

template <int kWords>
struct Key {
  uint64_t words[kWords];
};

template <int kWords>
uint64_t HashKey(const Key<kWords>& key) {
  uint64_t hash = FirstHash(key.words[0]);
  for (int w = 1; w < kWords; ++w) hash = NextHash(hash, key.words[w]);
  return hash;
}

// A column's values as the unsigned bits that go into the key.
template <typename Bits, typename Put>
void ForEachBits(const ColumnView& column, const Put& put) {
  const Bits* values = column.data<Bits>();
  for (int64_t i = 0; i < column.length; ++i) put(i, uint64_t{values[i]});
}

template <typename Float, typename Bits, typename Put>
void ForEachFloatBits(const ColumnView& column, const Put& put) {
  const Float* values = column.data<Float>();
  for (int64_t i = 0; i < column.length; ++i) {
    put(i, uint64_t{std::bit_cast<Bits>(CanonicalFloat(values[i]))});
  }
}

template <typename Put>
void ForEachValue(const ColumnView& column, const Put& put) {
  switch (column.layout) {
    case Layout::kBool:
      for (int64_t i = 0; i < column.length; ++i) put(i, uint64_t{column.Bool(i)});
      return;
    case Layout::kInt16:
      return ForEachBits<uint16_t>(column, put);
    case Layout::kInt32:
      return ForEachBits<uint32_t>(column, put);
    case Layout::kInt64:
      return ForEachBits<uint64_t>(column, put);
    case Layout::kFloat32:
      return ForEachFloatBits<float, uint32_t>(column, put);
    case Layout::kFloat64:
      return ForEachFloatBits<double, uint64_t>(column, put);
    default:
      return;
  }
}

template <int kWords>
class PackedKeyTable final : public KeyTable {
 public:
  PackedKeyTable(const std::vector<SqlType>& types, KeyPacking packing)
      : types_(types), packing_(std::move(packing)) {
    for (size_t c = 0; c < types_.size(); ++c) {
      const bool interned = packing_.places[c].interned;
      texts_.push_back(interned ? std::make_unique<TextKeyTable>(types_[c]) : nullptr);
    }
  }

  void FindOrInsert(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) override {
    Lookup<true>(batch, columns, groups);
  }
  void Find(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) override {
    Lookup<false>(batch, columns, groups);
  }
  uint32_t size() const override { return static_cast<uint32_t>(keys_.size()); }

  std::vector<std::shared_ptr<arrow::Array>> Keys(
      absl::Span<const uint32_t> groups) const override {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    for (size_t c = 0; c < types_.size(); ++c) columns.push_back(KeyColumn(c, groups));
    return columns;
  }

  void Retain(absl::Span<const uint32_t> survivors) override {
    index_.Renumber(RenumberingOf(size(), survivors));
    keys_.Retain(survivors);
    if (!masks_.empty()) masks_.Retain(survivors);
  }

  void Reserve(int64_t num_groups) override {
    index_.Reserve(num_groups);
    keys_.Reserve(num_groups);
  }

  int64_t bytes() const override {
    int64_t total = keys_.bytes() + masks_.bytes() + index_.bytes();
    for (const auto& text : texts_) total += text == nullptr ? 0 : text->bytes();
    return total;
  }

 private:
  // The rows of a batch as GroupIndex sees them. With kMasks the NULLs count too.
  template <bool kMasks>
  struct Store {
    PackedKeyTable& table;
    const Key<kWords>* rows;
    // Null if no row of the batch has a NULL.
    const uint8_t* masks;

    uint32_t size() const { return table.size(); }
    void Prefetch(uint32_t group) const { __builtin_prefetch(&table.keys_[group]); }
    bool Equal(uint32_t group, int64_t row) const {
      const Key<kWords>& a = table.keys_[group];
      const Key<kWords>& b = rows[row];
      uint64_t difference = 0;
      for (int w = 0; w < kWords; ++w) difference |= a.words[w] ^ b.words[w];
      if constexpr (kMasks) difference |= table.MaskOf(group) ^ MaskOf(row);
      return difference == 0;
    }
    uint32_t Append(int64_t row) {
      if constexpr (kMasks) {
        table.masks_.Resize(table.keys_.size(), 0);
        table.masks_.PushBack(MaskOf(row));
      }
      table.keys_.PushBack(rows[row]);
      return table.size() - 1;
    }
    uint8_t MaskOf(int64_t row) const { return masks == nullptr ? 0 : masks[row]; }
  };

  uint8_t MaskOf(uint32_t group) const { return group < masks_.size() ? masks_[group] : 0; }

  template <bool kInsert>
  void Lookup(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) {
    const int64_t n = batch.num_rows();
    const Key<kWords>* rows = Pack<kInsert>(batch, columns);
    hashes_.ResizeUninitialized(n);
    for (int64_t i = 0; i < n; ++i) hashes_[i] = HashKey(rows[i]);
    if (row_masks_.empty()) {
      if (masks_.empty()) {
        Store<false> store{*this, rows, nullptr};
        return index_.Lookup<kInsert>(store, hashes_.data(), n, groups);
      }
      Store<true> store{*this, rows, nullptr};
      return index_.Lookup<kInsert>(store, hashes_.data(), n, groups);
    }
    for (int64_t i = 0; i < n; ++i) {
      if (row_masks_[i] != 0) hashes_[i] = NextHash(hashes_[i], row_masks_[i]);
    }
    Store<true> store{*this, rows, row_masks_.data()};
    index_.Lookup<kInsert>(store, hashes_.data(), n, groups);
  }

  // The batch's keys; fills row_masks_ if a key column has NULLs, else empties it.
  template <bool kInsert>
  const Key<kWords>* Pack(const Batch& batch, absl::Span<const int> columns) {
    row_masks_.Clear();
    if (kWords == 1 && columns.size() == 1) {
      const ColumnView column(*batch.column(columns[0]));
      // The column is the array of keys.
      if (column.layout == Layout::kInt64 && !column.nullable()) {
        return reinterpret_cast<const Key<kWords>*>(column.values);
      }
    }
    const int64_t n = batch.num_rows();
    row_keys_.ResizeUninitialized(n);
    std::fill(row_keys_.begin(), row_keys_.end(), Key<kWords>{});
    for (size_t c = 0; c < columns.size(); ++c) {
      PackColumn<kInsert>(batch.column(columns[c]), c);
    }
    return row_keys_.data();
  }

  template <bool kInsert>
  void PackColumn(const std::shared_ptr<arrow::Array>& array, size_t index) {
    const KeyPacking::Place place = packing_.places[index];
    const ColumnView column(*array);
    Key<kWords>* keys = row_keys_.data();
    if (place.interned) {
      ids_.ResizeUninitialized(column.length);
      texts_[index]->template Lookup<kInsert>(array, ids_.data());
      for (int64_t i = 0; i < column.length; ++i) {
        keys[i].words[place.word] |= uint64_t{ids_[i]} << place.shift;
      }
      // NULL has an id of its own.
      return;
    }
    if (place.width == 16) {
      for (int64_t i = 0; i < column.length; ++i) {
        std::memcpy(&keys[i].words[place.word], column.values + 16 * i, 16);
      }
    } else {
      ForEachValue(column, [&](int64_t i, uint64_t bits) {
        keys[i].words[place.word] |= bits << place.shift;
      });
    }
    if (column.nullable()) PackNulls(column, index);
  }

  void PackNulls(const ColumnView& column, size_t index) {
    const KeyPacking::Place place = packing_.places[index];
    if (row_masks_.empty()) row_masks_.Resize(column.length, 0);
    const uint64_t all = ~uint64_t{0};
    const uint64_t keep = place.width >= 8 ? 0 : ~((all >> (64 - 8 * place.width)) << place.shift);
    for (int64_t i = 0; i < column.length; ++i) {
      if (!column.IsNull(i)) continue;
      row_masks_[i] = static_cast<uint8_t>(row_masks_[i] | (1u << index));
      row_keys_[i].words[place.word] &= keep;
      if (place.width == 16) row_keys_[i].words[place.word + 1] = 0;
    }
  }

  template <typename T>
  std::shared_ptr<arrow::Array> FixedColumn(size_t index, absl::Span<const uint32_t> groups) const {
    const KeyPacking::Place place = packing_.places[index];
    FlatVector<T> values(static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      if constexpr (sizeof(T) == 16) {
        std::memcpy(&values[i], &keys_[groups[i]].words[place.word], 16);
      } else {
        values[i] = static_cast<T>(keys_[groups[i]].words[place.word] >> place.shift);
      }
    }
    NullBits nulls = NullsOf(index, groups);
    if constexpr (sizeof(T) == 1) return MakeBoolArray(values, std::move(nulls));
    return MakeFixedArray(ToArrowType(types_[index]), std::move(values), std::move(nulls));
  }

  NullBits NullsOf(size_t index, absl::Span<const uint32_t> groups) const {
    NullBits nulls(static_cast<int64_t>(groups.size()));
    if (masks_.empty()) return nulls;
    for (size_t i = 0; i < groups.size(); ++i) {
      if ((MaskOf(groups[i]) >> index & 1) != 0) nulls.SetNull(static_cast<int64_t>(i));
    }
    return nulls;
  }

  std::shared_ptr<arrow::Array> KeyColumn(size_t index, absl::Span<const uint32_t> groups) const {
    const KeyPacking::Place place = packing_.places[index];
    if (place.interned) {
      std::vector<uint32_t> ids(groups.size());
      for (size_t i = 0; i < groups.size(); ++i) {
        ids[i] = static_cast<uint32_t>(keys_[groups[i]].words[place.word] >> place.shift);
      }
      return texts_[index]->Keys(ids)[0];
    }
    switch (place.width) {
      case 1:
        return FixedColumn<uint8_t>(index, groups);
      case 2:
        return FixedColumn<uint16_t>(index, groups);
      case 4:
        return FixedColumn<uint32_t>(index, groups);
      case 8:
        return FixedColumn<uint64_t>(index, groups);
      default:
        return FixedColumn<unsigned __int128>(index, groups);
    }
  }

  const std::vector<SqlType> types_;
  const KeyPacking packing_;
  // Interned text of each column that has it, else null.
  std::vector<std::unique_ptr<TextKeyTable>> texts_;
  FlatVector<Key<kWords>> keys_;
  // Bit c of masks_[g]: column c of group g is NULL. Shorter than keys_ while the groups behind
  // have none.
  FlatVector<uint8_t> masks_;
  GroupIndex index_;
  // Scratch of one batch.
  FlatVector<Key<kWords>> row_keys_;
  FlatVector<uint8_t> row_masks_;
  FlatVector<uint64_t> hashes_;
  FlatVector<uint32_t> ids_;
};

}  // namespace

KeyPacking KeyPacking::Of(const std::vector<SqlType>& types) {
  KeyPacking packing;
  packing.places.resize(types.size());
  if (static_cast<int>(types.size()) > kColumnsMax) return packing;
  for (size_t c = 0; c < types.size(); ++c) {
    const Layout layout = LayoutOf(*ToArrowType(types[c]));
    if (layout == Layout::kNull) return packing;
    packing.places[c].interned = layout == Layout::kBytes;
    packing.places[c].width = layout == Layout::kBytes ? 4 : WidthOf(layout);
  }
  // Widest first, so that no value straddles two words.
  std::vector<size_t> order(types.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return packing.places[a].width > packing.places[b].width;
  });
  int bytes = 0;
  for (const size_t c : order) {
    Place& place = packing.places[c];
    place.word = bytes / 8;
    place.shift = bytes % 8 * 8;
    bytes += place.width;
  }
  if (bytes <= 8 * kWordsMax) packing.num_words = std::max(1, (bytes + 7) / 8);
  return packing;
}

std::unique_ptr<KeyTable> MakePackedKeyTable(const std::vector<SqlType>& types,
                                             KeyPacking packing) {
  switch (packing.num_words) {
    case 1:
      return std::make_unique<PackedKeyTable<1>>(types, std::move(packing));
    case 2:
      return std::make_unique<PackedKeyTable<2>>(types, std::move(packing));
    case 3:
      return std::make_unique<PackedKeyTable<3>>(types, std::move(packing));
    default:
      MR_CHECK(packing.num_words == 4);
      return std::make_unique<PackedKeyTable<4>>(types, std::move(packing));
  }
}

}  // namespace millrace
