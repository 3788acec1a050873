#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "worker/kernels/column_view.h"
#include "worker/kernels/flat_vector.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/row_codec.h"

namespace millrace {

// The bytes of keys by group id; what GroupIndex calls while it looks up the rows of `source`.
class KeyArena {
 public:
  static constexpr uint32_t kNullLength = UINT32_MAX;

  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
  bool IsNull(uint32_t group) const { return entries_[group].length == kNullLength; }
  std::string_view key(uint32_t group) const {
    const Entry& entry = entries_[group];
    return {bytes_.data() + entry.begin, entry.length};
  }
  bool Equals(uint32_t group, std::string_view key) const {
    const Entry& entry = entries_[group];
    return entry.length == key.size() &&
           std::memcmp(bytes_.data() + entry.begin, key.data(), key.size()) == 0;
  }
  uint32_t Add(std::string_view key) {
    entries_.PushBack({static_cast<uint64_t>(bytes_.size()), static_cast<uint32_t>(key.size())});
    bytes_.Append(key.data(), static_cast<int64_t>(key.size()));
    return size() - 1;
  }
  uint32_t AddNull() {
    entries_.PushBack({0, kNullLength});
    return size() - 1;
  }
  void Prefetch(uint32_t group) const { __builtin_prefetch(&entries_[group]); }
  void Retain(absl::Span<const uint32_t> survivors);
  int64_t bytes() const { return entries_.bytes() + bytes_.bytes(); }

 private:
  struct Entry {
    uint64_t begin;
    uint32_t length;
  };
  FlatVector<Entry> entries_;
  FlatVector<char> bytes_;
};

// One column of text or bytea. Codes of a dictionary are looked up once each.
class TextKeyTable final : public KeyTable {
 public:
  explicit TextKeyTable(const SqlType& type) : type_(type) {}

  void FindOrInsert(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) override;
  void Find(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) override;
  uint32_t size() const override { return arena_.size(); }
  std::vector<std::shared_ptr<arrow::Array>> Keys(absl::Span<const uint32_t> groups) const override;
  void Retain(absl::Span<const uint32_t> survivors) override;
  void Reserve(int64_t num_groups) override { index_.Reserve(num_groups); }
  int64_t bytes() const override { return arena_.bytes() + index_.bytes(); }

  // The same for a single array.
  template <bool kInsert>
  void Lookup(const std::shared_ptr<arrow::Array>& column, uint32_t* groups);
  bool IsNull(uint32_t group) const { return arena_.IsNull(group); }
  std::string_view key(uint32_t group) const { return arena_.key(group); }

 private:
  template <bool kInsert>
  void LookupRows(const ColumnView& column, uint32_t* groups);
  template <bool kInsert>
  void LookupCodes(const std::shared_ptr<arrow::Array>& column, const ColumnView& view,
                   uint32_t* groups);

  const SqlType type_;
  KeyArena arena_;
  GroupIndex index_;
  std::vector<uint64_t> hashes_;
  // Groups of the codes of the dictionary seen last, filled as they occur; holds on to the
  // dictionary, so that its address tells it apart.
  std::shared_ptr<arrow::ArrayData> dictionary_;
  FlatVector<uint32_t> code_groups_;
  uint32_t size_at_lookup_ = 0;
};

// Any number of columns of any type, as encoded rows.
class RowKeyTable final : public KeyTable {
 public:
  explicit RowKeyTable(const std::vector<SqlType>& types) : codec_(types, CodecUse::kKey) {}

  void FindOrInsert(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) override;
  void Find(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) override;
  uint32_t size() const override { return arena_.size(); }
  std::vector<std::shared_ptr<arrow::Array>> Keys(absl::Span<const uint32_t> groups) const override;
  void Retain(absl::Span<const uint32_t> survivors) override;
  void Reserve(int64_t num_groups) override { index_.Reserve(num_groups); }
  int64_t bytes() const override { return arena_.bytes() + index_.bytes(); }

 private:
  template <bool kInsert>
  void Lookup(const Batch& batch, absl::Span<const int> columns, uint32_t* groups);

  RowCodec codec_;
  KeyArena arena_;
  GroupIndex index_;
  EncodedRows rows_;
  std::vector<uint64_t> hashes_;
};

// new_ids[g] for GroupIndex::Renumber.
FlatVector<uint32_t> RenumberingOf(uint32_t num_groups, absl::Span<const uint32_t> survivors);

}  // namespace millrace
