#include "worker/kernels/join_table.h"

#include "arrow/array.h"
#include "worker/kernels/column_view.h"

namespace millrace {
namespace {

std::vector<SqlType> TypesOf(const std::vector<SqlType>& types, const std::vector<int>& columns) {
  std::vector<SqlType> picked;
  for (const int column : columns) picked.push_back(types[column]);
  return picked;
}

}  // namespace

JoinTable::JoinTable(std::vector<SqlType> row_types, std::vector<int> key_columns)
    : key_columns_(std::move(key_columns)),
      rows_(row_types),
      keys_(TypesOf(row_types, key_columns_)) {}

void JoinTable::Append(const Batch& batch) {
  const int64_t before = row_groups_.size();
  row_groups_.ResizeUninitialized(before + batch.num_rows());
  keys_.FindOrInsert(batch, key_columns_, row_groups_.data() + before);
  rows_.Append(batch);
  for (const int column : key_columns_) {
    has_null_key_ = has_null_key_ || batch.column(column)->null_count() > 0;
  }
}

void JoinTable::Finish() {
  const uint32_t num_groups = keys_.size();
  unique_ = num_groups == num_rows();
  if (unique_) {
    // Keys are numbered as they came, which is the number of their row.
    row_list_ = std::move(row_groups_);
    return;
  }
  starts_.Resize(int64_t{num_groups} + 1, 0);
  for (const uint32_t group : row_groups_) ++starts_[group + 1];
  for (uint32_t group = 0; group < num_groups; ++group) starts_[group + 1] += starts_[group];
  row_list_.ResizeUninitialized(num_rows());
  FlatVector<uint32_t> next;
  next.Append(starts_.data(), num_groups);
  for (uint32_t row = 0; row < num_rows(); ++row) row_list_[next[row_groups_[row]]++] = row;
  row_groups_ = FlatVector<uint32_t>();
}

void JoinTable::Find(const Batch& probe, absl::Span<const int> key_columns, uint32_t* groups) {
  keys_.Find(probe, key_columns, groups);
  for (const int column : key_columns) {
    const ColumnView view(*probe.column(column));
    if (!view.nullable()) continue;
    for (int64_t i = 0; i < view.length; ++i) {
      if (view.IsNull(i)) groups[i] = kNoGroup;
    }
  }
}

int64_t JoinTable::bytes() const {
  return rows_.bytes() + keys_.bytes() + row_groups_.bytes() + row_list_.bytes() + starts_.bytes();
}

}  // namespace millrace
