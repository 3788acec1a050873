#include "worker/operators/streaming_aggregate_operator.h"

#include <algorithm>
#include <numeric>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/column_view.h"
#include "worker/operators/plan_fields.h"
#include "worker/state/cold_state.h"

namespace millrace {
namespace {

// Groups whose old and new rows are given out together.
constexpr size_t kChunkGroups = 4096;

std::vector<SqlType> ResultTypes(const AggregatePlan& plan) {
  std::vector<SqlType> types;
  for (const AggregateCall& call : plan.calls) types.push_back(call.type);
  return types;
}

Batch WithWeight(std::vector<std::shared_ptr<arrow::Array>> columns, int64_t n, int64_t weight) {
  FlatVector<int64_t> weights;
  weights.Resize(n, weight);
  return Batch(std::move(columns), n, MakeInt64Array(std::move(weights)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> StreamingAggregateOperator::Create(AggregatePlan plan) {
  if (plan.phase == AggregatePlan::Phase::kPartial) {
    return InternalError("the first half of an aggregation keeps no state");
  }
  return std::unique_ptr<Operator>(new StreamingAggregateOperator(std::move(plan)));
}

StreamingAggregateOperator::StreamingAggregateOperator(AggregatePlan plan)
    : plan_(std::move(plan)), old_results_(std::make_unique<ColumnStore>(ResultTypes(plan_))) {}

absl::Status StreamingAggregateOperator::Open(OperatorContext& context) {
  context_ = &context;
  memory_.emplace(*context.memory, "aggregation");
  MR_ASSIGN_OR_RETURN(state_, AggregateState::Create(plan_));
  if (context.state != nullptr) {
    // Which windows end next is only known when all are there.
    const auto loading = plan_.window_end_key.has_value() || plan_.keys.empty()
                             ? AggregateState::Loading::kAll
                             : AggregateState::Loading::kAsNeeded;
    MR_RETURN_IF_ERROR(state_->Restore(*context.state, context.node_id, loading));
  }
  is_touched_.Resize(state_->num_groups(), 0);
  TrackWindows(0, state_->num_groups());
  // Without keys there is a row from the first epoch on, also before any input.
  if (plan_.keys.empty() && state_->num_groups() == 0 && context.task_index == 0) {
    state_->AddEmptyGroup();
    is_touched_.Resize(1, 1);
    touched_ = {0};
    old_rows_ = {kNoRow};
  }
  return memory_->Update(state_->bytes());
}

absl::StatusOr<Batch> StreamingAggregateOperator::WithoutLateRows(const Batch& batch) {
  if (!plan_.window_end_key.has_value()) return batch;
  const ColumnView ends(*batch.column(plan_.keys[*plan_.window_end_key]));
  std::vector<int32_t> kept;
  for (int64_t i = 0; i < ends.length; ++i) {
    if (ends.IsNull(i) || ends.Get<int64_t>(i) > watermark_) {
      kept.push_back(static_cast<int32_t>(i));
    }
  }
  const auto num_kept = static_cast<int64_t>(kept.size());
  if (num_kept == batch.num_rows()) return batch;
  context_->counters->late_rows += static_cast<uint64_t>(batch.num_rows() - num_kept);
  return TakeRows(batch, kept.data(), num_kept);
}

absl::StatusOr<Progress> StreamingAggregateOperator::ProcessBatch(InputIndex, Batch input,
                                                                  Emitter&) {
  MR_ASSIGN_OR_RETURN(const Batch batch, WithoutLateRows(input));
  if (batch.num_rows() == 0) return Progress::kDone;
  row_groups_.resize(batch.num_rows());
  const uint32_t groups_before = state_->num_groups();
  MR_RETURN_IF_ERROR(state_->FindGroups(batch, row_groups_.data()));
  TrackWindows(groups_before, state_->num_groups());
  MR_RETURN_IF_ERROR(Touch(batch, groups_before));
  MR_RETURN_IF_ERROR(state_->Update(batch, row_groups_.data()));
  if (!state_->is_loaded()) {
    MR_RETURN_IF_ERROR(state_->LoadMore(ColdState::kEntriesPerRow * batch.num_rows()));
  }
  MR_RETURN_IF_ERROR(memory_->Update(state_->bytes() + old_results_->bytes()));
  return Progress::kDone;
}

absl::Status StreamingAggregateOperator::Touch(const Batch& batch, uint32_t groups_before) {
  is_touched_.Resize(state_->num_groups(), 0);
  std::vector<uint32_t> remembered;
  for (int64_t i = 0; i < batch.num_rows(); ++i) {
    const uint32_t group = row_groups_[i];
    if (is_touched_[group] != 0) continue;
    is_touched_[group] = 1;
    touched_.push_back(group);
    const bool existed = plan_.keys.empty() ? group < groups_before : state_->row_count(group) != 0;
    if (existed && emits_changes()) {
      old_rows_.push_back(old_results_->num_rows() + static_cast<uint32_t>(remembered.size()));
      remembered.push_back(group);
    } else {
      old_rows_.push_back(kNoRow);
    }
  }
  if (remembered.empty()) return absl::OkStatus();
  AggregateSet::Columns columns;
  MR_RETURN_IF_ERROR(state_->Results(remembered, &columns));
  old_results_->Append(Batch(std::move(columns), static_cast<int64_t>(remembered.size())));
  return absl::OkStatus();
}

void StreamingAggregateOperator::TrackWindows(uint32_t begin, uint32_t end) {
  if (!plan_.window_end_key.has_value() || begin == end) return;
  std::vector<uint32_t> groups(end - begin);
  std::iota(groups.begin(), groups.end(), begin);
  const auto keys = state_->Keys(groups);
  const ColumnView ends(*keys[*plan_.window_end_key]);
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (state_->is_closed(groups[i])) continue;
    // A group without a window ends with the input.
    const int64_t micros = ends.IsNull(row) ? Watermark::kMaxWatermark : ends.Get<int64_t>(row);
    open_windows_[micros].push_back(groups[i]);
  }
}

std::vector<uint32_t> StreamingAggregateOperator::TakeEndedGroups(int64_t micros) {
  std::vector<uint32_t> ended;
  while (!open_windows_.empty() && open_windows_.begin()->first <= micros) {
    const std::vector<uint32_t>& groups = open_windows_.begin()->second;
    ended.insert(ended.end(), groups.begin(), groups.end());
    open_windows_.erase(open_windows_.begin());
  }
  return ended;
}

absl::StatusOr<Progress> StreamingAggregateOperator::ProcessWatermark(Watermark watermark,
                                                                      Emitter& out) {
  watermark_ = std::max(watermark_, watermark.micros);
  closing_ = TakeEndedGroups(watermark_);
  if (closing_.empty()) return Progress::kDone;
  // Whoever is behind counts on having seen a window's last change before the watermark that ends
  // it.
  emitting_ = emits_changes() ? Emitting::kChanges : Emitting::kClosed;
  next_ = 0;
  return Resume(out);
}

absl::StatusOr<Progress> StreamingAggregateOperator::ProcessBarrier(const Barrier& barrier,
                                                                    Emitter& out) {
  at_barrier_ = true;
  at_checkpoint_ = barrier.checkpoint || barrier.final;
  emitting_ = emits_changes() ? Emitting::kChanges : Emitting::kClosed;
  next_ = 0;
  return Resume(out);
}

absl::StatusOr<Progress> StreamingAggregateOperator::ProcessEnd(InputIndex, Emitter& out) {
  if (!emits_changes()) return ProcessWatermark(Watermark{Watermark::kMaxWatermark}, out);
  emitting_ = Emitting::kChanges;
  next_ = 0;
  at_barrier_ = true;
  return Resume(out);
}

absl::StatusOr<Progress> StreamingAggregateOperator::Resume(Emitter& out) {
  while (emitting_ == Emitting::kChanges && next_ < touched_.size()) {
    if (out.full()) return Progress::kMore;
    MR_RETURN_IF_ERROR(EmitChangedGroups(out));
  }
  while (emitting_ == Emitting::kClosed && next_ < closing_.size()) {
    if (out.full()) return Progress::kMore;
    MR_RETURN_IF_ERROR(EmitClosedGroups(out));
  }
  if (emitting_ == Emitting::kChanges) ForgetChanges();
  for (const uint32_t group : closing_) state_->Close(group);
  closing_.clear();
  emitting_ = Emitting::kNothing;
  if (at_barrier_) MR_RETURN_IF_ERROR(FinishEpoch());
  return Progress::kDone;
}

absl::Status StreamingAggregateOperator::EmitChangedGroups(Emitter& out) {
  const size_t end = std::min(touched_.size(), next_ + kChunkGroups);
  const absl::Span<const uint32_t> groups(&touched_[next_], end - next_);
  AggregateSet::Columns results;
  MR_RETURN_IF_ERROR(state_->Results(groups, &results));
  const uint32_t first_new = old_results_->num_rows();
  // Beside the old ones, so that old and new can be compared and gathered.
  old_results_->Append(Batch(std::move(results), static_cast<int64_t>(groups.size())));
  MR_RETURN_IF_ERROR(memory_->Update(state_->bytes() + old_results_->bytes()));
  std::vector<uint32_t> sides[2];
  std::vector<uint32_t> side_groups[2];
  for (size_t i = 0; i < groups.size(); ++i) {
    const uint32_t old_row = old_rows_[next_ + i];
    const uint32_t new_row = first_new + static_cast<uint32_t>(i);
    const bool was = old_row != kNoRow;
    const bool is = plan_.keys.empty() || state_->row_count(groups[i]) != 0;
    if (was && is && old_results_->CompareRows(old_row, new_row) == 0) continue;
    if (was) {
      sides[0].push_back(old_row);
      side_groups[0].push_back(groups[i]);
    }
    if (is) {
      sides[1].push_back(new_row);
      side_groups[1].push_back(groups[i]);
    }
  }
  for (int side = 0; side < 2; ++side) {
    if (sides[side].empty()) continue;
    auto columns = state_->Keys(side_groups[side]);
    const Batch values = old_results_->GatherRows(sides[side]);
    columns.insert(columns.end(), values.columns().begin(), values.columns().end());
    out.Emit(side == 0 ? WithWeight(std::move(columns), values.num_rows(), -1)
                       : Batch(std::move(columns), values.num_rows()));
  }
  next_ = end;
  return absl::OkStatus();
}

absl::Status StreamingAggregateOperator::EmitClosedGroups(Emitter& out) {
  std::vector<uint32_t> groups;
  while (next_ < closing_.size() && groups.size() < static_cast<size_t>(kTargetBatchRows)) {
    // A group whose rows were all taken back has nothing to say.
    if (state_->row_count(closing_[next_]) != 0) groups.push_back(closing_[next_]);
    ++next_;
  }
  if (groups.empty()) return absl::OkStatus();
  auto columns = state_->Keys(groups);
  MR_RETURN_IF_ERROR(state_->Results(groups, &columns));
  out.Emit(Batch(std::move(columns), static_cast<int64_t>(groups.size())));
  return absl::OkStatus();
}

void StreamingAggregateOperator::ForgetChanges() {
  context_->counters->rows_touched += touched_.size();
  for (const uint32_t group : touched_) is_touched_[group] = 0;
  touched_.clear();
  old_rows_.clear();
  old_results_ = std::make_unique<ColumnStore>(old_results_->types());
}

absl::Status StreamingAggregateOperator::FinishEpoch() {
  at_barrier_ = false;
  ForgetChanges();
  if (at_checkpoint_ && context_->state != nullptr) {
    MR_RETURN_IF_ERROR(state_->Write(*context_->state, context_->node_id));
  }
  at_checkpoint_ = false;
  if (!state_->is_loaded()) MR_RETURN_IF_ERROR(state_->LoadMore(ColdState::kEntriesAtBarrier));
  if (!plan_.keys.empty() && state_->Compact()) {
    is_touched_.Clear();
    is_touched_.Resize(state_->num_groups(), 0);
    open_windows_.clear();
    TrackWindows(0, state_->num_groups());
  }
  context_->counters->state_rows = static_cast<uint64_t>(state_->num_live());
  return memory_->Update(state_->bytes());
}

absl::Status StreamingAggregateOperator::Close() {
  memory_.reset();
  return absl::OkStatus();
}

}  // namespace millrace
