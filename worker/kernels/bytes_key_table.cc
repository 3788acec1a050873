#include "worker/kernels/bytes_key_table.h"

#include "arrow/array.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

// What has not been looked up yet in code_groups_; kNoGroup there means "looked up, absent".
constexpr uint32_t kUnseen = UINT32_MAX - 1;

// The rows of a text column as GroupIndex sees them.
struct TextStore {
  KeyArena& arena;
  const ColumnView& column;

  uint32_t size() const { return arena.size(); }
  void Prefetch(uint32_t group) const { arena.Prefetch(group); }
  bool Equal(uint32_t group, int64_t row) const {
    if (column.IsNull(row)) return arena.IsNull(group);
    return arena.Equals(group, column.Text(row));
  }
  uint32_t Append(int64_t row) {
    return column.IsNull(row) ? arena.AddNull() : arena.Add(column.Text(row));
  }
};

struct RowStore {
  KeyArena& arena;
  const EncodedRows& rows;

  uint32_t size() const { return arena.size(); }
  void Prefetch(uint32_t group) const { arena.Prefetch(group); }
  bool Equal(uint32_t group, int64_t row) const { return arena.Equals(group, rows.row(row)); }
  uint32_t Append(int64_t row) { return arena.Add(rows.row(row)); }
};

// A single key, as a batch of one row.
struct SingleStore {
  KeyArena& arena;
  bool is_null;
  std::string_view text;

  uint32_t size() const { return arena.size(); }
  void Prefetch(uint32_t) const {}
  bool Equal(uint32_t group, int64_t) const {
    return is_null ? arena.IsNull(group) : arena.Equals(group, text);
  }
  uint32_t Append(int64_t) { return is_null ? arena.AddNull() : arena.Add(text); }
};

}  // namespace

FlatVector<uint32_t> RenumberingOf(uint32_t num_groups, absl::Span<const uint32_t> survivors) {
  FlatVector<uint32_t> new_ids;
  new_ids.Resize(num_groups, kNoGroup);
  uint32_t next = 0;
  for (const uint32_t group : survivors) new_ids[group] = next++;
  return new_ids;
}

void KeyArena::Retain(absl::Span<const uint32_t> survivors) {
  KeyArena kept;
  for (const uint32_t group : survivors) {
    if (IsNull(group)) {
      kept.AddNull();
    } else {
      kept.Add(key(group));
    }
  }
  *this = std::move(kept);
}

template <bool kInsert>
void TextKeyTable::LookupRows(const ColumnView& column, uint32_t* groups) {
  hashes_.resize(column.length);
  for (int64_t i = 0; i < column.length; ++i) {
    hashes_[i] = column.IsNull(i) ? kNullHashValue : HashValueText(column.Text(i));
  }
  TextStore store{arena_, column};
  index_.Lookup<kInsert>(store, hashes_.data(), column.length, groups);
}

template <bool kInsert>
void TextKeyTable::LookupCodes(const std::shared_ptr<arrow::Array>& column, const ColumnView& view,
                               uint32_t* groups) {
  // What a look-up did not find may have been inserted since.
  const bool stale = !kInsert && size_at_lookup_ != size();
  if (view.dictionary != dictionary_.get() || stale) {
    dictionary_ = column->data()->dictionary;
    code_groups_.Clear();
    code_groups_.Resize(view.dictionary_length + 1, kUnseen);
  }
  for (int64_t i = 0; i < view.length; ++i) {
    const bool is_null = view.IsNull(i);
    // The last entry stands for NULL.
    const int64_t code = is_null ? view.dictionary_length : view.Code(i);
    uint32_t group = code_groups_[code];
    if (group == kUnseen || (kInsert && group == kNoGroup)) {
      SingleStore store{arena_, is_null, is_null ? std::string_view() : view.Entry(code)};
      const uint64_t hash = is_null ? kNullHashValue : HashValueText(store.text);
      index_.Lookup<kInsert>(store, &hash, 1, &group);
      code_groups_[code] = group;
    }
    groups[i] = group;
  }
  size_at_lookup_ = size();
}

template <bool kInsert>
void TextKeyTable::Lookup(const std::shared_ptr<arrow::Array>& column, uint32_t* groups) {
  const ColumnView view(*column);
  if (view.layout != Layout::kDictionary) return LookupRows<kInsert>(view, groups);
  const bool known = view.dictionary == dictionary_.get();
  // Clearing the codes of a dictionary that is much larger than the batch would cost more than it
  // saves.
  if (!known && view.dictionary_length > 4 * view.length) return LookupRows<kInsert>(view, groups);
  LookupCodes<kInsert>(column, view, groups);
}

template void TextKeyTable::Lookup<true>(const std::shared_ptr<arrow::Array>&, uint32_t*);
template void TextKeyTable::Lookup<false>(const std::shared_ptr<arrow::Array>&, uint32_t*);

void TextKeyTable::FindOrInsert(const Batch& batch, absl::Span<const int> columns,
                                uint32_t* groups) {
  Lookup<true>(batch.column(columns[0]), groups);
}

void TextKeyTable::Find(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) {
  Lookup<false>(batch.column(columns[0]), groups);
}

std::vector<std::shared_ptr<arrow::Array>> TextKeyTable::Keys(
    absl::Span<const uint32_t> groups) const {
  TextOutput out(static_cast<int64_t>(groups.size()));
  for (const uint32_t group : groups) {
    if (IsNull(group)) {
      out.AppendNull();
    } else {
      out.Append(key(group));
    }
  }
  return {out.Finish(ToArrowType(type_))};
}

void TextKeyTable::Retain(absl::Span<const uint32_t> survivors) {
  index_.Renumber(RenumberingOf(size(), survivors));
  arena_.Retain(survivors);
  dictionary_.reset();
}

template <bool kInsert>
void RowKeyTable::Lookup(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) {
  codec_.Encode(batch, columns, &rows_);
  const int64_t n = batch.num_rows();
  hashes_.resize(n);
  for (int64_t i = 0; i < n; ++i) hashes_[i] = HashValueText(rows_.row(i));
  RowStore store{arena_, rows_};
  index_.Lookup<kInsert>(store, hashes_.data(), n, groups);
}

void RowKeyTable::FindOrInsert(const Batch& batch, absl::Span<const int> columns,
                               uint32_t* groups) {
  Lookup<true>(batch, columns, groups);
}

void RowKeyTable::Find(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) {
  Lookup<false>(batch, columns, groups);
}

std::vector<std::shared_ptr<arrow::Array>> RowKeyTable::Keys(
    absl::Span<const uint32_t> groups) const {
  std::vector<std::string_view> rows;
  rows.reserve(groups.size());
  for (const uint32_t group : groups) rows.push_back(arena_.key(group));
  std::vector<std::shared_ptr<arrow::Array>> columns;
  // The rows were encoded by this codec, so they decode.
  MR_CHECK(codec_.Decode(rows, &columns).ok());
  return columns;
}

void RowKeyTable::Retain(absl::Span<const uint32_t> survivors) {
  index_.Renumber(RenumberingOf(size(), survivors));
  arena_.Retain(survivors);
}

}  // namespace millrace
