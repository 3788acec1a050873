#include "worker/operators/streaming/over_history.h"

#include <algorithm>
#include <cstring>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/hash.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

// Fewer rows than this are not worth moving.
constexpr int64_t kHistoryCompactRowsMin = 8192;
constexpr size_t kHistoryNumberBytes = 8;

void AppendRaw(int64_t value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

bool TakeRaw(std::string_view* from, int64_t* value) {
  if (from->size() < sizeof(*value)) return false;
  std::memcpy(value, from->data(), sizeof(*value));
  from->remove_prefix(sizeof(*value));
  return true;
}

// Big-endian, so that the store keeps the rows of a partition in order.
void AppendNumber(int64_t number, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(number >> shift));
}

int64_t ReadHistoryNumber(std::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes) number = (number << 8) | static_cast<uint8_t>(byte);
  return static_cast<int64_t>(number);
}

// The earliest time that frames of a row at `time` reach.
int64_t EarliestOf(const OverReach& reach, int64_t time) {
  if (reach.micros < 0) return INT64_MAX;
  return time < INT64_MIN + reach.micros ? INT64_MIN : time - reach.micros;
}

}  // namespace

OverHistory::OverHistory(std::vector<SqlType> partition_types, std::vector<SqlType> row_types)
    : has_keys_(!partition_types.empty()),
      key_positions_(FirstColumns(static_cast<int>(partition_types.size()))),
      row_positions_(FirstColumns(static_cast<int>(row_types.size()))),
      key_codec_(partition_types, CodecUse::kKey),
      row_codec_(row_types, CodecUse::kStorage),
      keys_(std::move(partition_types)),
      rows_(std::move(row_types)) {}

void OverHistory::Grow() {
  const uint32_t n = has_keys_ ? keys_.size() : 1;
  row_counts_.Resize(n, 0);
  peer_counts_.Resize(n, 0);
  newest_rows_.Resize(n, kNoRow);
  is_dirty_.Resize(n, 0);
}

void OverHistory::FindKeys(const Batch& batch, const std::vector<int>& columns,
                           std::vector<uint32_t>* keys) {
  keys->assign(static_cast<size_t>(batch.num_rows()), 0);
  if (has_keys_) keys_.FindOrInsert(batch, columns, keys->data());
  Grow();
}

void OverHistory::AppendRow(uint32_t key, int64_t time, int64_t number) {
  times_.PushBack(time);
  numbers_.PushBack(number);
  earlier_rows_.PushBack(newest_rows_[key]);
  is_stored_.PushBack(0);
  row_keys_.PushBack(key);
  newest_rows_[key] = static_cast<uint32_t>(times_.size() - 1);
}

void OverHistory::KeptRows(uint32_t key, const OverReach& reach, int64_t time,
                           std::vector<uint32_t>* rows) const {
  const int64_t earliest = EarliestOf(reach, time);
  rows->clear();
  for (uint32_t row = newest_rows_[key]; row != kNoRow; row = earlier_rows_[row]) {
    if (static_cast<int64_t>(rows->size()) >= reach.rows && times_[row] < earliest) break;
    rows->push_back(row);
  }
}

void OverHistory::BuildSlice(const Batch& rows, const FlatVector<int64_t>& times,
                             const std::vector<uint32_t>& keys, const OverReach& reach,
                             OverSlice* slice) {
  const auto n = static_cast<int64_t>(keys.size());
  const uint32_t first_row = rows_.num_rows();
  if (reach.any()) rows_.Append(rows);
  std::vector<uint32_t> gathered;
  slice->segments.clear();
  slice->times.Clear();
  slice->num_new = n;
  for (int64_t begin = 0; begin < n;) {
    const uint32_t key = keys[begin];
    int64_t end = begin + 1;
    while (end < n && keys[end] == key) ++end;
    OverSegment segment;
    segment.key = key;
    segment.begin = static_cast<int32_t>(slice->times.size());
    segment.rows_before = row_counts_[key];
    segment.peers_before = peer_counts_[key];
    if (reach.any()) {
      KeptRows(key, reach, times[begin], &kept_);
      std::reverse(kept_.begin(), kept_.end());
      for (const uint32_t row : kept_) slice->times.PushBack(times_[row]);
      gathered.insert(gathered.end(), kept_.begin(), kept_.end());
    }
    segment.first = static_cast<int32_t>(slice->times.size());
    for (int64_t i = begin; i < end; ++i) {
      slice->times.PushBack(times[i]);
      peer_counts_[key] += slice->starts_peers[i];
      ++row_counts_[key];
      if (!reach.any()) continue;
      gathered.push_back(first_row + static_cast<uint32_t>(i));
      AppendRow(key, times[i], row_counts_[key]);
    }
    segment.end = static_cast<int32_t>(slice->times.size());
    slice->segments.push_back(segment);
    if (is_dirty_[key] == 0) dirty_.push_back(key);
    is_dirty_[key] = 1;
    begin = end;
  }
  slice->rows = reach.any() ? rows_.GatherRows(gathered) : rows;
}

void OverHistory::EncodeKeys(absl::Span<const uint32_t> keys, uint32_t num_shards) {
  const auto n = static_cast<int64_t>(keys.size());
  shards_.assign(keys.size(), 0);
  hashes_.assign(keys.size(), 0);
  if (!has_keys_) {
    encoded_keys_.bytes.Clear();
    encoded_keys_.offsets.Clear();
    encoded_keys_.offsets.Resize(n + 1, 0);
    return;
  }
  const Batch columns(keys_.Keys(keys), n);
  key_codec_.Encode(columns, key_positions_, &encoded_keys_);
  HashRows(columns, key_positions_, &hashes_);
  for (int64_t i = 0; i < n; ++i) shards_[i] = ShardOf(hashes_[i], num_shards);
}

absl::Status OverHistory::AppendEntries(uint32_t num_shards, const Functions& functions,
                                        const OverReach& reach, int64_t watermark,
                                        StateEntries* entries) {
  std::vector<uint32_t> dead_keys;
  dead_keys.reserve(dead_.size());
  for (const DeadRow& row : dead_) dead_keys.push_back(row.key);
  EncodeKeys(dead_keys, num_shards);
  for (size_t i = 0; i < dead_.size(); ++i) {
    entries->Delete(shards_[i], {RowKey(static_cast<int64_t>(i), dead_[i].number)});
  }
  dead_.clear();
  EncodeKeys(dirty_, num_shards);
  MR_RETURN_IF_ERROR(AppendKeyEntries(functions, entries));
  AppendRowEntries(reach, watermark, entries);
  for (const uint32_t key : dirty_) is_dirty_[key] = 0;
  dirty_.clear();
  return absl::OkStatus();
}

std::string OverHistory::RowKey(int64_t encoded_key, int64_t number) const {
  std::string key(1, kRowEntry);
  key.append(RawBytes(hashes_[encoded_key]));
  key.append(encoded_keys_.row(encoded_key));
  AppendNumber(number, &key);
  return key;
}

absl::Status OverHistory::AppendKeyEntries(const Functions& functions, StateEntries* entries) {
  std::vector<std::string> values(dirty_.size());
  for (size_t i = 0; i < dirty_.size(); ++i) {
    AppendRaw(row_counts_[dirty_[i]], &values[i]);
    AppendRaw(peer_counts_[dirty_[i]], &values[i]);
  }
  for (const auto& function : functions) {
    MR_RETURN_IF_ERROR(function->AppendState(dirty_, &values));
  }
  for (size_t i = 0; i < dirty_.size(); ++i) {
    const std::string_view key = encoded_keys_.row(static_cast<int64_t>(i));
    entries->Put(shards_[i], {RawBytes(kKeyEntry), RawBytes(hashes_[i]), key}, {values[i]});
  }
  return absl::OkStatus();
}

void OverHistory::AppendRowEntries(const OverReach& reach, int64_t watermark,
                                   StateEntries* entries) {
  std::vector<uint32_t> fresh;
  std::vector<size_t> fresh_keys;
  for (size_t i = 0; i < dirty_.size(); ++i) {
    KeptRows(dirty_[i], reach, watermark, &kept_);
    for (const uint32_t row : kept_) {
      if (is_stored_[row] != 0) continue;
      is_stored_[row] = 1;
      fresh.push_back(row);
      fresh_keys.push_back(i);
    }
  }
  EncodedRows encoded;
  row_codec_.Encode(rows_.GatherRows(fresh), row_positions_, &encoded);
  for (size_t i = 0; i < fresh.size(); ++i) {
    const auto key = static_cast<int64_t>(fresh_keys[i]);
    entries->Put(shards_[key], {RowKey(key, numbers_[fresh[i]])},
                 {RawBytes(times_[fresh[i]]), encoded.row(static_cast<int64_t>(i))});
  }
}

absl::Status OverHistory::RestoreKeys(const StateEntries& stored, const Functions& functions) {
  if (stored.empty()) return absl::OkStatus();
  const int64_t n = stored.size();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  if (has_keys_) MR_RETURN_IF_ERROR(key_codec_.Decode(stored.Keys(), &columns));
  const uint32_t before = num_keys();
  std::vector<uint32_t> found;
  FindKeys(Batch(std::move(columns), n), key_positions_, &found);
  std::vector<uint32_t> numbers;
  std::vector<std::string_view> rest;
  for (int64_t i = 0; i < n; ++i) {
    if (found[i] < before) continue;
    numbers.push_back(found[i]);
    rest.push_back(stored[i].value);
  }
  for (size_t i = 0; i < numbers.size(); ++i) {
    const bool complete =
        TakeRaw(&rest[i], &row_counts_[numbers[i]]) && TakeRaw(&rest[i], &peer_counts_[numbers[i]]);
    if (!complete) return CorruptOverState();
  }
  for (const auto& function : functions) {
    function->Resize(num_keys());
    MR_RETURN_IF_ERROR(function->RestoreState(numbers, &rest));
  }
  const bool used_up =
      std::all_of(rest.begin(), rest.end(), [](std::string_view left) { return left.empty(); });
  return used_up ? absl::OkStatus() : CorruptOverState();
}

absl::Status OverHistory::RestoreRows(const StateEntries& stored) {
  if (stored.empty()) return absl::OkStatus();
  const int64_t n = stored.size();
  std::vector<std::string_view> encoded_keys;
  std::vector<std::string_view> encoded_rows;
  std::vector<int64_t> times(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const std::string_view key = stored[i].key;
    std::string_view row = stored[i].value;
    if (key.size() < kHistoryNumberBytes || !TakeRaw(&row, &times[i])) return CorruptOverState();
    encoded_keys.push_back(key.substr(0, key.size() - kHistoryNumberBytes));
    encoded_rows.push_back(row);
  }
  std::vector<std::shared_ptr<arrow::Array>> key_columns;
  if (has_keys_) MR_RETURN_IF_ERROR(key_codec_.Decode(encoded_keys, &key_columns));
  const uint32_t num_keys_before = num_keys();
  std::vector<uint32_t> key_numbers;
  FindKeys(Batch(std::move(key_columns), n), key_positions_, &key_numbers);
  // A row without its partition.
  if (num_keys() != num_keys_before) return CorruptOverState();
  // Rows that are here already are the first of their partition.
  std::vector<std::string_view> fresh;
  for (int64_t i = 0; i < n; ++i) {
    const std::string_view key = stored[i].key;
    const int64_t number = ReadHistoryNumber(key.substr(key.size() - kHistoryNumberBytes));
    const uint32_t newest = newest_rows_[key_numbers[i]];
    if (newest != kNoRow && number <= numbers_[newest]) continue;
    fresh.push_back(encoded_rows[i]);
    AppendRow(key_numbers[i], times[i], number);
    is_stored_[is_stored_.size() - 1] = 1;
  }
  if (fresh.empty()) return absl::OkStatus();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(row_codec_.Decode(fresh, &columns));
  rows_.Append(Batch(std::move(columns), static_cast<int64_t>(fresh.size())));
  rows_after_compaction_ = rows_.num_rows();
  return absl::OkStatus();
}

void OverHistory::Compact(const OverReach& reach, int64_t watermark) {
  if (rows_.num_rows() < kHistoryCompactRowsMin + 2 * rows_after_compaction_) return;
  std::vector<uint32_t> survivors;
  for (uint32_t key = 0; key < num_keys(); ++key) {
    KeptRows(key, reach, watermark, &kept_);
    survivors.insert(survivors.end(), kept_.begin(), kept_.end());
  }
  std::sort(survivors.begin(), survivors.end());
  size_t next = 0;
  for (uint32_t row = 0; row < rows_.num_rows(); ++row) {
    const bool survives = next < survivors.size() && survivors[next] == row;
    if (survives) ++next;
    if (!survives && is_stored_[row] != 0) dead_.push_back({row_keys_[row], numbers_[row]});
  }
  rows_.Retain(survivors);
  times_.Retain(survivors);
  numbers_.Retain(survivors);
  is_stored_.Retain(survivors);
  row_keys_.Retain(survivors);
  // Rows of a partition follow each other in order, so the lists can be made anew.
  earlier_rows_.Clear();
  newest_rows_.Clear();
  newest_rows_.Resize(row_counts_.size(), kNoRow);
  for (uint32_t row = 0; row < survivors.size(); ++row) {
    earlier_rows_.PushBack(newest_rows_[row_keys_[row]]);
    newest_rows_[row_keys_[row]] = row;
  }
  rows_after_compaction_ = rows_.num_rows();
}

int64_t OverHistory::bytes() const {
  return keys_.bytes() + row_counts_.bytes() + peer_counts_.bytes() + newest_rows_.bytes() +
         rows_.bytes() + times_.bytes() + numbers_.bytes() + earlier_rows_.bytes() +
         is_stored_.bytes() + row_keys_.bytes() +
         static_cast<int64_t>(dead_.capacity() * sizeof(DeadRow));
}

}  // namespace millrace
