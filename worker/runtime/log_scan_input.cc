#include "worker/runtime/log_scan_input.h"

#include <utility>
#include <vector>

#include "common/base/status.h"
#include "millrace/v1/split.pb.h"

namespace millrace {
namespace {

// Single-row segments and filters make small batches; they are combined up to this size.
constexpr int64_t kLogCoalesceRows = 2048;

}  // namespace

LogScanInput::LogScanInput(LogScanOptions options)
    : options_(std::move(options)),
      coalescer_(kLogCoalesceRows),
      incoming_(std::make_unique<ScanMailbox::Content>()) {}

LogScanInput::~LogScanInput() = default;

absl::Status LogScanInput::Open() {
  options_.mailbox->SetTask(options_.task);
  return absl::OkStatus();
}

void LogScanInput::ReadMailbox() {
  *incoming_ = ScanMailbox::Content();
  options_.mailbox->Take(incoming_.get());
  if (incoming_->assigned && !initial_splits_.has_value()) {
    // The first barrier comes later than the first assignment.
    initial_splits_ =
        incoming_->barriers.empty() ? incoming_->splits.size() : incoming_->splits_before.front();
  }
  for (size_t i = 0; i < incoming_->barriers.size(); ++i) {
    barriers_.push_back({incoming_->barriers[i], splits_received_ + incoming_->splits_before[i]});
  }
  splits_received_ += incoming_->splits.size();
  for (v1::Split& split : incoming_->splits) splits_.push_back(std::move(split));
}

bool LogScanInput::MayBeginSplit() const {
  if (splits_.empty()) return false;
  return barriers_.empty() || splits_begun_ < barriers_.front().after_splits;
}

absl::StatusOr<std::optional<StreamMessage>> LogScanInput::Poll() {
  if (over_) return std::nullopt;
  if (final_barrier_sent_) {
    over_ = true;
    return EndOfStream();
  }
  ReadMailbox();
  if (!split_open_ && MayBeginSplit()) MR_RETURN_IF_ERROR(BeginSplit());
  // An empty batch means: something was done, poll again.
  if (split_open_) return ReadRows();
  MR_ASSIGN_OR_RETURN(std::optional<Batch> rest, coalescer_.Flush());
  if (rest.has_value()) return *std::move(rest);
  if (!watermark_sent_ && initial_splits_.has_value() && splits_begun_ >= *initial_splits_) {
    watermark_sent_ = true;
    return Watermark{Watermark::kMaxWatermark};
  }
  if (barriers_.empty()) return std::nullopt;
  const Barrier barrier = barriers_.front().barrier;
  barriers_.pop_front();
  final_barrier_sent_ = barrier.final;
  return barrier;
}

absl::Status LogScanInput::BeginSplit() {
  const v1::Split split = std::move(splits_.front());
  splits_.pop_front();
  ++splits_begun_;
  MR_RETURN_IF_ERROR(options_.source->Open(split));
  split_open_ = true;
  return absl::OkStatus();
}

absl::StatusOr<Batch> LogScanInput::ReadRows() {
  Batch batch;
  MR_ASSIGN_OR_RETURN(const PollResult result, options_.source->Poll(PollBudget(), &batch));
  if (result == PollResult::kEnd) split_open_ = false;
  if (batch.num_rows() == 0) return Batch();
  rows_read_ += static_cast<uint64_t>(batch.num_rows());
  if (options_.filter != nullptr) {
    std::vector<int32_t> selected;
    MR_RETURN_IF_ERROR(options_.filter->Select(batch, &selected));
    const auto num_selected = static_cast<int64_t>(selected.size());
    if (num_selected == 0) return Batch();
    if (num_selected < batch.num_rows()) {
      MR_ASSIGN_OR_RETURN(batch, TakeRows(batch, selected.data(), num_selected));
    }
  }
  MR_ASSIGN_OR_RETURN(std::optional<Batch> ready, coalescer_.Add(std::move(batch)));
  return std::move(ready).value_or(Batch());
}

void LogScanInput::Close(CloseReason) {
  if (std::exchange(over_, true)) return;
  options_.source->Close().IgnoreError();
  split_open_ = false;
}

}  // namespace millrace
