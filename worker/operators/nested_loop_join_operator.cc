#include "worker/operators/nested_loop_join_operator.h"

#include <algorithm>
#include <numeric>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

// Pairs of a call are bounded, however few of them fulfil the condition: a task that is cancelled
// must end soon.
constexpr int kChunksPerCall = 16;

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> NestedLoopJoinOperator::Create(const v1::PlanNode& node) {
  MR_ASSIGN_OR_RETURN(JoinPlan plan, JoinPlan::From(node));
  if (plan.kind == JoinKind::kNullAwareAnti) {
    return NotSupported("NOT IN without an equality to look up");
  }
  if (plan.right_changing) {
    return NotSupported("a join whose right side is read first but may take rows back");
  }
  return std::unique_ptr<Operator>(new NestedLoopJoinOperator(std::move(plan)));
}

NestedLoopJoinOperator::NestedLoopJoinOperator(JoinPlan plan)
    : BoundedOperator("join"), plan_(std::move(plan)), right_(plan_.right_types()) {}

absl::Status NestedLoopJoinOperator::Open(OperatorContext& op_context) {
  MR_RETURN_IF_ERROR(BoundedOperator::Open(op_context));
  MR_ASSIGN_OR_RETURN(condition_, plan_.MakeEvaluator(op_context.eval));
  return absl::OkStatus();
}

absl::StatusOr<Progress> NestedLoopJoinOperator::ProcessBatch(InputIndex input, Batch batch,
                                                              Emitter& out) {
  if (input == 1) {
    right_.Append(batch);
    MR_RETURN_IF_ERROR(HoldBytes(right_.bytes()));
    return Progress::kDone;
  }
  if (!built_) return InternalError("a join was probed before its right side was read");
  left_ = std::move(batch);
  left_matched_.assign(left_.num_rows(), 0);
  room_.emplace(left_, right_);
  next_row_ = 0;
  next_right_ = 0;
  decided_row_ = 0;
  return Probe(out);
}

absl::StatusOr<Progress> NestedLoopJoinOperator::ProcessEnd(InputIndex input, Emitter& out) {
  if (input == 1) {
    built_ = true;
    right_matched_.assign(right_.num_rows(), 0);
    all_right_.resize(right_.num_rows());
    std::iota(all_right_.begin(), all_right_.end(), 0);
    return Progress::kDone;
  }
  probe_ended_ = true;
  return EmitUnmatchedRight(out);
}

absl::StatusOr<Progress> NestedLoopJoinOperator::Resume(Emitter& out) {
  MR_ASSIGN_OR_RETURN(const Progress progress, Probe(out));
  if (progress != Progress::kDone || !probe_ended_) return progress;
  return EmitUnmatchedRight(out);
}

absl::StatusOr<Progress> NestedLoopJoinOperator::Probe(Emitter& out) {
  for (int chunk = 0; next_row_ < left_.num_rows(); ++chunk) {
    if (out.full() || chunk == kChunksPerCall) return Progress::kMore;
    MR_RETURN_IF_ERROR(CollectPairs());
    if (plan_.joins_columns() && !left_rows_.empty()) {
      MR_ASSIGN_OR_RETURN(Batch joined, JoinRows(left_, left_rows_, right_, right_rows_));
      out.Emit(std::move(joined));
    }
    if (!plan_.joins_columns() || plan_.keeps_left()) MR_RETURN_IF_ERROR(EmitDecidedRows(out));
  }
  room_.reset();
  left_ = Batch();
  next_row_ = 0;
  return Progress::kDone;
}

absl::Status NestedLoopJoinOperator::CollectPairs() {
  left_rows_.clear();
  right_rows_.clear();
  room_->Clear();
  while (next_row_ < left_.num_rows() && !room_->full()) {
    const auto row = static_cast<int32_t>(next_row_);
    const auto rest = absl::MakeConstSpan(all_right_).subspan(next_right_);
    const size_t taken = room_->Take(row, rest);
    left_rows_.insert(left_rows_.end(), taken, row);
    right_rows_.insert(right_rows_.end(), rest.begin(), rest.begin() + taken);
    next_right_ += static_cast<uint32_t>(taken);
    if (next_right_ < right_.num_rows()) break;
    next_right_ = 0;
    ++next_row_;
  }
  if (condition_ != nullptr && !left_rows_.empty()) {
    MR_ASSIGN_OR_RETURN(const Batch pairs, JoinRows(left_, left_rows_, right_, right_rows_));
    std::vector<int32_t> kept;
    MR_RETURN_IF_ERROR(condition_->Select(pairs, &kept));
    size_t n = 0;
    for (const int32_t i : kept) {
      left_rows_[n] = left_rows_[i];
      right_rows_[n++] = right_rows_[i];
    }
    left_rows_.resize(n);
    right_rows_.resize(n);
  }
  for (const int32_t row : left_rows_) left_matched_[row] = 1;
  for (const uint32_t row : right_rows_) right_matched_[row] = 1;
  return absl::OkStatus();
}

absl::Status NestedLoopJoinOperator::EmitDecidedRows(Emitter& out) {
  std::vector<int32_t> rows;
  const bool wants_matched = plan_.kind == JoinKind::kSemi;
  for (; decided_row_ < next_row_; ++decided_row_) {
    if ((left_matched_[decided_row_] != 0) == wants_matched) {
      rows.push_back(static_cast<int32_t>(decided_row_));
    }
  }
  if (rows.empty()) return absl::OkStatus();
  Batch taken;
  if (plan_.joins_columns()) {
    const std::vector<uint32_t> no_rows(rows.size(), kNoRow);
    MR_ASSIGN_OR_RETURN(taken, JoinRows(left_, rows, right_, no_rows));
  } else {
    MR_ASSIGN_OR_RETURN(taken, TakeOrShare(left_, rows));
  }
  out.Emit(std::move(taken));
  return absl::OkStatus();
}

absl::StatusOr<Progress> NestedLoopJoinOperator::EmitUnmatchedRight(Emitter& out) {
  if (!plan_.keeps_right()) return Progress::kDone;
  while (next_unmatched_ < right_.num_rows()) {
    if (out.full()) return Progress::kMore;
    const std::vector<uint32_t> rows = NextUnmatched(right_, right_matched_, &next_unmatched_);
    if (!rows.empty()) out.Emit(UnmatchedRight(plan_.left, right_, rows));
  }
  return Progress::kDone;
}

}  // namespace millrace
