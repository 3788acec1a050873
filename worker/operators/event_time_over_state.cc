// State of EventTimeOverOperator: opening, checkpoints, restoring.

#include <algorithm>
#include <cstring>
#include <numeric>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/hash.h"
#include "worker/operators/event_time_over_operator.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

constexpr char kPartitionEntry = 'p';
// Entries that are restored together.
constexpr size_t kRestoreRows = 8192;

absl::Status Corrupt() {
  return MakeError(SqlState::kDataCorrupted, "stored state of window functions has a wrong form");
}

}  // namespace

absl::Status EventTimeOverOperator::Open(OperatorContext& context) {
  context_ = &context;
  memory_.emplace(*context.memory, "window functions");
  MR_ASSIGN_OR_RETURN(reader_, SortKeyReader::Create(plan_.partition_keys, plan_.order_keys,
                                                     plan_.input, context.eval));
  std::vector<SqlType> totals_types(2, SqlType::Of(TypeId::kInt64));
  for (size_t i = 0; i < plan_.calls.size(); ++i) {
    const WindowCall& call = plan_.calls[i];
    totals_.emplace_back();
    const bool running = retention_.ways[i] == OverRetention::Way::kRunning &&
                         call.kind == WindowCall::Kind::kAggregate;
    if (!running) continue;
    MR_ASSIGN_OR_RETURN(totals_.back(),
                        AggregateSet::Create({call.aggregate}, {call.arg_types}, {}));
    for (const SqlType& type : totals_.back()->PartialTypes()) totals_types.push_back(type);
  }
  totals_codec_ = std::make_unique<RowCodec>(std::move(totals_types), CodecUse::kStorage);
  if (context.state == nullptr) return absl::OkStatus();

  std::vector<std::string> partition_keys;
  std::vector<std::string> partition_values;
  std::vector<std::string> rows[2];
  std::vector<int64_t> counts[2];
  const absl::Status restored = context.state->Restore(
      context.node_id,
      [&](uint32_t, absl::string_view key, absl::string_view value) -> absl::Status {
        if (key.empty()) return Corrupt();
        const std::string rest(key.data() + 1, key.size() - 1);
        if (key[0] == kPartitionEntry) {
          partition_keys.push_back(rest);
          partition_values.emplace_back(value.data(), value.size());
          return absl::OkStatus();
        }
        int64_t count = 0;
        const int kind = key[0] == static_cast<char>(RowKind::kWaiting) ? 0 : 1;
        if (value.size() != sizeof(count)) return Corrupt();
        std::memcpy(&count, value.data(), sizeof(count));
        rows[kind].push_back(rest);
        counts[kind].push_back(count);
        return absl::OkStatus();
      });
  MR_RETURN_IF_ERROR(restored);
  MR_RETURN_IF_ERROR(RestorePartitions(partition_keys, partition_values));
  MR_RETURN_IF_ERROR(RestoreRows(RowKind::kHistory, rows[1], counts[1]));
  MR_RETURN_IF_ERROR(RestoreRows(RowKind::kWaiting, rows[0], counts[0]));
  for (auto& [row, stored] : stored_rows_) stored.dirty = false;
  return absl::OkStatus();
}

absl::Status EventTimeOverOperator::RestoreRows(RowKind kind, const std::vector<std::string>& rows,
                                                const std::vector<int64_t>& counts) {
  for (size_t begin = 0; begin < rows.size(); begin += kRestoreRows) {
    const size_t end = std::min(rows.size(), begin + kRestoreRows);
    std::vector<std::string_view> views;
    for (size_t i = begin; i < end; ++i) {
      for (int64_t copy = 0; copy < counts[i]; ++copy) views.push_back(rows[i]);
    }
    std::vector<std::shared_ptr<arrow::Array>> columns;
    MR_RETURN_IF_ERROR(row_codec_.Decode(views, &columns));
    const Batch batch(std::move(columns), static_cast<int64_t>(views.size()));
    if (kind == RowKind::kWaiting) {
      MR_RETURN_IF_ERROR(AddWaiting(batch));
      continue;
    }
    std::vector<uint32_t> partitions(batch.num_rows());
    partitions_.FindOrInsert(batch, plan_.partition_keys, partitions.data());
    GrowPartitions();
    uint32_t next = history_.num_rows();
    history_.Append(batch);
    for (const uint32_t partition : partitions) history_rows_[partition].push_back(next++);
    num_history_rows_ += batch.num_rows();
    CountRows(RowKind::kHistory, batch, 1);
  }
  return absl::OkStatus();
}

absl::Status EventTimeOverOperator::RestorePartitions(const std::vector<std::string>& keys,
                                                      const std::vector<std::string>& values) {
  if (keys.empty()) return absl::OkStatus();
  const auto n = static_cast<int64_t>(keys.size());
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(
      key_codec_.Decode(std::vector<std::string_view>(keys.begin(), keys.end()), &columns));
  std::vector<uint32_t> partitions(keys.size());
  partitions_.FindOrInsert(Batch(std::move(columns), n), key_positions_, partitions.data());
  GrowPartitions();
  std::vector<std::shared_ptr<arrow::Array>> totals;
  MR_RETURN_IF_ERROR(
      totals_codec_->Decode(std::vector<std::string_view>(values.begin(), values.end()), &totals));
  const ColumnView row_counts(*totals[0]);
  const ColumnView peer_counts(*totals[1]);
  for (int64_t i = 0; i < n; ++i) {
    row_counts_[partitions[i]] = row_counts.Get<int64_t>(i);
    peer_counts_[partitions[i]] = peer_counts.Get<int64_t>(i);
  }
  int column = 2;
  const Batch batch(std::move(totals), n);
  for (auto& set : totals_) {
    if (set == nullptr) continue;
    MR_RETURN_IF_ERROR(set->Merge(batch, column, partitions.data()));
    column += static_cast<int>(set->PartialTypes().size());
  }
  return absl::OkStatus();
}

void EventTimeOverOperator::CountRows(RowKind kind, const Batch& rows, int64_t weight) {
  if (context_->state == nullptr) return;
  row_codec_.Encode(rows, all_columns_, &encoded_);
  for (int64_t i = 0; i < rows.num_rows(); ++i) {
    std::string key(1, static_cast<char>(kind));
    key.append(encoded_.row(i));
    StoredCount& stored = stored_rows_[std::move(key)];
    stored.count += weight;
    stored.dirty = true;
  }
}

absl::Status EventTimeOverOperator::WriteState() {
  std::vector<StateEntry> entries;
  MR_RETURN_IF_ERROR(AppendRowEntries(&entries));
  MR_RETURN_IF_ERROR(AppendPartitionEntries(&entries));
  if (entries.empty()) return absl::OkStatus();
  return context_->state->Write(context_->node_id, std::move(entries));
}

absl::Status EventTimeOverOperator::AppendRowEntries(std::vector<StateEntry>* entries) {
  std::vector<std::string_view> rows;
  const size_t first = entries->size();
  for (auto& [key, stored] : stored_rows_) {
    if (!stored.dirty) continue;
    stored.dirty = false;
    StateEntry entry;
    entry.key = key;
    if (stored.count != 0) {
      entry.value.emplace(reinterpret_cast<const char*>(&stored.count), sizeof(stored.count));
    }
    entries->push_back(std::move(entry));
  }
  for (size_t i = first; i < entries->size(); ++i) {
    rows.push_back(std::string_view((*entries)[i].key).substr(1));
  }
  if (!rows.empty() && !plan_.partition_keys.empty()) {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    MR_RETURN_IF_ERROR(row_codec_.Decode(rows, &columns));
    std::vector<uint64_t> hashes;
    HashRows(Batch(std::move(columns), static_cast<int64_t>(rows.size())), plan_.partition_keys,
             &hashes);
    for (size_t i = 0; i < rows.size(); ++i) {
      (*entries)[first + i].shard = ShardOf(hashes[i], context_->state->num_shards());
    }
  }
  absl::erase_if(stored_rows_, [](const auto& entry) { return entry.second.count == 0; });
  return absl::OkStatus();
}

absl::Status EventTimeOverOperator::AppendPartitionEntries(std::vector<StateEntry>* entries) {
  if (dirty_.empty()) return absl::OkStatus();
  const auto n = static_cast<int64_t>(dirty_.size());
  FlatVector<int64_t> rows(n);
  FlatVector<int64_t> peers(n);
  for (int64_t i = 0; i < n; ++i) {
    rows[i] = row_counts_[dirty_[i]];
    peers[i] = peer_counts_[dirty_[i]];
    is_dirty_[dirty_[i]] = 0;
  }
  std::vector<std::shared_ptr<arrow::Array>> totals = {MakeInt64Array(std::move(rows)),
                                                       MakeInt64Array(std::move(peers))};
  for (const auto& set : totals_) {
    if (set != nullptr) MR_RETURN_IF_ERROR(set->Partial(dirty_, &totals));
  }
  const std::vector<int> positions = FirstColumns(static_cast<int>(totals.size()));
  EncodedRows values;
  totals_codec_->Encode(Batch(std::move(totals), n), positions, &values);
  const Batch keys(partitions_.Keys(dirty_), n);
  key_codec_.Encode(keys, key_positions_, &encoded_);
  std::vector<uint64_t> hashes;
  HashRows(keys, key_positions_, &hashes);
  for (int64_t i = 0; i < n; ++i) {
    StateEntry entry;
    const bool keyed = !key_positions_.empty();
    entry.shard = keyed ? ShardOf(hashes[i], context_->state->num_shards()) : 0;
    entry.key = kPartitionEntry;
    entry.key.append(encoded_.row(i));
    entry.value = std::string(values.row(i));
    entries->push_back(std::move(entry));
  }
  dirty_.clear();
  return absl::OkStatus();
}

}  // namespace millrace
