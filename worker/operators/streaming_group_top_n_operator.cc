#include "worker/operators/streaming_group_top_n_operator.h"

#include <algorithm>
#include <cstring>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/hash.h"
#include "worker/operators/plan_fields.h"
#include "worker/state/task_state_store.h"

namespace millrace {
namespace {

// What a stored row takes beside its bytes.
constexpr int64_t kRowOverheadBytes = 96;
constexpr size_t kRestoreRows = 8192;

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> StreamingGroupTopNOperator::Create(GroupTopNPlan plan,
                                                                             bool input_changing) {
  return std::unique_ptr<Operator>(new StreamingGroupTopNOperator(std::move(plan), input_changing));
}

StreamingGroupTopNOperator::StreamingGroupTopNOperator(GroupTopNPlan plan, bool input_changing)
    : plan_(std::move(plan)),
      input_changing_(input_changing),
      all_columns_(FirstColumns(static_cast<int>(plan_.types.size()))),
      codec_(plan_.types, CodecUse::kStorage),
      row_encoder_(std::vector<SortDirection>(plan_.types.size())),
      partition_table_(PickTypes(plan_.types, plan_.partition_keys)) {}

absl::Status StreamingGroupTopNOperator::Open(OperatorContext& context) {
  context_ = &context;
  memory_.emplace(*context.memory, "top-n of each group");
  MR_ASSIGN_OR_RETURN(reader_,
                      SortKeyReader::Create({}, plan_.order_keys, plan_.input, context.eval));
  if (context.state == nullptr) return absl::OkStatus();
  std::vector<std::string> rows;
  std::vector<int64_t> counts;
  const absl::Status restored = context.state->Restore(
      context.node_id,
      [&](uint32_t, absl::string_view key, absl::string_view value) -> absl::Status {
        int64_t count = 0;
        if (value.size() != sizeof(count)) {
          return MakeError(SqlState::kDataCorrupted, "stored state of a top-n has a wrong form");
        }
        std::memcpy(&count, value.data(), sizeof(count));
        rows.emplace_back(key.data(), key.size());
        counts.push_back(count);
        if (rows.size() < kRestoreRows) return absl::OkStatus();
        absl::Status status = RestoreRows(rows, counts);
        rows.clear();
        counts.clear();
        return status;
      });
  MR_RETURN_IF_ERROR(restored);
  MR_RETURN_IF_ERROR(RestoreRows(rows, counts));
  dirty_.clear();
  return absl::OkStatus();
}

absl::Status StreamingGroupTopNOperator::RestoreRows(const std::vector<std::string>& rows,
                                                     const std::vector<int64_t>& counts) {
  if (rows.empty()) return absl::OkStatus();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  const std::vector<std::string_view> views(rows.begin(), rows.end());
  MR_RETURN_IF_ERROR(codec_.Decode(views, &columns));
  FlatVector<int64_t> weights;
  weights.Append(counts.data(), static_cast<int64_t>(counts.size()));
  const auto n = static_cast<int64_t>(rows.size());
  return Apply(Batch(std::move(columns), n, MakeInt64Array(std::move(weights))), /*touch=*/false);
}

absl::StatusOr<Progress> StreamingGroupTopNOperator::ProcessBatch(InputIndex, Batch batch,
                                                                  Emitter&) {
  if (batch.num_rows() == 0) return Progress::kDone;
  MR_RETURN_IF_ERROR(Apply(batch, /*touch=*/true));
  MR_RETURN_IF_ERROR(memory_->Update(bytes_ + partition_table_.bytes()));
  return Progress::kDone;
}

absl::Status StreamingGroupTopNOperator::Apply(const Batch& batch, bool touch) {
  const int64_t n = batch.num_rows();
  row_partitions_.resize(n);
  partition_table_.FindOrInsert(batch, plan_.partition_keys, row_partitions_.data());
  partitions_.resize(partition_table_.size());
  MR_RETURN_IF_ERROR(reader_->Read(batch));
  std::vector<ColumnView> views;
  for (const auto& column : batch.columns()) views.emplace_back(*column);
  row_encoder_.Encode(views, &row_order_);
  codec_.Encode(batch, all_columns_, &encoded_);
  const int64_t* weights = batch.raw_weights();
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t partition = row_partitions_[i];
    if (touch && !touched_.contains(partition)) {
      touched_.emplace(partition, TopOf(partitions_[partition]));
    }
    std::string order(reader_->keys().row(i));
    order.append(row_order_.row(i));
    Change(partition, std::move(order), encoded_.row(i), weights == nullptr ? 1 : weights[i]);
  }
  return absl::OkStatus();
}

void StreamingGroupTopNOperator::Change(uint32_t partition, std::string order, std::string_view row,
                                        int64_t weight) {
  Partition& rows = partitions_[partition];
  const int64_t row_bytes =
      static_cast<int64_t>(order.size()) + static_cast<int64_t>(row.size()) + kRowOverheadBytes;
  const auto [at, is_new] = rows.try_emplace(std::move(order));
  if (is_new) {
    at->second.bytes = std::string(row);
    bytes_ += row_bytes;
    ++num_rows_;
  }
  at->second.count += weight;
  dirty_[at->second.bytes] = at->second.count;
  if (at->second.count != 0) return;
  rows.erase(at);
  bytes_ -= row_bytes;
  --num_rows_;
}

StreamingGroupTopNOperator::TopRows StreamingGroupTopNOperator::TopOf(
    const Partition& partition) const {
  TopRows top;
  int64_t number = 0;
  const auto limit = static_cast<int64_t>(std::min<uint64_t>(plan_.limit, INT64_MAX));
  for (const auto& [order, row] : partition) {
    // A multiset may be negative for a moment within an epoch, not at its end.
    for (int64_t copy = 0; copy < row.count && number < limit; ++copy) {
      ++number;
      ++top[{row.bytes, plan_.with_number ? number : 0}];
    }
    if (number >= limit) break;
  }
  return top;
}

void StreamingGroupTopNOperator::ForgetRowsBehindTop(Partition* partition) {
  uint64_t number = 0;
  auto at = partition->begin();
  while (at != partition->end() && number < plan_.limit) {
    const auto room = static_cast<int64_t>(std::min<uint64_t>(plan_.limit - number, INT64_MAX));
    if (at->second.count > room) {
      at->second.count = room;
      dirty_[at->second.bytes] = room;
    }
    number += static_cast<uint64_t>(at->second.count);
    ++at;
  }
  for (auto i = at; i != partition->end(); ++i) {
    dirty_[i->second.bytes] = 0;
    bytes_ -= static_cast<int64_t>(i->first.size() + i->second.bytes.size()) + kRowOverheadBytes;
    --num_rows_;
  }
  partition->erase(at, partition->end());
}

absl::StatusOr<Progress> StreamingGroupTopNOperator::ProcessWatermark(Watermark, Emitter&) {
  return Progress::kDone;
}

absl::StatusOr<Progress> StreamingGroupTopNOperator::ProcessBarrier(const Barrier& barrier,
                                                                    Emitter& out) {
  at_checkpoint_ = barrier.checkpoint || barrier.final;
  for (const auto& [partition, before] : touched_) {
    TopRows changed = TopOf(partitions_[partition]);
    context_->counters->rows_touched += changed.size() + before.size();
    for (const auto& [row, count] : before) changed[row] -= count;
    for (const auto& [row, count] : changed) {
      if (count != 0) changes_.push_back({row.first, row.second, count});
    }
    if (!input_changing_) ForgetRowsBehindTop(&partitions_[partition]);
  }
  touched_.clear();
  // What is taken back goes first, so that whoever follows never holds more than n rows.
  std::stable_partition(changes_.begin(), changes_.end(),
                        [](const ChangedRow& row) { return row.weight < 0; });
  next_change_ = 0;
  return Resume(out);
}

absl::StatusOr<Progress> StreamingGroupTopNOperator::ProcessEnd(InputIndex, Emitter& out) {
  return ProcessBarrier(Barrier{}, out);
}

absl::StatusOr<Progress> StreamingGroupTopNOperator::Resume(Emitter& out) {
  while (next_change_ < changes_.size()) {
    if (out.full()) return Progress::kMore;
    MR_RETURN_IF_ERROR(EmitChunk(out));
  }
  changes_.clear();
  next_change_ = 0;
  if (at_checkpoint_ && context_->state != nullptr) MR_RETURN_IF_ERROR(WriteState());
  at_checkpoint_ = false;
  context_->counters->state_rows = static_cast<uint64_t>(num_rows_);
  return Progress::kDone;
}

absl::Status StreamingGroupTopNOperator::EmitChunk(Emitter& out) {
  const size_t end =
      std::min(changes_.size(), next_change_ + static_cast<size_t>(kTargetBatchRows));
  std::vector<std::string_view> rows;
  FlatVector<int64_t> numbers;
  FlatVector<int64_t> weights;
  for (; next_change_ < end; ++next_change_) {
    rows.push_back(changes_[next_change_].bytes);
    numbers.PushBack(changes_[next_change_].number);
    weights.PushBack(changes_[next_change_].weight);
  }
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(codec_.Decode(rows, &columns));
  if (plan_.with_number) columns.push_back(MakeInt64Array(std::move(numbers)));
  const auto n = static_cast<int64_t>(rows.size());
  out.Emit(Batch(std::move(columns), n, MakeInt64Array(std::move(weights))));
  return absl::OkStatus();
}

absl::Status StreamingGroupTopNOperator::WriteState() {
  if (dirty_.empty()) return absl::OkStatus();
  std::vector<std::string_view> rows;
  for (const auto& [row, count] : dirty_) rows.push_back(row);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(codec_.Decode(rows, &columns));
  std::vector<uint64_t> hashes;
  HashRows(Batch(std::move(columns), static_cast<int64_t>(rows.size())), plan_.partition_keys,
           &hashes);
  std::vector<StateEntry> entries;
  size_t i = 0;
  for (const auto& [row, count] : dirty_) {
    StateEntry entry;
    const bool keyed = !plan_.partition_keys.empty();
    entry.shard = keyed ? ShardOf(hashes[i], context_->state->num_shards()) : 0;
    entry.key = row;
    if (count != 0) entry.value.emplace(reinterpret_cast<const char*>(&count), sizeof(count));
    entries.push_back(std::move(entry));
    ++i;
  }
  dirty_.clear();
  return context_->state->Write(context_->node_id, std::move(entries));
}

absl::Status StreamingGroupTopNOperator::Close() {
  memory_.reset();
  return absl::OkStatus();
}

}  // namespace millrace
