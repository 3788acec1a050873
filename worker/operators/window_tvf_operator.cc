#include "worker/operators/window_tvf_operator.h"

#include <algorithm>

#include "arrow/array.h"
#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/row_bytes.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

// A row of a hop with a small slide falls into many windows; more than that is a mistake.
constexpr int64_t kWindowsPerRowMax = 100'000;

// Rounds towards −∞, so that windows before 1970 have the same shape as those after it.
__int128 FloorDivide(__int128 a, __int128 b) {
  const __int128 quotient = a / b;
  return a % b < 0 ? quotient - 1 : quotient;
}

absl::Status CheckWindow(const v1::WindowTvfNode& window) {
  const int64_t slide = window.slide_micros();
  const bool slides = window.kind() != v1::WindowTvfNode::KIND_TUMBLE;
  if (window.size_micros() <= 0 || (slides && slide <= 0)) {
    return MakeError(SqlState::kInvalidParameterValue, "the size of a window must be positive");
  }
  if (slides && window.size_micros() / slide > kWindowsPerRowMax) {
    return MakeError(SqlState::kProgramLimitExceeded, "a row would fall into too many windows");
  }
  if (window.kind() == v1::WindowTvfNode::KIND_CUMULATE && window.size_micros() % slide != 0) {
    return MakeError(SqlState::kInvalidParameterValue,
                     "the size of a cumulating window must be a multiple of its step");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> WindowTvfOperator::Create(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  const v1::WindowTvfNode& window = node.window_tvf();
  MR_RETURN_IF_ERROR(CheckWindow(window));
  std::unique_ptr<WindowTvfOperator> op(new WindowTvfOperator());
  switch (window.kind()) {
    case v1::WindowTvfNode::KIND_TUMBLE:
      op->kind_ = Kind::kTumble;
      break;
    case v1::WindowTvfNode::KIND_HOP:
      op->kind_ = Kind::kHop;
      break;
    case v1::WindowTvfNode::KIND_CUMULATE:
      op->kind_ = Kind::kCumulate;
      break;
    default:
      return InternalError("window table function without a kind");
  }
  op->time_column_ = static_cast<int>(window.time_column());
  op->size_micros_ = window.size_micros();
  op->slide_micros_ = window.slide_micros();
  op->offset_micros_ = window.offset_micros();
  const std::vector<SqlType> types = InputTypes(node, 0);
  if (op->time_column_ >= static_cast<int>(types.size()) ||
      !types[op->time_column_].is_timestamp()) {
    return InternalError("time column of a window is not a timestamp");
  }
  op->time_type_ = ToArrowType(types[op->time_column_]);
  return std::unique_ptr<Operator>(std::move(op));
}

absl::Status WindowTvfOperator::AppendWindows(int32_t row, int64_t micros) {
  const __int128 time = __int128{micros} - offset_micros_;
  // First start and end, and the step of each; windows follow while they hold the time.
  __int128 start = FloorDivide(time, size_micros_) * size_micros_;
  __int128 end = start + size_micros_;
  __int128 count = 1;
  int64_t start_step = 0;
  int64_t end_step = 0;
  if (kind_ == Kind::kHop) {
    const __int128 last = FloorDivide(time, slide_micros_);
    const __int128 first = FloorDivide(time - size_micros_, slide_micros_) + 1;
    start = first * slide_micros_;
    end = start + size_micros_;
    count = last - first + 1;
    start_step = end_step = slide_micros_;
  } else if (kind_ == Kind::kCumulate) {
    end = start + (FloorDivide(time - start, slide_micros_) + 1) * slide_micros_;
    count = (start + size_micros_ - end) / slide_micros_ + 1;
    end_step = slide_micros_;
  }
  for (__int128 i = 0; i < count; ++i) {
    const __int128 from = start + i * start_step + offset_micros_;
    const __int128 to = end + i * end_step + offset_micros_;
    if (from < INT64_MIN || to > INT64_MAX) {
      return MakeError(SqlState::kDatetimeOverflow, "timestamp out of range");
    }
    rows_.PushBack(row);
    starts_.PushBack(static_cast<int64_t>(from));
    ends_.PushBack(static_cast<int64_t>(to));
  }
  return absl::OkStatus();
}

absl::StatusOr<Progress> WindowTvfOperator::ProcessBatch(InputIndex, Batch batch, Emitter& out) {
  batch_ = std::move(batch);
  next_row_ = 0;
  return Resume(out);
}

absl::StatusOr<Progress> WindowTvfOperator::Resume(Emitter& out) {
  while (next_row_ < batch_.num_rows() || next_pending_ < rows_.size()) {
    if (out.full()) return Progress::kMore;
    const ColumnView times(*batch_.column(time_column_));
    while (next_pending_ == 0 && next_row_ < batch_.num_rows() && rows_.size() < kTargetBatchRows) {
      if (!times.IsNull(next_row_)) {
        MR_RETURN_IF_ERROR(
            AppendWindows(static_cast<int32_t>(next_row_), times.Get<int64_t>(next_row_)));
      }
      ++next_row_;
    }
    if (rows_.empty()) continue;
    MR_ASSIGN_OR_RETURN(Batch taken, TakePending());
    out.Emit(std::move(taken));
  }
  batch_ = Batch();
  next_row_ = 0;
  return Progress::kDone;
}

int64_t WindowTvfOperator::PendingWithinBatch() const {
  const RowBytes bytes(batch_, DictionaryBytes::kCodes);
  const int64_t pending = rows_.size() - next_pending_;
  if (bytes.max() * pending <= kMaxBatchBytes) return pending;
  int64_t total = 0;
  int64_t n = 0;
  while (n < pending && total < kMaxBatchBytes) total += bytes.at(rows_[next_pending_ + n++]);
  return n;
}

absl::StatusOr<Batch> WindowTvfOperator::TakePending() {
  int64_t n = rows_.size();
  Batch rows = batch_;
  // A tumbling window over rows that all have a time is the batch itself.
  const bool all =
      n == batch_.num_rows() && rows_[n - 1] == n - 1 && rows_[0] == 0 && kind_ == Kind::kTumble;
  if (!all) {
    n = PendingWithinBatch();
    MR_ASSIGN_OR_RETURN(rows, TakeRows(batch_, rows_.data() + next_pending_, n));
  }
  FlatVector<int64_t> starts;
  FlatVector<int64_t> ends;
  if (n == rows_.size()) {
    starts = std::move(starts_);
    ends = std::move(ends_);
  } else {
    starts.Append(starts_.data() + next_pending_, n);
    ends.Append(ends_.data() + next_pending_, n);
  }
  next_pending_ += n;
  if (next_pending_ == rows_.size()) {
    rows_.Clear();
    starts_ = FlatVector<int64_t>();
    ends_ = FlatVector<int64_t>();
    next_pending_ = 0;
  }
  std::vector<std::shared_ptr<arrow::Array>> columns = rows.columns();
  columns.push_back(MakeFixedArray(time_type_, std::move(starts), NullBits(n)));
  columns.push_back(MakeFixedArray(time_type_, std::move(ends), NullBits(n)));
  return rows.WithColumns(std::move(columns));
}

}  // namespace millrace
