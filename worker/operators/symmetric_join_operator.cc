#include "worker/operators/symmetric_join_operator.h"

#include <algorithm>

#include "arrow/array.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/operators/join_output.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> SymmetricJoinOperator::Create(JoinPlan plan) {
  if (plan.kind == JoinKind::kNullAwareAnti) {
    return NotSupported("NOT IN over unbounded input");
  }
  return std::unique_ptr<Operator>(new SymmetricJoinOperator(std::move(plan)));
}

SymmetricJoinOperator::SymmetricJoinOperator(JoinPlan plan) : plan_(std::move(plan)) {
  const bool has_window = plan_.window_end_key.has_value();
  const int left_end = has_window ? plan_.left_keys[*plan_.window_end_key] : -1;
  const int right_end = has_window ? plan_.right_keys[*plan_.window_end_key] : -1;
  sides_[0] = std::make_unique<JoinSide>(0, plan_.left_types(), plan_.left_keys, left_end);
  sides_[1] = std::make_unique<JoinSide>(1, plan_.right_types(), plan_.right_keys, right_end);
}

absl::Status SymmetricJoinOperator::Open(OperatorContext& context) {
  context_ = &context;
  memory_.emplace(*context.memory, "join");
  MR_ASSIGN_OR_RETURN(residual_, plan_.MakeEvaluator(context.eval));
  if (context.state == nullptr) return absl::OkStatus();
  cold_ = ColdState(*context.state, context.node_id, {"01"},
                    [this](char kind, const StateEntries& entries) {
                      return sides_[kind - '0']->Restore(entries);
                    });
  // Which windows end next is only known when all are there.
  MR_RETURN_IF_ERROR(cold_.LoadMore(
      plan_.window_end_key.has_value() ? ColdState::kAllEntries : ColdState::kEntriesAtBarrier));
  return memory_->Update(sides_[0]->bytes() + sides_[1]->bytes());
}

bool SymmetricJoinOperator::EmitsAlone(InputIndex side, bool matched) const {
  switch (plan_.kind) {
    case JoinKind::kLeft:
    case JoinKind::kAnti:
      return side == 0 && !matched;
    case JoinKind::kRight:
      return side == 1 && !matched;
    case JoinKind::kFull:
      return !matched;
    case JoinKind::kSemi:
      return side == 0 && matched;
    default:
      return false;
  }
}

bool SymmetricJoinOperator::NeedsCounts(InputIndex side) const {
  return EmitsAlone(side, true) || EmitsAlone(side, false);
}

absl::StatusOr<Batch> SymmetricJoinOperator::WithoutLateRows(InputIndex input, const Batch& batch) {
  if (!plan_.window_end_key.has_value()) return batch;
  const ColumnView ends(*batch.column(KeysOf(input)[*plan_.window_end_key]));
  std::vector<int32_t> kept;
  for (int64_t i = 0; i < ends.length; ++i) {
    if (ends.IsNull(i) || ends.Get<int64_t>(i) > watermark_) {
      kept.push_back(static_cast<int32_t>(i));
    }
  }
  const auto num_kept = static_cast<int64_t>(kept.size());
  context_->counters->late_rows += static_cast<uint64_t>(batch.num_rows() - num_kept);
  return TakeOrShare(batch, kept);
}

absl::StatusOr<Progress> SymmetricJoinOperator::ProcessBatch(InputIndex input, Batch batch,
                                                             Emitter& out) {
  MR_ASSIGN_OR_RETURN(batch_, WithoutLateRows(input, batch));
  if (batch_.num_rows() == 0) return Progress::kDone;
  MR_RETURN_IF_ERROR(cold_.LoadFor(batch_, KeysOf(input)));
  input_ = input;
  other_groups_.resize(batch_.num_rows());
  sides_[1 - input]->FindKeys(batch_, KeysOf(input), other_groups_.data());
  batch_matches_.assign(batch_.num_rows(), 0);
  next_row_ = 0;
  row_started_ = false;
  return Join(out);
}

absl::StatusOr<Progress> SymmetricJoinOperator::Join(Emitter& out) {
  while (next_row_ < batch_.num_rows()) {
    if (out.full()) return Progress::kMore;
    Pairs pairs;
    MR_RETURN_IF_ERROR(CollectPairs(&pairs));
    if (pairs.batch_rows.empty()) continue;
    context_->counters->rows_touched += pairs.batch_rows.size();
    if (plan_.joins_columns()) MR_RETURN_IF_ERROR(EmitPairs(pairs, out));
    MR_RETURN_IF_ERROR(CountMatches(pairs, out));
  }
  if (batch_.num_rows() > 0) MR_RETURN_IF_ERROR(FinishBatch(out));
  return Progress::kDone;
}

absl::Status SymmetricJoinOperator::CollectPairs(Pairs* pairs) {
  const JoinSide& other = *sides_[1 - input_];
  while (next_row_ < batch_.num_rows()) {
    const uint32_t group = other_groups_[next_row_];
    if (!row_started_) cursor_ = group == kNoGroup ? kNoRow : other.FirstRow(group);
    row_started_ = true;
    while (cursor_ != kNoRow && static_cast<int64_t>(pairs->batch_rows.size()) < kTargetBatchRows) {
      pairs->batch_rows.push_back(static_cast<int32_t>(next_row_));
      pairs->stored_rows.push_back(cursor_);
      cursor_ = other.NextRow(cursor_);
    }
    if (cursor_ != kNoRow) break;
    row_started_ = false;
    ++next_row_;
  }
  return FilterPairs(pairs);
}

absl::Status SymmetricJoinOperator::FilterPairs(Pairs* pairs) {
  if (residual_ == nullptr || pairs->batch_rows.empty()) return absl::OkStatus();
  const ColumnStore& stored = sides_[1 - input_]->rows();
  MR_ASSIGN_OR_RETURN(const Batch near, TakeOrShare(batch_, pairs->batch_rows));
  const Batch far = stored.GatherRows(pairs->stored_rows);
  auto columns = input_ == 0 ? near.columns() : far.columns();
  const auto& second = input_ == 0 ? far.columns() : near.columns();
  columns.insert(columns.end(), second.begin(), second.end());
  std::vector<int32_t> kept;
  MR_RETURN_IF_ERROR(residual_->Select(Batch(std::move(columns), near.num_rows()), &kept));
  size_t n = 0;
  for (const int32_t i : kept) {
    pairs->batch_rows[n] = pairs->batch_rows[i];
    pairs->stored_rows[n++] = pairs->stored_rows[i];
  }
  pairs->batch_rows.resize(n);
  pairs->stored_rows.resize(n);
  return absl::OkStatus();
}

absl::Status SymmetricJoinOperator::EmitPairs(const Pairs& pairs, Emitter& out) {
  const JoinSide& other = *sides_[1 - input_];
  MR_ASSIGN_OR_RETURN(const Batch near, TakeOrShare(batch_, pairs.batch_rows));
  const Batch far = other.rows().GatherRows(pairs.stored_rows);
  auto columns = input_ == 0 ? near.columns() : far.columns();
  const auto& second = input_ == 0 ? far.columns() : near.columns();
  columns.insert(columns.end(), second.begin(), second.end());
  FlatVector<int64_t> weights;
  for (size_t i = 0; i < pairs.batch_rows.size(); ++i) {
    weights.PushBack(WeightOf(pairs.batch_rows[i]) * other.multiplicity(pairs.stored_rows[i]));
  }
  return EmitWeighted(Batch(std::move(columns), near.num_rows()), std::move(weights), out);
}

absl::Status SymmetricJoinOperator::EmitWeighted(Batch rows, FlatVector<int64_t> weights,
                                                 Emitter& out) {
  const bool ones = std::all_of(weights.begin(), weights.end(), [](int64_t w) { return w == 1; });
  if (ones) {
    out.Emit(std::move(rows));
  } else if (plan_.changing) {
    out.Emit(rows.WithWeights(MakeInt64Array(std::move(weights))));
  } else {
    // A relation that only grows has no weights: equal rows come one by one.
    std::vector<int32_t> repeated;
    for (int64_t i = 0; i < weights.size(); ++i) {
      repeated.insert(repeated.end(), std::max<int64_t>(0, weights[i]), static_cast<int32_t>(i));
    }
    MR_ASSIGN_OR_RETURN(Batch taken, TakeOrShare(rows, repeated));
    out.Emit(std::move(taken));
  }
  return absl::OkStatus();
}

bool SymmetricJoinOperator::IsInChanged(uint32_t row) const {
  const uint32_t position = position_in_changed_[row];
  return position < changed_.size() && changed_[position] == row;
}

absl::Status SymmetricJoinOperator::CountMatches(const Pairs& pairs, Emitter& out) {
  JoinSide& other = *sides_[1 - input_];
  const bool counts_other = NeedsCounts(1 - input_);
  // Matches of the stored rows before this chunk, in order of their first pair.
  changed_.clear();
  matches_before_.clear();
  if (counts_other && position_in_changed_.size() < other.rows().num_rows()) {
    position_in_changed_.Resize(other.rows().num_rows(), 0);
  }
  for (size_t i = 0; i < pairs.batch_rows.size(); ++i) {
    const uint32_t stored = pairs.stored_rows[i];
    batch_matches_[pairs.batch_rows[i]] += other.multiplicity(stored);
    if (!counts_other) continue;
    if (!IsInChanged(stored)) {
      position_in_changed_[stored] = static_cast<uint32_t>(changed_.size());
      changed_.push_back(stored);
      matches_before_.push_back(other.matches(stored));
    }
    other.SetMatches(stored, other.matches(stored) + WeightOf(pairs.batch_rows[i]));
  }
  std::vector<uint32_t> rows;
  FlatVector<int64_t> weights;
  for (size_t i = 0; i < changed_.size(); ++i) {
    const uint32_t row = changed_[i];
    const bool was_matched = matches_before_[i] != 0;
    const bool is_matched = other.matches(row) != 0;
    if (was_matched == is_matched) continue;
    const int64_t was = EmitsAlone(1 - input_, was_matched) ? 1 : 0;
    const int64_t is = EmitsAlone(1 - input_, is_matched) ? 1 : 0;
    rows.push_back(row);
    weights.PushBack((is - was) * other.multiplicity(row));
  }
  if (rows.empty()) return absl::OkStatus();
  return EmitWeighted(AloneColumns(1 - input_, other.rows().GatherRows(rows)), std::move(weights),
                      out);
}

absl::Status SymmetricJoinOperator::FinishBatch(Emitter& out) {
  JoinSide& side = *sides_[input_];
  std::vector<uint32_t> stored;
  side.Store(batch_, &stored);
  context_->counters->rows_touched += stored.size();
  if (NeedsCounts(input_)) {
    std::vector<int32_t> alone;
    for (int64_t i = 0; i < batch_.num_rows(); ++i) {
      side.SetMatches(stored[i], batch_matches_[i]);
      if (EmitsAlone(input_, batch_matches_[i] != 0)) alone.push_back(static_cast<int32_t>(i));
    }
    if (!alone.empty()) {
      MR_ASSIGN_OR_RETURN(const Batch rows, TakeOrShare(batch_, alone));
      out.Emit(AloneColumns(input_, rows));
    }
  }
  batch_ = Batch();
  next_row_ = 0;
  return memory_->Update(sides_[0]->bytes() + sides_[1]->bytes() + position_in_changed_.bytes());
}

Batch SymmetricJoinOperator::AloneColumns(InputIndex side, const Batch& rows) const {
  if (!plan_.joins_columns()) return rows;
  std::vector<std::shared_ptr<arrow::Array>> nulls;
  for (const Field& field : side == 0 ? plan_.right : plan_.left) {
    nulls.push_back(MakeNullArray(field.type, rows.num_rows()));
  }
  auto columns = side == 0 ? rows.columns() : nulls;
  const auto& second = side == 0 ? nulls : rows.columns();
  columns.insert(columns.end(), second.begin(), second.end());
  return rows.WithColumns(std::move(columns));
}

absl::StatusOr<Progress> SymmetricJoinOperator::ProcessWatermark(Watermark watermark, Emitter&) {
  watermark_ = std::max(watermark_, watermark.micros);
  for (auto& side : sides_) side->DropWindowsUntil(watermark_);
  return Progress::kDone;
}

absl::StatusOr<Progress> SymmetricJoinOperator::ProcessBarrier(const Barrier& barrier, Emitter&) {
  if ((barrier.checkpoint || barrier.final) && context_->state != nullptr) {
    StateEntries entries;
    for (auto& side : sides_) side->AppendEntries(context_->state->num_shards(), &entries);
    if (!entries.empty()) {
      MR_RETURN_IF_ERROR(context_->state->Write(context_->node_id, std::move(entries)));
    }
  }
  MR_RETURN_IF_ERROR(cold_.LoadMore(ColdState::kEntriesAtBarrier));
  for (auto& side : sides_) side->Compact();
  context_->counters->state_rows =
      static_cast<uint64_t>(sides_[0]->num_rows() + sides_[1]->num_rows());
  return Progress::kDone;
}

absl::StatusOr<Progress> SymmetricJoinOperator::ProcessEnd(InputIndex, Emitter&) {
  return Progress::kDone;
}

absl::StatusOr<Progress> SymmetricJoinOperator::Resume(Emitter& out) { return Join(out); }

absl::Status SymmetricJoinOperator::Close() {
  memory_.reset();
  return absl::OkStatus();
}

}  // namespace millrace
