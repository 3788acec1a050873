#include "worker/connectors/view/view_changes_source.h"

#include <arrow/array.h>
#include <arrow/buffer.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/status.h"
#include "millrace/v1/split.pb.h"

namespace millrace {
namespace {

std::shared_ptr<arrow::Array> Constant(int64_t value, int64_t length) {
  return std::make_shared<arrow::Int64Array>(
      length, arrow::Buffer::FromVector(std::vector<int64_t>(static_cast<size_t>(length), value)));
}

}  // namespace

absl::Status ViewChangesSource::Open(const v1::Split& split) {
  if (!split.has_view_changes())
    return InternalError("a scan of changes got a split of another kind");
  if (split.has_resume() && split.resume().rows() != 0) {
    return InternalError("a scan of changes cannot go on in the middle of a split");
  }
  const v1::ViewChangesSplit& changes = split.view_changes();
  part_ = ViewPart{ObjectId(changes.object_id()), JobId(changes.job_id()),
                   AttemptId(changes.attempt()), changes.task_index()};
  after_epoch_ = changes.after_epoch();
  through_epoch_ = changes.through_epoch();
  is_read_ = false;
  batches_.clear();
  split_id_ = split.id();
  next_batch_ = 0;
  next_row_ = 0;
  rows_read_ = 0;
  return ReadIfLoaded();
}

absl::Status ViewChangesSource::ReadIfLoaded() {
  if (!views_.is_loaded(part_)) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(batches_,
                      views_.ReadChanges(part_, Epoch(after_epoch_), Epoch(through_epoch_)));
  is_read_ = true;
  return absl::OkStatus();
}

absl::StatusOr<PollResult> ViewChangesSource::Poll(const PollBudget& budget, Batch* batch) {
  if (!is_read_) MR_RETURN_IF_ERROR(ReadIfLoaded());
  if (!is_read_) {
    *batch = Batch();
    return PollResult::kIdle;
  }
  while (next_batch_ < batches_.size() && next_row_ >= batches_[next_batch_].num_rows()) {
    batches_[next_batch_] = Batch();
    ++next_batch_;
    next_row_ = 0;
  }
  if (next_batch_ == batches_.size()) {
    *batch = Batch();
    return PollResult::kEnd;
  }
  const Batch& whole = batches_[next_batch_];
  const int64_t length = std::min(budget.rows_max, whole.num_rows() - next_row_);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  columns.push_back(Constant(static_cast<int64_t>(through_epoch_), length));
  const int64_t* weights = whole.raw_weights();
  if (weights == nullptr) {
    columns.push_back(Constant(1, length));
  } else {
    std::vector<int64_t> slice(weights + next_row_, weights + next_row_ + length);
    columns.push_back(
        std::make_shared<arrow::Int64Array>(length, arrow::Buffer::FromVector(std::move(slice))));
  }
  for (int column = 0; column < whole.num_columns(); ++column) {
    columns.push_back(whole.column(column)->Slice(next_row_, length));
  }
  *batch = Batch(std::move(columns), length);
  next_row_ += length;
  rows_read_ += static_cast<uint64_t>(length);
  return PollResult::kRows;
}

v1::SplitPosition ViewChangesSource::Position() const {
  v1::SplitPosition position;
  position.set_split_id(split_id_);
  position.set_offset(rows_read_);
  position.set_rows(rows_read_);
  position.set_ended(next_batch_ == batches_.size());
  return position;
}

absl::Status ViewChangesSource::Close() {
  batches_.clear();
  return absl::OkStatus();
}

}  // namespace millrace
