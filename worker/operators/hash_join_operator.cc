#include "worker/operators/hash_join_operator.h"

#include <algorithm>
#include <numeric>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/kernels/array_output.h"
#include "worker/operators/symmetric_join_operator.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Operator>> HashJoinOperator::Create(const v1::PlanNode& node) {
  MR_ASSIGN_OR_RETURN(JoinPlan plan, JoinPlan::From(node));
  if (plan.symmetric) return SymmetricJoinOperator::Create(std::move(plan));
  if (plan.right_changing) {
    return NotSupported("a join whose right side is read first but may take rows back");
  }
  return std::unique_ptr<Operator>(new HashJoinOperator(std::move(plan)));
}

HashJoinOperator::HashJoinOperator(JoinPlan plan)
    : BoundedOperator("join"),
      plan_(std::move(plan)),
      table_(plan_.right_types(), plan_.right_keys) {}

absl::Status HashJoinOperator::Open(OperatorContext& op_context) {
  MR_RETURN_IF_ERROR(BoundedOperator::Open(op_context));
  MR_ASSIGN_OR_RETURN(residual_, plan_.MakeEvaluator(op_context.eval));
  return absl::OkStatus();
}

absl::StatusOr<Progress> HashJoinOperator::ProcessBatch(InputIndex input, Batch batch,
                                                        Emitter& out) {
  if (input == 1) {
    table_.Append(batch);
    MR_RETURN_IF_ERROR(HoldBytes(table_.bytes()));
    return Progress::kDone;
  }
  if (!built_) return InternalError("a join was probed before its table was built");
  StartProbe(std::move(batch));
  return Probe(out);
}

absl::StatusOr<Progress> HashJoinOperator::ProcessEnd(InputIndex input, Emitter& out) {
  if (input == 1) {
    table_.Finish();
    built_ = true;
    if (plan_.keeps_right()) build_matched_.resize(table_.num_rows(), 0);
    MR_RETURN_IF_ERROR(HoldBytes(table_.bytes()));
    return Progress::kDone;
  }
  probe_ended_ = true;
  return EmitUnmatchedBuildRows(out);
}

absl::StatusOr<Progress> HashJoinOperator::Resume(Emitter& out) {
  MR_ASSIGN_OR_RETURN(const Progress progress, Probe(out));
  if (progress != Progress::kDone || !probe_ended_) return progress;
  return EmitUnmatchedBuildRows(out);
}

void HashJoinOperator::StartProbe(Batch batch) {
  probe_ = std::move(batch);
  groups_.resize(probe_.num_rows());
  table_.Find(probe_, plan_.left_keys, groups_.data());
  next_row_ = 0;
  next_match_ = 0;
  decided_row_ = 0;
  room_.emplace(probe_, table_.rows());
  if (DecidesByRow()) probe_matched_.assign(probe_.num_rows(), 0);
}

absl::StatusOr<Progress> HashJoinOperator::Probe(Emitter& out) {
  const bool lookup_decides = !plan_.joins_columns() && residual_ == nullptr;
  while (next_row_ < probe_.num_rows()) {
    if (out.full()) return Progress::kMore;
    if (lookup_decides) {
      for (int64_t i = 0; i < probe_.num_rows(); ++i) probe_matched_[i] = groups_[i] != kNoGroup;
      next_row_ = probe_.num_rows();
    } else {
      CollectPairs();
      MR_RETURN_IF_ERROR(FilterPairs());
      if (plan_.joins_columns()) MR_RETURN_IF_ERROR(EmitPairs(out));
    }
    if (DecidesByRow()) MR_RETURN_IF_ERROR(EmitDecidedRows(out));
  }
  room_.reset();
  probe_ = Batch();
  next_row_ = 0;
  return Progress::kDone;
}

void HashJoinOperator::CollectPairs() {
  pair_probe_rows_.clear();
  pair_build_rows_.clear();
  room_->Clear();
  const bool pads = plan_.keeps_left() && residual_ == nullptr;
  while (next_row_ < probe_.num_rows()) {
    const auto row = static_cast<int32_t>(next_row_);
    if (room_->full()) return;
    if (groups_[row] == kNoGroup) {
      if (pads) {
        room_->Take(row, {&kNoRow, 1});
        pair_probe_rows_.push_back(row);
        pair_build_rows_.push_back(kNoRow);
      }
      ++next_row_;
      continue;
    }
    const absl::Span<const uint32_t> matches = table_.RowsOf(groups_[row]).subspan(next_match_);
    const auto taken = static_cast<int64_t>(room_->Take(row, matches));
    pair_probe_rows_.insert(pair_probe_rows_.end(), taken, row);
    pair_build_rows_.insert(pair_build_rows_.end(), matches.begin(), matches.begin() + taken);
    next_match_ += taken;
    if (taken < static_cast<int64_t>(matches.size())) return;
    next_match_ = 0;
    ++next_row_;
  }
}

absl::Status HashJoinOperator::FilterPairs() {
  if (residual_ == nullptr || pair_probe_rows_.empty()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(const Batch pairs,
                      JoinRows(probe_, pair_probe_rows_, table_.rows(), pair_build_rows_));
  std::vector<int32_t> kept;
  MR_RETURN_IF_ERROR(residual_->Select(pairs, &kept));
  size_t n = 0;
  for (const int32_t i : kept) {
    pair_probe_rows_[n] = pair_probe_rows_[i];
    pair_build_rows_[n] = pair_build_rows_[i];
    if (DecidesByRow()) probe_matched_[pair_probe_rows_[n]] = 1;
    ++n;
  }
  pair_probe_rows_.resize(n);
  pair_build_rows_.resize(n);
  return absl::OkStatus();
}

absl::Status HashJoinOperator::EmitPairs(Emitter& out) {
  if (pair_probe_rows_.empty()) return absl::OkStatus();
  if (plan_.keeps_right()) {
    for (const uint32_t row : pair_build_rows_) {
      if (row != kNoRow) build_matched_[row] = 1;
    }
  }
  MR_ASSIGN_OR_RETURN(Batch joined,
                      JoinRows(probe_, pair_probe_rows_, table_.rows(), pair_build_rows_));
  out.Emit(std::move(joined));
  return absl::OkStatus();
}

bool HashJoinOperator::IsSelected(int64_t row) const {
  const bool matched = probe_matched_[row] != 0;
  switch (plan_.kind) {
    case JoinKind::kSemi:
      return matched;
    case JoinKind::kNullAwareAnti:
      if (table_.num_rows() == 0) return true;
      if (table_.has_null_key() || matched) return false;
      // A NULL is neither in the list nor not in it.
      return std::none_of(plan_.left_keys.begin(), plan_.left_keys.end(),
                          [&](int key) { return ColumnView(*probe_.column(key)).IsNull(row); });
    default:
      return !matched;
  }
}

absl::Status HashJoinOperator::EmitDecidedRows(Emitter& out) {
  std::vector<int32_t> rows;
  for (; decided_row_ < next_row_; ++decided_row_) {
    if (IsSelected(decided_row_)) rows.push_back(static_cast<int32_t>(decided_row_));
  }
  if (rows.empty()) return absl::OkStatus();
  Batch taken;
  if (plan_.joins_columns()) {
    const std::vector<uint32_t> no_rows(rows.size(), kNoRow);
    MR_ASSIGN_OR_RETURN(taken, JoinRows(probe_, rows, table_.rows(), no_rows));
  } else {
    MR_ASSIGN_OR_RETURN(taken, TakeOrShare(probe_, rows));
  }
  out.Emit(std::move(taken));
  return absl::OkStatus();
}

absl::StatusOr<Progress> HashJoinOperator::EmitUnmatchedBuildRows(Emitter& out) {
  if (!plan_.keeps_right()) return Progress::kDone;
  while (next_build_row_ < table_.num_rows()) {
    if (out.full()) return Progress::kMore;
    const std::vector<uint32_t> rows =
        NextUnmatched(table_.rows(), build_matched_, &next_build_row_);
    if (!rows.empty()) out.Emit(UnmatchedRight(plan_.left, table_.rows(), rows));
  }
  return Progress::kDone;
}

}  // namespace millrace
