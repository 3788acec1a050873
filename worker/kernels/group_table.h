#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"
#include "worker/kernels/group_index.h"

namespace millrace {

// How one kind of key is stored and found. Groups are numbered from 0 in order of first appearance.
class KeyTable {
 public:
  virtual ~KeyTable() = default;
  virtual void FindOrInsert(const Batch& batch, absl::Span<const int> columns,
                            uint32_t* groups) = 0;
  virtual void Find(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) = 0;
  virtual uint32_t size() const = 0;
  virtual std::vector<std::shared_ptr<arrow::Array>> Keys(
      absl::Span<const uint32_t> groups) const = 0;
  virtual void Retain(absl::Span<const uint32_t> survivors) = 0;
  // Room for so many groups in all, so that the table need not grow.
  virtual void Reserve(int64_t num_groups) = 0;
  virtual int64_t bytes() const = 0;
};

// Maps keys of one or more columns to dense group ids. NULL equals NULL, all NaN are equal, −0.0 =
// 0.0. Not thread-safe.
//
// The form of the keys is chosen with the first batch: up to 32 bytes of fixed-width columns are
// packed into words (dictionary-encoded text counts as the 4 bytes of an interned id); a single
// column of text is kept as it is; everything else is encoded as a row. Every form takes every
// representation that later batches may have.
class GroupTable {
 public:
  explicit GroupTable(std::vector<SqlType> key_types) : key_types_(std::move(key_types)) {}

  // The group of every row, new groups included; groups[] has room for batch.num_rows().
  void FindOrInsert(const Batch& batch, absl::Span<const int> columns, uint32_t* groups);
  // kNoGroup for keys that were never inserted.
  void Find(const Batch& batch, absl::Span<const int> columns, uint32_t* groups);

  uint32_t size() const { return table_ == nullptr ? 0 : table_->size(); }
  // The key columns of some groups.
  std::vector<std::shared_ptr<arrow::Array>> Keys(absl::Span<const uint32_t> groups) const;
  // Forgets all groups but `survivors` (ascending); survivors[i] becomes group i.
  void Retain(absl::Span<const uint32_t> survivors);
  // Room for so many groups in all; a guess, made before the first batch.
  void Reserve(int64_t num_groups) { expected_groups_ = num_groups; }
  void Clear() { table_.reset(); }
  int64_t bytes() const { return table_ == nullptr ? 0 : table_->bytes(); }

  const std::vector<SqlType>& key_types() const { return key_types_; }

 private:
  std::vector<SqlType> key_types_;
  int64_t expected_groups_ = 0;
  std::unique_ptr<KeyTable> table_;
};

}  // namespace millrace
