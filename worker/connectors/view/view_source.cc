#include "worker/connectors/view/view_source.h"

#include <arrow/array.h>

#include <algorithm>

#include "common/base/status.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

ViewSource::ViewSource(ViewStore& views, std::vector<int> projection)
    : views_(views), projection_(std::move(projection)) {}

ViewSource::~ViewSource() = default;

absl::Status ViewSource::Open(const v1::Split& split) {
  if (!split.has_view()) return InternalError("a view scan got a split of another kind");
  if (split.has_resume() && split.resume().rows() != 0) {
    return InternalError("a view scan cannot go on in the middle of a split");
  }
  const v1::ViewSplit& view = split.view();
  part_ = ViewPart{ObjectId(view.object_id()), JobId(view.job_id()), AttemptId(view.attempt()),
                   view.task_index()};
  epoch_ = Epoch(view.epoch());
  is_read_ = false;
  batches_.clear();
  split_id_ = split.id();
  next_batch_ = 0;
  next_row_ = 0;
  rows_read_ = 0;
  return ReadIfLoaded();
}

absl::Status ViewSource::ReadIfLoaded() {
  if (!views_.is_loaded(part_)) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(batches_, views_.Read(part_, epoch_));
  is_read_ = true;
  return absl::OkStatus();
}

absl::StatusOr<PollResult> ViewSource::Poll(const PollBudget& budget, Batch* batch) {
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
  for (const int column : projection_) {
    columns.push_back(whole.column(column)->Slice(next_row_, length));
  }
  *batch = Batch(std::move(columns), length);
  next_row_ += length;
  rows_read_ += static_cast<uint64_t>(length);
  return PollResult::kRows;
}

v1::SplitPosition ViewSource::Position() const {
  v1::SplitPosition position;
  position.set_split_id(split_id_);
  position.set_offset(rows_read_);
  position.set_rows(rows_read_);
  position.set_ended(is_read_ && next_batch_ == batches_.size());
  return position;
}

absl::Status ViewSource::Close() {
  batches_.clear();
  return absl::OkStatus();
}

}  // namespace millrace
