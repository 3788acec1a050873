#include "worker/operators/event_time_over_operator.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/hash.h"
#include "worker/kernels/sort_buffer.h"
#include "worker/operators/over_evaluation.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

// Fewer dead rows than this are not worth moving the others.
constexpr int64_t kCompactRowsMin = 4096;

bool Later(const std::pair<int64_t, uint32_t>& a, const std::pair<int64_t, uint32_t>& b) {
  return a > b;
}

}  // namespace

struct EventTimeOverOperator::Firing {
  // Kept history of the partitions concerned and the due rows, in order.
  Batch all;
  WindowChunk all_chunk;
  // Where the due rows are among them, and themselves.
  std::vector<uint32_t> fresh_rows;
  Batch fresh;
  WindowChunk fresh_chunk;
  // Partition of each row of `all` and `fresh`.
  std::vector<uint32_t> all_partitions;
  std::vector<uint32_t> fresh_partitions;
};

absl::StatusOr<std::unique_ptr<Operator>> EventTimeOverOperator::Create(OverPlan plan) {
  const bool plain = plan.order_keys.size() == 1 && !plan.order_keys[0].descending &&
                     plan.order_keys[0].expr->kind == ExprKind::kColumn &&
                     plan.order_keys[0].expr->type.is_timestamp();
  if (!plain) return NotSupported("OVER over unbounded input in an order other than event time");
  MR_ASSIGN_OR_RETURN(OverRetention retention, OverRetention::Of(plan));
  return std::unique_ptr<Operator>(
      new EventTimeOverOperator(std::move(plan), std::move(retention)));
}

EventTimeOverOperator::EventTimeOverOperator(OverPlan plan, OverRetention retention)
    : plan_(std::move(plan)),
      retention_(std::move(retention)),
      time_column_(plan_.order_keys[0].expr->column_index),
      all_columns_(FirstColumns(static_cast<int>(plan_.types.size()))),
      key_positions_(FirstColumns(static_cast<int>(plan_.partition_keys.size()))),
      row_codec_(plan_.types, CodecUse::kStorage),
      key_codec_(PickTypes(plan_.types, plan_.partition_keys), CodecUse::kKey),
      waiting_(plan_.types),
      partitions_(PickTypes(plan_.types, plan_.partition_keys)),
      history_(plan_.types) {}

absl::StatusOr<Progress> EventTimeOverOperator::ProcessBatch(InputIndex, Batch batch, Emitter&) {
  MR_RETURN_IF_ERROR(AddWaiting(batch));
  MR_RETURN_IF_ERROR(memory_->Update(waiting_.bytes() + history_.bytes() + partitions_.bytes()));
  return Progress::kDone;
}

absl::Status EventTimeOverOperator::AddWaiting(const Batch& batch) {
  const ColumnView times(*batch.column(time_column_));
  std::vector<int32_t> kept;
  for (int64_t i = 0; i < batch.num_rows(); ++i) {
    // A row without a time has no place in the order; one behind the watermark came too late for
    // it.
    if (!times.IsNull(i) && times.Get<int64_t>(i) >= watermark_) {
      kept.push_back(static_cast<int32_t>(i));
    }
  }
  const auto num_kept = static_cast<int64_t>(kept.size());
  context_->counters->late_rows += static_cast<uint64_t>(batch.num_rows() - num_kept);
  if (num_kept == 0) return absl::OkStatus();
  Batch rows = batch;
  if (num_kept < batch.num_rows()) {
    MR_ASSIGN_OR_RETURN(rows, TakeRows(batch, kept.data(), num_kept));
  }
  const uint32_t first = waiting_.num_rows();
  waiting_.Append(rows);
  const ColumnView kept_times(*rows.column(time_column_));
  for (int64_t i = 0; i < num_kept; ++i) {
    due_heap_.emplace_back(kept_times.Get<int64_t>(i), first + static_cast<uint32_t>(i));
    std::push_heap(due_heap_.begin(), due_heap_.end(), Later);
  }
  CountRows(RowKind::kWaiting, rows, 1);
  return absl::OkStatus();
}

absl::StatusOr<Progress> EventTimeOverOperator::ProcessWatermark(Watermark watermark,
                                                                 Emitter& out) {
  watermark_ = std::max(watermark_, watermark.micros);
  const std::vector<uint32_t> due = TakeDueRows();
  if (!due.empty()) MR_RETURN_IF_ERROR(Fire(due));
  return Resume(out);
}

std::vector<uint32_t> EventTimeOverOperator::TakeDueRows() {
  std::vector<uint32_t> due;
  // Input that has ended leaves nothing waiting, not even at the last moment of time.
  const bool ended = watermark_ == Watermark::kMaxWatermark;
  while (!due_heap_.empty() && (ended || due_heap_.front().first < watermark_)) {
    due.push_back(due_heap_.front().second);
    std::pop_heap(due_heap_.begin(), due_heap_.end(), Later);
    due_heap_.pop_back();
  }
  return due;
}

absl::Status EventTimeOverOperator::Fire(const std::vector<uint32_t>& due) {
  const Batch rows = waiting_.GatherRows(due);
  CompactWaiting();
  context_->counters->rows_touched += due.size();
  CountRows(RowKind::kWaiting, rows, -1);
  Firing firing;
  MR_RETURN_IF_ERROR(OrderRows(rows, &firing));
  MR_RETURN_IF_ERROR(EvaluateCalls(&firing));
  MR_RETURN_IF_ERROR(AddToTotals(firing));
  if (retention_.keeps_history()) MR_RETURN_IF_ERROR(KeepHistory(firing));
  return memory_->Update(waiting_.bytes() + history_.bytes() + partitions_.bytes());
}

void EventTimeOverOperator::CompactWaiting() {
  const int64_t dead = int64_t{waiting_.num_rows()} - static_cast<int64_t>(due_heap_.size());
  if (dead < kCompactRowsMin || dead * 2 < waiting_.num_rows()) return;
  std::vector<uint32_t> survivors;
  for (const auto& [time, row] : due_heap_) survivors.push_back(row);
  std::sort(survivors.begin(), survivors.end());
  waiting_.Retain(survivors);
  for (auto& [time, row] : due_heap_) {
    row = static_cast<uint32_t>(std::lower_bound(survivors.begin(), survivors.end(), row) -
                                survivors.begin());
  }
  // Renumbering kept the order of the rows, so the heap is still one.
}

void EventTimeOverOperator::GrowPartitions() {
  const uint32_t n = partitions_.size();
  history_rows_.resize(n);
  row_counts_.Resize(n, 0);
  peer_counts_.Resize(n, 0);
  is_dirty_.Resize(n, 0);
  for (auto& totals : totals_) {
    if (totals != nullptr) totals->Resize(n);
  }
}

absl::Status EventTimeOverOperator::OrderRows(const Batch& due, Firing* firing) {
  std::vector<uint32_t> partitions(due.num_rows());
  partitions_.FindOrInsert(due, plan_.partition_keys, partitions.data());
  GrowPartitions();
  std::vector<uint32_t> concerned(partitions);
  std::sort(concerned.begin(), concerned.end());
  concerned.erase(std::unique(concerned.begin(), concerned.end()), concerned.end());
  std::vector<uint32_t> history;
  std::vector<uint32_t> partition_of;
  for (const uint32_t partition : concerned) {
    const auto& rows = history_rows_[partition];
    history.insert(history.end(), rows.begin(), rows.end());
    partition_of.insert(partition_of.end(), rows.size(), partition);
  }
  const auto num_history = static_cast<uint32_t>(history.size());
  partition_of.insert(partition_of.end(), partitions.begin(), partitions.end());

  SortBuffer buffer(plan_.types, TieBreak::kWholeRow, SortBuffer::KeyUse::kKeep);
  for (const Batch& part : {history_.GatherRows(history), due}) {
    MR_RETURN_IF_ERROR(reader_->Read(part));
    buffer.Append(part, reader_->keys(), &reader_->split());
  }
  const absl::Span<const uint32_t> order = buffer.Sort();
  FlatVector<uint8_t> new_partition[2];
  FlatVector<uint8_t> new_peer[2];
  for (uint32_t i = 0; i < order.size(); ++i) {
    const uint32_t row = order[i];
    const bool starts = i == 0 || buffer.LeadingKey(row) != buffer.LeadingKey(order[i - 1]);
    const bool differs = starts || buffer.Key(row) != buffer.Key(order[i - 1]);
    new_partition[0].PushBack(starts ? 1 : 0);
    new_peer[0].PushBack(differs ? 1 : 0);
    firing->all_partitions.push_back(partition_of[row]);
    if (row < num_history) continue;
    // History is earlier than all that is due, so the first due row of a partition starts a group
    // of peers.
    const bool first =
        firing->fresh_partitions.empty() || firing->fresh_partitions.back() != partition_of[row];
    new_partition[1].PushBack(first ? 1 : 0);
    new_peer[1].PushBack(first || differs ? 1 : 0);
    firing->fresh_rows.push_back(i);
    firing->fresh_partitions.push_back(partition_of[row]);
  }
  firing->all = buffer.OrderedBatch(0, buffer.num_rows());
  firing->all_chunk = WindowChunk::Of(new_partition[0], new_peer[0]);
  ColumnStore ordered(plan_.types);
  ordered.Append(firing->all);
  firing->fresh = ordered.GatherRows(firing->fresh_rows);
  firing->fresh_chunk = WindowChunk::Of(new_partition[1], new_peer[1]);
  return absl::OkStatus();
}

absl::Status EventTimeOverOperator::EvaluateCalls(Firing* firing) {
  OverPlan past = plan_;
  past.calls.clear();
  for (size_t i = 0; i < plan_.calls.size(); ++i) {
    if (retention_.ways[i] == OverRetention::Way::kHistory) past.calls.push_back(plan_.calls[i]);
  }
  MR_ASSIGN_OR_RETURN(const Batch evaluated,
                      EvaluateOver(past, firing->all, firing->all_chunk, reader_.get()));
  std::vector<std::shared_ptr<arrow::Array>> columns = firing->fresh.columns();
  int next_past = evaluated.num_columns() - static_cast<int>(past.calls.size());
  for (size_t i = 0; i < plan_.calls.size(); ++i) {
    const WindowCall& call = plan_.calls[i];
    std::shared_ptr<arrow::Array> column;
    if (retention_.ways[i] == OverRetention::Way::kHistory) {
      ColumnStore values({call.type});
      values.Append(Batch({evaluated.column(next_past++)}, evaluated.num_rows()));
      column = values.Gather(0, firing->fresh_rows);
    } else if (totals_[i] != nullptr) {
      MR_ASSIGN_OR_RETURN(column, RunningAggregate(i, *firing));
    } else {
      MR_ASSIGN_OR_RETURN(column, RunningNumbers(call, *firing));
    }
    columns.push_back(std::move(column));
  }
  output_ = firing->fresh.WithColumns(std::move(columns));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<arrow::Array>> EventTimeOverOperator::RunningNumbers(
    const WindowCall& call, const Firing& firing) const {
  MR_ASSIGN_OR_RETURN(const auto local,
                      EvaluateWindowCall(call, firing.fresh, firing.fresh_chunk, nullptr));
  const ColumnView numbers(*local);
  const bool counts_peers = call.kind == WindowCall::Kind::kDenseRank;
  const FlatVector<int64_t>& before = counts_peers ? peer_counts_ : row_counts_;
  FlatVector<int64_t> values(firing.fresh.num_rows());
  for (int64_t i = 0; i < values.size(); ++i) {
    values[i] = numbers.Get<int64_t>(i) + before[firing.fresh_partitions[i]];
  }
  return MakeInt64Array(std::move(values));
}

absl::StatusOr<std::shared_ptr<arrow::Array>> EventTimeOverOperator::RunningAggregate(
    size_t index, const Firing& firing) const {
  const WindowCall& call = plan_.calls[index];
  const auto n = static_cast<uint32_t>(firing.fresh.num_rows());
  FrameRows frames;
  MR_RETURN_IF_ERROR(ComputeFrames(call.frame, firing.fresh_chunk, nullptr, &frames));
  MR_ASSIGN_OR_RETURN(auto local, AggregateFramesPartially(call, firing.fresh, frames));
  std::vector<std::shared_ptr<arrow::Array>> before;
  MR_RETURN_IF_ERROR(totals_[index]->Partial(firing.fresh_partitions, &before));
  // One group a row: what the partition had before, and what its new rows up to this one add.
  MR_ASSIGN_OR_RETURN(const auto sums,
                      AggregateSet::Create({call.aggregate}, {call.arg_types}, {}));
  sums->Resize(n);
  std::vector<uint32_t> rows(n);
  std::iota(rows.begin(), rows.end(), 0);
  MR_RETURN_IF_ERROR(sums->Merge(Batch(std::move(before), n), 0, rows.data()));
  MR_RETURN_IF_ERROR(sums->Merge(Batch(std::move(local), n), 0, rows.data()));
  AggregateSet::Columns results;
  MR_RETURN_IF_ERROR(sums->Results(rows, &results));
  return results[0];
}

absl::Status EventTimeOverOperator::AddToTotals(const Firing& firing) {
  for (auto& totals : totals_) {
    if (totals == nullptr) continue;
    MR_RETURN_IF_ERROR(totals->Update(firing.fresh, firing.fresh_partitions.data()));
  }
  for (uint32_t i = 0; i < firing.fresh_partitions.size(); ++i) {
    const uint32_t partition = firing.fresh_partitions[i];
    ++row_counts_[partition];
    peer_counts_[partition] += firing.fresh_chunk.peers_begin[i] == i ? 1 : 0;
    if (is_dirty_[partition] != 0) continue;
    is_dirty_[partition] = 1;
    dirty_.push_back(partition);
  }
  return absl::OkStatus();
}

absl::Status EventTimeOverOperator::KeepHistory(const Firing& firing) {
  const WindowChunk& chunk = firing.all_chunk;
  const ColumnView times(*firing.all.column(time_column_));
  const int64_t oldest = retention_.OldestTime(watermark_);
  std::vector<uint32_t> kept;
  for (uint32_t i = 0; i < chunk.num_rows; ++i) {
    const bool keep = retention_.keeps_all ||
                      (retention_.keeps_first && chunk.partition_begin[i] == i) ||
                      int64_t{i} + retention_.num_rows >= int64_t{chunk.partition_end[i]} ||
                      times.Get<int64_t>(i) >= oldest;
    if (keep) kept.push_back(i);
  }
  // The history of these partitions is replaced.
  std::vector<uint32_t> old;
  for (uint32_t i = 0; i < chunk.num_rows; ++i) {
    if (chunk.partition_begin[i] != i) continue;
    auto& rows = history_rows_[firing.all_partitions[i]];
    old.insert(old.end(), rows.begin(), rows.end());
    rows.clear();
  }
  CountRows(RowKind::kHistory, history_.GatherRows(old), -1);
  ColumnStore all(plan_.types);
  all.Append(firing.all);
  const Batch rows = all.GatherRows(kept);
  uint32_t next = history_.num_rows();
  history_.Append(rows);
  for (const uint32_t i : kept) history_rows_[firing.all_partitions[i]].push_back(next++);
  CountRows(RowKind::kHistory, rows, 1);
  num_history_rows_ += static_cast<int64_t>(kept.size()) - static_cast<int64_t>(old.size());
  CompactHistory();
  return absl::OkStatus();
}

void EventTimeOverOperator::CompactHistory() {
  const int64_t dead = int64_t{history_.num_rows()} - num_history_rows_;
  if (dead < kCompactRowsMin || dead < num_history_rows_) return;
  std::vector<uint32_t> survivors;
  for (auto& rows : history_rows_) {
    for (uint32_t& row : rows) {
      survivors.push_back(row);
      row = static_cast<uint32_t>(survivors.size() - 1);
    }
  }
  ColumnStore kept(plan_.types);
  kept.Append(history_.GatherRows(survivors));
  history_ = std::move(kept);
}

absl::StatusOr<Progress> EventTimeOverOperator::ProcessBarrier(const Barrier& barrier, Emitter&) {
  if ((barrier.checkpoint || barrier.final) && context_->state != nullptr) {
    MR_RETURN_IF_ERROR(WriteState());
  }
  context_->counters->state_rows =
      static_cast<uint64_t>(num_history_rows_) + due_heap_.size() + partitions_.size();
  return Progress::kDone;
}

absl::StatusOr<Progress> EventTimeOverOperator::ProcessEnd(InputIndex, Emitter& out) {
  return ProcessWatermark(Watermark{Watermark::kMaxWatermark}, out);
}

absl::StatusOr<Progress> EventTimeOverOperator::Resume(Emitter& out) {
  while (output_.num_rows() > 0) {
    if (out.full()) return Progress::kMore;
    const int64_t n = std::min(kTargetBatchRows, output_.num_rows());
    out.Emit(output_.Slice(0, n));
    output_ = output_.Slice(n, output_.num_rows() - n);
  }
  return Progress::kDone;
}

absl::Status EventTimeOverOperator::Close() {
  memory_.reset();
  return absl::OkStatus();
}

}  // namespace millrace
