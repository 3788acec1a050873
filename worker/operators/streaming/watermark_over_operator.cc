#include "worker/operators/streaming/watermark_over_operator.h"

#include <algorithm>

#include "absl/memory/memory.h"
#include "arrow/array.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/expr/evaluator.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

// Pending rows that are restored together.
constexpr int64_t kRestoreBatchRows = 8192;
// A slice of many partitions has their history in front of each: rows of history that are gathered
// together, about, and the new rows below which a slice is not worth its while.
constexpr int64_t kHistoryRowsMax = 1 << 18;
constexpr int64_t kSliceRowsMin = 256;

int64_t LargestInteger(const arrow::Array& column) {
  const ColumnView view(column);
  int64_t largest = 0;
  for (int64_t i = 0; i < view.length; ++i) {
    if (view.IsNull(i)) continue;
    const int64_t value = view.layout == Layout::kInt16   ? view.Get<int16_t>(i)
                          : view.layout == Layout::kInt32 ? view.Get<int32_t>(i)
                                                          : view.Get<int64_t>(i);
    largest = std::max(largest, value);
  }
  return largest;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> WatermarkOverOperator::Create(const v1::PlanNode& node) {
  MR_ASSIGN_OR_RETURN(EventTimeOverPlan plan, EventTimeOverPlan::From(node));
  OverHistory::Functions functions;
  for (const OverCallPlan& call : plan.calls) {
    MR_ASSIGN_OR_RETURN(auto function, MakeOverFunction(call));
    functions.push_back(std::move(function));
  }
  return absl::WrapUnique<Operator>(
      new WatermarkOverOperator(std::move(plan), std::move(functions)));
}

WatermarkOverOperator::WatermarkOverOperator(EventTimeOverPlan plan,
                                             OverHistory::Functions functions)
    : plan_(std::move(plan)),
      functions_(std::move(functions)),
      reach_{plan_.history_rows, plan_.history_micros},
      pending_(plan_.input_types(), plan_.time_column, plan_.partition_keys),
      history_(PickTypes(plan_.input_types(), plan_.partition_keys),
               PickTypes(plan_.input_types(), plan_.history_columns)) {}

absl::Status WatermarkOverOperator::Open(OperatorContext& context) {
  context_ = &context;
  memory_.emplace(*context.memory, "window function");
  MR_ASSIGN_OR_RETURN(key_reader_, SortKeyReader::Create(plan_.partition_keys, plan_.order_keys,
                                                         plan_.input, context.eval));
  if (context.state == nullptr) return absl::OkStatus();
  MR_RETURN_IF_ERROR(Restore());
  return UpdateMemory();
}

absl::Status WatermarkOverOperator::Restore() {
  MR_RETURN_IF_ERROR(RestorePending());
  cold_ = ColdState(*context_->state, context_->node_id,
                    {{OverHistory::kKeyEntry, OverHistory::kRowEntry}, {kPendingEntry}},
                    [this](char kind, const StateEntries& entries) {
                      return kind == OverHistory::kKeyEntry
                                 ? history_.RestoreKeys(entries, functions_)
                                 : history_.RestoreRows(entries);
                    });
  return cold_.LoadMore(plan_.partition_keys.empty() ? ColdState::kAllEntries
                                                     : ColdState::kEntriesAtBarrier);
}

absl::Status WatermarkOverOperator::RestorePending() {
  StateEntries pending;
  const auto flush = [&] {
    absl::Status status = pending_.Restore(pending);
    pending.Clear();
    return status;
  };
  MR_RETURN_IF_ERROR(context_->state->Restore(
      context_->node_id, {&kPendingEntry, 1},
      [&](uint32_t, absl::string_view key, absl::string_view value) -> absl::Status {
        key.remove_prefix(1);
        pending.Put(0, {{key.data(), key.size()}}, {{value.data(), value.size()}});
        return pending.size() < kRestoreBatchRows ? absl::OkStatus() : flush();
      }));
  return flush();
}

absl::StatusOr<Batch> WatermarkOverOperator::WithoutLateRows(const Batch& batch) {
  if (watermark_ == Watermark::kMinWatermark) return batch;
  const ColumnView times(*batch.column(plan_.time_column));
  std::vector<int32_t> kept;
  for (int64_t i = 0; i < times.length; ++i) {
    const int64_t micros = times.IsNull(i) ? kNoTime : times.Get<int64_t>(i);
    if (micros >= watermark_ && watermark_ != Watermark::kMaxWatermark) {
      kept.push_back(static_cast<int32_t>(i));
    }
  }
  const auto num_kept = static_cast<int64_t>(kept.size());
  if (num_kept == batch.num_rows()) return batch;
  context_->counters->late_rows += static_cast<uint64_t>(batch.num_rows() - num_kept);
  return TakeRows(batch, kept.data(), num_kept);
}

absl::StatusOr<Progress> WatermarkOverOperator::ProcessBatch(InputIndex, Batch input, Emitter&) {
  const int64_t* weights = input.raw_weights();
  if (weights != nullptr &&
      !std::all_of(weights, weights + input.num_rows(), [](int64_t w) { return w == 1; })) {
    return InternalError("a window function over unbounded input got rows that change");
  }
  MR_ASSIGN_OR_RETURN(const Batch batch, WithoutLateRows(input.WithWeights(nullptr)));
  context_->counters->rows_touched += static_cast<uint64_t>(batch.num_rows());
  pending_.Add(batch);
  MR_RETURN_IF_ERROR(UpdateMemory());
  return Progress::kDone;
}

absl::StatusOr<Progress> WatermarkOverOperator::ProcessWatermark(Watermark watermark,
                                                                 Emitter& out) {
  MR_CHECK(ready_ == nullptr);
  if (watermark.micros <= watermark_) return Progress::kDone;
  watermark_ = watermark.micros;
  auto ready = std::make_unique<SortBuffer>(plan_.input_types(), TieBreak::kWholeRow,
                                            SortBuffer::KeyUse::kKeep);
  const absl::Status taken = pending_.TakeBefore(watermark_, [&](const Batch& batch) {
    absl::Status read = key_reader_->Read(batch);
    if (read.ok()) ready->Append(batch, key_reader_->keys());
    return read;
  });
  MR_RETURN_IF_ERROR(taken);
  if (ready->num_rows() == 0) return Progress::kDone;
  ready_ = std::move(ready);
  order_ = ready_->Sort();
  next_ = 0;
  MR_RETURN_IF_ERROR(UpdateMemory());
  return EmitReady(out);
}

absl::StatusOr<Progress> WatermarkOverOperator::EmitReady(Emitter& out) {
  while (ready_ != nullptr && next_ < order_.size()) {
    if (out.full()) return Progress::kMore;
    MR_ASSIGN_OR_RETURN(Batch batch, NextSlice());
    out.Emit(std::move(batch));
  }
  ready_.reset();
  history_.Compact(reach_, watermark_);
  MR_RETURN_IF_ERROR(UpdateMemory());
  return Progress::kDone;
}

void WatermarkOverOperator::ReachBack(const Batch& rows) {
  for (const int column : plan_.lag_offsets) {
    reach_.rows = std::max(reach_.rows, LargestInteger(*rows.column(column)));
  }
}

absl::StatusOr<Batch> WatermarkOverOperator::NextSlice() {
  const auto num_ready = static_cast<uint32_t>(order_.size());
  const uint32_t begin = next_;
  slice_.starts_peers.Clear();
  slice_.starts_peers.PushBack(1);
  const int64_t rows_max =
      std::clamp(kHistoryRowsMax / (reach_.rows + 1), kSliceRowsMin, kTargetBatchRows);
  uint32_t end = begin + 1;
  for (; end < num_ready; ++end) {
    const bool starts = ready_->Key(order_[end]) != ready_->Key(order_[end - 1]);
    if (starts && end - begin >= rows_max) break;
    slice_.starts_peers.PushBack(starts ? 1 : 0);
  }
  next_ = end;
  const Batch rows = ready_->OrderedBatch(begin, end - begin);
  const ColumnView times(*rows.column(plan_.time_column));
  FlatVector<int64_t> micros(rows.num_rows());
  for (int64_t i = 0; i < rows.num_rows(); ++i) {
    micros[i] = times.IsNull(i) ? kNoTime : times.Get<int64_t>(i);
  }
  ReachBack(rows);
  MR_RETURN_IF_ERROR(cold_.LoadFor(rows, plan_.partition_keys));
  history_.FindKeys(rows, plan_.partition_keys, &keys_);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const int column : plan_.history_columns) columns.push_back(rows.column(column));
  history_.BuildSlice(Batch(std::move(columns), rows.num_rows()), micros, keys_, reach_, &slice_);
  context_->counters->rows_touched += static_cast<uint64_t>(slice_.times.size());
  columns = rows.columns();
  for (const auto& function : functions_) {
    function->Resize(history_.num_keys());
    MR_ASSIGN_OR_RETURN(auto column, function->Compute(slice_));
    columns.push_back(std::move(column));
  }
  return Batch(std::move(columns), rows.num_rows());
}

absl::StatusOr<Progress> WatermarkOverOperator::ProcessBarrier(const Barrier& barrier, Emitter&) {
  context_->counters->state_rows = static_cast<uint64_t>(pending_.num_rows() + history_.num_rows());
  if ((barrier.checkpoint || barrier.final) && context_->state != nullptr) {
    StateEntries entries;
    const uint32_t num_shards = context_->state->num_shards();
    MR_RETURN_IF_ERROR(pending_.AppendEntries(kPendingEntry, num_shards, &entries));
    MR_RETURN_IF_ERROR(
        history_.AppendEntries(num_shards, functions_, reach_, watermark_, &entries));
    if (!entries.empty()) {
      MR_RETURN_IF_ERROR(context_->state->Write(context_->node_id, std::move(entries)));
    }
  }
  if (cold_.is_complete()) return Progress::kDone;
  MR_RETURN_IF_ERROR(cold_.LoadMore(ColdState::kEntriesAtBarrier));
  MR_RETURN_IF_ERROR(UpdateMemory());
  return Progress::kDone;
}

absl::StatusOr<Progress> WatermarkOverOperator::ProcessEnd(InputIndex, Emitter& out) {
  return ProcessWatermark(Watermark{Watermark::kMaxWatermark}, out);
}

absl::StatusOr<Progress> WatermarkOverOperator::Resume(Emitter& out) { return EmitReady(out); }

absl::Status WatermarkOverOperator::Close() {
  memory_.reset();
  return absl::OkStatus();
}

absl::Status WatermarkOverOperator::UpdateMemory() {
  int64_t bytes = pending_.bytes() + history_.bytes();
  if (ready_ != nullptr) bytes += ready_->bytes();
  for (const auto& function : functions_) bytes += function->bytes();
  return memory_->Update(bytes);
}

}  // namespace millrace
