#include "worker/operators/streaming/ordered_rows.h"

#include <cstring>
#include <numeric>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/bytes_key_table.h"
#include "worker/kernels/hash.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

// Fewer dead rows than this are not worth moving the others.
constexpr int64_t kCompactRowsMin = 4096;
constexpr char kRowEntry = 'r';
// What a row costs in an order, about.
constexpr int64_t kOrderEntryBytes = 8;

}  // namespace

OrderedRows::OrderedRows(std::vector<SqlType> types, std::vector<int> partition_columns)
    : partition_columns_(std::move(partition_columns)),
      all_columns_(FirstColumns(static_cast<int>(types.size()))),
      codec_(types, CodecUse::kStorage),
      partition_table_(PickTypes(types, partition_columns_)),
      row_table_(types),
      rows_(types) {
  key_offsets_.PushBack(0);
}

bool OrderedRows::Less(uint32_t a, uint32_t b) const {
  int order = key(a).compare(key(b));
  if (order == 0) order = rows_.CompareRows(a, b);
  // Rows that no comparison tells apart, such as intervals of equal length.
  return order != 0 ? order < 0 : a < b;
}

void OrderedRows::FindPartitions(const Batch& batch, std::vector<uint32_t>* partitions) {
  partitions->assign(static_cast<size_t>(batch.num_rows()), 0);
  uint32_t num_partitions = 1;
  if (!partition_columns_.empty()) {
    partition_table_.FindOrInsert(batch, partition_columns_, partitions->data());
    num_partitions = partition_table_.size();
  }
  while (orders_.size() < num_partitions) orders_.emplace_back(RowLess{this});
}

void OrderedRows::FindRows(const Batch& batch, const std::vector<uint32_t>& partitions,
                           const EncodedRows& keys, absl::Span<const int32_t> key_rows,
                           std::vector<uint32_t>* rows) {
  const auto n = static_cast<uint32_t>(batch.num_rows());
  rows->resize(n);
  const uint32_t before = row_table_.size();
  row_table_.FindOrInsert(batch, all_columns_, rows->data());
  if (row_table_.size() == before) return;
  // New rows are numbered in order of appearance.
  std::vector<int32_t> fresh;
  for (uint32_t i = 0; i < n; ++i) {
    if ((*rows)[i] != before + fresh.size()) continue;
    fresh.push_back(static_cast<int32_t>(i));
    const std::string_view key = keys.row(key_rows[i]);
    key_bytes_.Append(key.data(), static_cast<int64_t>(key.size()));
    key_offsets_.PushBack(key_bytes_.size());
    partitions_.PushBack(partitions[i]);
  }
  if (fresh.size() == n) {
    rows_.Append(batch);
  } else {
    // Copies, so that the rows of the batch that were known do not keep its texts alive.
    const std::vector<uint32_t> picked(fresh.begin(), fresh.end());
    ColumnStore store(rows_.types());
    store.Append(batch);
    rows_.Append(store.GatherRows(picked));
  }
  multiplicities_.Resize(rows_.num_rows(), 0);
  is_dirty_.Resize(rows_.num_rows(), 0);
  is_stored_.Resize(rows_.num_rows(), 0);
  num_dead_ += static_cast<int64_t>(fresh.size());
}

void OrderedRows::Change(uint32_t row, int64_t weight) {
  const int64_t before = multiplicities_[row];
  const int64_t after = before + weight;
  // Below zero for a moment: the row's addition comes later in the epoch.
  if (before <= 0 && after > 0) orders_[partitions_[row]].insert(row);
  if (before > 0 && after <= 0) orders_[partitions_[row]].erase(row);
  multiplicities_[row] = after;
  num_dead_ += static_cast<int>(after == 0) - static_cast<int>(before == 0);
  MarkDirty(row);
}

void OrderedRows::MarkDirty(uint32_t row) {
  if (is_dirty_[row] != 0) return;
  is_dirty_[row] = 1;
  dirty_.push_back(row);
}

void OrderedRows::AppendTop(uint32_t partition, uint64_t limit, std::vector<Entry>* top) const {
  uint64_t left = limit;
  for (const uint32_t row : orders_[partition]) {
    if (left == 0) break;
    const auto multiplicity = static_cast<uint64_t>(multiplicities_[row]);
    const uint64_t count = multiplicity < left ? multiplicity : left;
    top->push_back({row, static_cast<int64_t>(count)});
    left -= count;
  }
}

void OrderedRows::DropBehind(uint32_t partition, uint32_t last) {
  Order& order = orders_[partition];
  const auto begin = order.upper_bound(last);
  for (auto it = begin; it != order.end(); ++it) {
    multiplicities_[*it] = 0;
    ++num_dead_;
    MarkDirty(*it);
  }
  order.erase(begin, order.end());
}

void OrderedRows::AppendEntries(uint32_t num_shards, StateEntries* entries) {
  if (dirty_.empty()) return;
  const Batch rows = rows_.GatherRows(dirty_);
  EncodedRows encoded;
  codec_.Encode(rows, all_columns_, &encoded);
  HashRows(rows, partition_columns_, &hashes_);
  for (size_t i = 0; i < dirty_.size(); ++i) {
    const uint32_t row = dirty_[i];
    const bool is_dead = multiplicities_[row] == 0;
    is_dirty_[row] = 0;
    // A row that came and went between two checkpoints was never written.
    if (is_dead && is_stored_[row] == 0) continue;
    is_stored_[row] = is_dead ? 0 : 1;
    const uint32_t shard = partition_columns_.empty() ? 0 : ShardOf(hashes_[i], num_shards);
    const StateEntries::Parts key = {RawBytes(kRowEntry), RawBytes(hashes_[i]),
                                     encoded.row(static_cast<int64_t>(i))};
    if (is_dead) {
      entries->Delete(shard, key);
    } else {
      entries->Put(shard, key, {RawBytes(multiplicities_[row])});
    }
  }
  dirty_.clear();
}

absl::Status OrderedRows::Restore(TaskStateStore& state, uint32_t node_id, SortKeyReader& reader) {
  cold_ = ColdState(
      state, node_id, {{kRowEntry}},
      [this, &reader](char, const StateEntries& stored) { return Enter(stored, reader); });
  return cold_.LoadMore(partition_columns_.empty() ? ColdState::kAllEntries
                                                   : ColdState::kEntriesAtBarrier);
}

absl::Status OrderedRows::Enter(const StateEntries& stored, SortKeyReader& reader) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(codec_.Decode(stored.Keys(), &columns));
  const Batch batch(std::move(columns), stored.size());
  MR_RETURN_IF_ERROR(reader.Read(batch));
  std::vector<uint32_t> partitions;
  FindPartitions(batch, &partitions);
  std::vector<int32_t> all(static_cast<size_t>(stored.size()));
  std::iota(all.begin(), all.end(), 0);
  const uint32_t before = rows_.num_rows();
  std::vector<uint32_t> rows;
  FindRows(batch, partitions, reader.keys(), all, &rows);
  for (int64_t i = 0; i < stored.size(); ++i) {
    const std::string_view value = stored[i].value;
    int64_t multiplicity = 0;
    if (value.size() != sizeof(multiplicity)) {
      return MakeError(SqlState::kDataCorrupted, "stored state of rows has a wrong form");
    }
    const uint32_t row = rows[i];
    if (row < before) continue;
    std::memcpy(&multiplicity, value.data(), sizeof(multiplicity));
    num_dead_ -= multiplicities_[row] == 0 ? 1 : 0;
    multiplicities_[row] = multiplicity;
    is_stored_[row] = 1;
    if (multiplicity > 0) orders_[partitions_[row]].insert(row);
  }
  return absl::OkStatus();
}

bool OrderedRows::Compact(FlatVector<uint32_t>* new_rows) {
  if (num_dead_ < kCompactRowsMin || num_dead_ * 2 < rows_.num_rows()) return false;
  std::vector<uint32_t> survivors;
  for (uint32_t row = 0; row < rows_.num_rows(); ++row) {
    // What the store still has must stay until the next checkpoint.
    const bool pending = is_dirty_[row] != 0 && is_stored_[row] != 0;
    if (multiplicities_[row] != 0 || pending) survivors.push_back(row);
  }
  if (static_cast<int64_t>(survivors.size()) * 4 > int64_t{rows_.num_rows()} * 3) return false;
  FlatVector<char> key_bytes;
  FlatVector<int64_t> key_offsets;
  key_offsets.PushBack(0);
  for (const uint32_t row : survivors) {
    const std::string_view bytes = key(row);
    key_bytes.Append(bytes.data(), static_cast<int64_t>(bytes.size()));
    key_offsets.PushBack(key_bytes.size());
  }
  std::vector<std::vector<uint32_t>> orders;
  *new_rows = RenumberingOf(rows_.num_rows(), survivors);
  for (Order& order : orders_) {
    std::vector<uint32_t>& renumbered = orders.emplace_back();
    for (const uint32_t row : order) renumbered.push_back((*new_rows)[row]);
    order.clear();
  }
  key_bytes_ = std::move(key_bytes);
  key_offsets_ = std::move(key_offsets);
  row_table_.Retain(survivors);
  rows_.Retain(survivors);
  partitions_.Retain(survivors);
  multiplicities_.Retain(survivors);
  is_dirty_.Retain(survivors);
  is_stored_.Retain(survivors);
  dirty_.clear();
  num_dead_ = 0;
  for (uint32_t row = 0; row < rows_.num_rows(); ++row) {
    if (is_dirty_[row] != 0) dirty_.push_back(row);
    num_dead_ += multiplicities_[row] == 0 ? 1 : 0;
  }
  for (size_t i = 0; i < orders.size(); ++i) {
    for (const uint32_t row : orders[i]) orders_[i].insert(orders_[i].end(), row);
  }
  return true;
}

int64_t OrderedRows::bytes() const {
  return partition_table_.bytes() + row_table_.bytes() + rows_.bytes() + key_bytes_.bytes() +
         key_offsets_.bytes() + partitions_.bytes() + multiplicities_.bytes() + is_dirty_.bytes() +
         is_stored_.bytes() + static_cast<int64_t>(orders_.capacity() * sizeof(Order)) +
         num_rows() * kOrderEntryBytes;
}

}  // namespace millrace
