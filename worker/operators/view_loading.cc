#include "worker/operators/view_loading.h"

#include <arrow/array.h>
#include <arrow/buffer.h>

#include <utility>

#include "common/base/status.h"

namespace millrace {

ViewLoading::ViewLoading(StoredViewRows stored, std::unique_ptr<StateCursor> cursor,
                         ViewStore& views, std::function<void()> on_done)
    : stored_(std::move(stored)),
      codec_(stored_.types, CodecUse::kStorage),
      cursor_(std::move(cursor)),
      views_(views),
      on_done_(std::move(on_done)),
      thread_([this] { RunThread(); }) {}

ViewLoading::~ViewLoading() {
  stopping_ = true;
  thread_.join();
}

absl::Status ViewLoading::status() const {
  MutexLock lock(mutex_);
  return status_;
}

void ViewLoading::RunThread() {
  std::vector<Batch> rows;
  absl::Status status = ReadRows(&rows);
  if (stopping_) return;
  if (status.ok()) status = views_.FinishLoading(stored_.part, std::move(rows));
  {
    MutexLock lock(mutex_);
    status_ = std::move(status);
  }
  done_ = true;
  on_done_();
}

absl::Status ViewLoading::ReadRows(std::vector<Batch>* rows) {
  bool more = true;
  while (more && !stopping_) {
    const absl::StatusOr<bool> read = cursor_->Next(
        kTargetBatchRows,
        [&](uint32_t, absl::string_view key, absl::string_view value) -> absl::Status {
          const int64_t weight = stored_.keyed ? 1 : StateCounter(value);
          if (weight == 0) return absl::OkStatus();
          encoded_.emplace_back(stored_.keyed ? value : key);
          weights_.push_back(weight);
          num_rows_ += weight;
          return absl::OkStatus();
        });
    MR_RETURN_IF_ERROR(read.status());
    more = *read;
    MR_RETURN_IF_ERROR(AppendBatch(rows));
  }
  return absl::OkStatus();
}

absl::Status ViewLoading::AppendBatch(std::vector<Batch>* rows) {
  if (encoded_.empty()) return absl::OkStatus();
  const std::vector<std::string_view> views(encoded_.begin(), encoded_.end());
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(codec_.Decode(views, &columns));
  const auto num_rows = static_cast<int64_t>(encoded_.size());
  rows->emplace_back(std::move(columns), num_rows,
                     std::make_shared<arrow::Int64Array>(
                         num_rows, arrow::Buffer::FromVector(std::exchange(weights_, {}))));
  encoded_.clear();
  return absl::OkStatus();
}

}  // namespace millrace
