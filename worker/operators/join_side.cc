#include "worker/operators/join_side.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/hash.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

// Fewer dead rows than this are not worth moving the others.
constexpr int64_t kCompactRowsMin = 1024;

}  // namespace

JoinSide::JoinSide(int side, std::vector<SqlType> types, std::vector<int> keys, int window_column)
    : side_(side),
      types_(std::move(types)),
      keys_(std::move(keys)),
      window_column_(window_column),
      all_columns_(FirstColumns(static_cast<int>(types_.size()))),
      codec_(types_, CodecUse::kStorage),
      row_table_(types_),
      rows_(types_),
      key_table_(PickTypes(types_, keys_)) {}

void JoinSide::FindKeys(const Batch& other, const std::vector<int>& columns, uint32_t* groups) {
  key_table_.Find(other, columns, groups);
  for (const int column : columns) {
    const ColumnView view(*other.column(column));
    if (!view.nullable()) continue;
    for (int64_t i = 0; i < view.length; ++i) {
      if (view.IsNull(i)) groups[i] = kNoGroup;
    }
  }
}

void JoinSide::FindRows(const Batch& batch, std::vector<uint32_t>* rows) {
  const int64_t n = batch.num_rows();
  rows->resize(n);
  const uint32_t before = row_table_.size();
  row_table_.FindOrInsert(batch, all_columns_, rows->data());
  if (row_table_.size() == before) return;
  // New rows are numbered in order of appearance.
  std::vector<uint32_t> fresh;
  for (int64_t i = 0; i < n; ++i) {
    if ((*rows)[i] == before + fresh.size()) fresh.push_back(static_cast<uint32_t>(i));
  }
  if (static_cast<int64_t>(fresh.size()) == n) return AppendRows(batch);
  ColumnStore taken(types_);
  taken.Append(batch);
  AppendRows(taken.GatherRows(fresh));
}

void JoinSide::AppendRows(const Batch& rows) {
  const uint32_t before = rows_.num_rows();
  rows_.Append(rows);
  const int64_t n = rows_.num_rows();
  multiplicities_.Resize(n, 0);
  matches_.Resize(n, 0);
  dirty_flags_.Resize(n, 0);
  num_dead_ += rows.num_rows();
  LinkRows(rows, before);
}

void JoinSide::LinkRows(const Batch& rows, uint32_t begin) {
  const auto n = static_cast<uint32_t>(rows.num_rows());
  scratch_.resize(n);
  key_table_.FindOrInsert(rows, keys_, scratch_.data());
  heads_.Resize(key_table_.size(), kNoRow);
  for (uint32_t i = 0; i < n; ++i) {
    next_.PushBack(heads_[scratch_[i]]);
    heads_[scratch_[i]] = begin + i;
  }
  if (window_column_ < 0) return;
  const ColumnView ends(*rows.column(window_column_));
  for (uint32_t i = 0; i < n; ++i) {
    if (!ends.IsNull(i)) windows_[ends.Get<int64_t>(i)].push_back(begin + i);
  }
}

void JoinSide::Change(uint32_t row, int64_t weight) {
  const bool was_dead = multiplicities_[row] == 0;
  multiplicities_[row] += weight;
  num_dead_ += static_cast<int>(multiplicities_[row] == 0) - static_cast<int>(was_dead);
  MarkDirty(row);
}

void JoinSide::MarkDirty(uint32_t row) {
  if (dirty_flags_[row] != 0) return;
  dirty_flags_[row] = 1;
  dirty_.push_back(row);
}

void JoinSide::Store(const Batch& batch, std::vector<uint32_t>* rows) {
  FindRows(batch, rows);
  const int64_t* weights = batch.raw_weights();
  for (int64_t i = 0; i < batch.num_rows(); ++i) {
    Change((*rows)[i], weights == nullptr ? 1 : weights[i]);
  }
}

void JoinSide::SetMatches(uint32_t row, int64_t matches) {
  if (matches_[row] == matches) return;
  matches_[row] = matches;
  MarkDirty(row);
}

void JoinSide::DropWindowsUntil(int64_t micros) {
  while (!windows_.empty() && windows_.begin()->first <= micros) {
    for (const uint32_t row : windows_.begin()->second) {
      if (multiplicities_[row] != 0) Change(row, -multiplicities_[row]);
    }
    windows_.erase(windows_.begin());
  }
}

void JoinSide::AppendEntries(uint32_t num_shards, StateEntries* entries) {
  if (dirty_.empty()) return;
  const Batch rows = rows_.GatherRows(dirty_);
  EncodedRows encoded;
  codec_.Encode(rows, all_columns_, &encoded);
  std::vector<uint64_t> hashes;
  HashRows(rows, keys_, &hashes);
  const auto prefix = static_cast<char>('0' + side_);
  for (size_t i = 0; i < dirty_.size(); ++i) {
    const uint32_t row = dirty_[i];
    dirty_flags_[row] = 0;
    const uint32_t shard = ShardOf(hashes[i], num_shards);
    const StateEntries::Parts key = {RawBytes(prefix), RawBytes(hashes[i]),
                                     encoded.row(static_cast<int64_t>(i))};
    if (multiplicities_[row] != 0) {
      entries->Put(shard, key, {RawBytes(multiplicities_[row]), RawBytes(matches_[row])});
    } else {
      entries->Delete(shard, key);
    }
  }
  dirty_.clear();
}

absl::Status JoinSide::Restore(const StateEntries& stored) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(codec_.Decode(stored.Keys(), &columns));
  const uint32_t before = rows_.num_rows();
  std::vector<uint32_t> rows;
  FindRows(Batch(std::move(columns), stored.size()), &rows);
  for (int64_t i = 0; i < stored.size(); ++i) {
    const std::string_view value = stored[i].value;
    int64_t counts[2];
    if (value.size() != sizeof(counts)) {
      return MakeError(SqlState::kDataCorrupted, "stored state of a join has a wrong form");
    }
    if (rows[i] < before) continue;
    std::memcpy(counts, value.data(), sizeof(counts));
    num_dead_ -= multiplicities_[rows[i]] == 0 ? 1 : 0;
    multiplicities_[rows[i]] = counts[0];
    matches_[rows[i]] = counts[1];
  }
  return absl::OkStatus();
}

void JoinSide::Compact() {
  if (num_dead_ < kCompactRowsMin || num_dead_ * 2 < rows_.num_rows()) return;
  std::vector<uint32_t> survivors;
  for (uint32_t row = 0; row < rows_.num_rows(); ++row) {
    // What the store does not know yet has to stay until the next checkpoint.
    if (multiplicities_[row] != 0 || dirty_flags_[row] != 0) survivors.push_back(row);
  }
  if (static_cast<int64_t>(survivors.size()) * 4 > int64_t{rows_.num_rows()} * 3) return;
  row_table_.Retain(survivors);
  rows_.Retain(survivors);
  multiplicities_.Retain(survivors);
  matches_.Retain(survivors);
  dirty_flags_.Retain(survivors);
  const uint32_t n = rows_.num_rows();
  std::vector<uint32_t> all(n);
  std::iota(all.begin(), all.end(), 0);
  key_table_.Clear();
  heads_.Clear();
  next_.Clear();
  windows_.clear();
  dirty_.clear();
  num_dead_ = 0;
  if (n > 0) LinkRows(rows_.GatherRows(all), 0);
  for (uint32_t row = 0; row < n; ++row) {
    if (dirty_flags_[row] != 0) dirty_.push_back(row);
    num_dead_ += multiplicities_[row] == 0 ? 1 : 0;
  }
}

int64_t JoinSide::bytes() const {
  return row_table_.bytes() + rows_.bytes() + key_table_.bytes() + heads_.bytes() + next_.bytes() +
         multiplicities_.bytes() + matches_.bytes() + dirty_flags_.bytes();
}

}  // namespace millrace
