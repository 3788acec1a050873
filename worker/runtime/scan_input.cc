#include "worker/runtime/scan_input.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/split.pb.h"

namespace millrace {
namespace {

// How long a source that has nothing is left alone.
constexpr int64_t kIdleRetryMicros = 20'000;
// Watermarks cut batches short on their way through exchanges, so there are only some a second.
constexpr int64_t kWatermarkIntervalMicros = 50'000;
// A filter that lets few rows through makes small batches; they are combined up to this size.
constexpr int64_t kCoalesceRows = 2048;

}  // namespace

struct ScanInput::BarrierPositions {
  std::optional<v1::SplitPosition> open;
  std::vector<v1::SplitPosition> others;
  std::vector<v1::KeptRow> kept_rows;
  bool ended = false;
};

ScanInput::ScanInput(ScanOptions options)
    : options_(std::move(options)),
      lateness_(options_.delay_micros),
      rate_(options_.rows_per_second / options_.num_tasks, options_.clock->MonotonicMicros()),
      coalescer_(kCoalesceRows),
      incoming_(std::make_unique<ScanMailbox::Content>()),
      barriers_(options_.waits_for_allowance && options_.requester != nullptr),
      watermark_micros_(options_.initial_watermark_micros) {}

ScanInput::~ScanInput() = default;

absl::Status ScanInput::Open() {
  options_.mailbox->SetTask(options_.task);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StreamMessage>> ScanInput::Poll() {
  if (end_sent_ || closed_) return std::nullopt;
  if (final_barrier_sent_) {
    end_sent_ = true;
    return EndOfStream();
  }
  ReadMailbox();
  // End inside a live job is state: nothing earlier can come, and barriers still pass.
  if (options_.streaming && ended()) watermark_micros_ = Watermark::kMaxWatermark;
  // A scan with a fixed share gives it out before the first barrier, so that a restored job knows
  // that it was.
  const bool barrier_may_pass = options_.requester != nullptr || ended();
  if (!barriers_.empty() && barrier_may_pass && RowsAllowed() == 0) {
    MR_ASSIGN_OR_RETURN(std::optional<Batch> rest, coalescer_.Flush());
    if (rest.has_value()) return *std::move(rest);
    if (auto watermark = NextWatermark(/*now=*/true)) return watermark;
    return NextBarrier();
  }
  if (auto watermark = NextWatermark(/*now=*/false)) return watermark;
  MR_ASSIGN_OR_RETURN(std::optional<StreamMessage> message, ReadOn());
  if (message.has_value() || RowsAllowed() == 0 || answer_awaited_) return message;
  // There is nothing more now: the barrier does not wait for it.
  barriers_.Spend(RowsAllowed());
  had_less_ = true;
  return Batch();
}

absl::StatusOr<std::optional<StreamMessage>> ScanInput::ReadOn() {
  if (split_open_) return MayRead() ? ReadSplit() : AwaitAllowance();
  WakeParkedSplits();
  if (!splits_.empty()) return OpenNextSplit();
  return EndOrWait();
}

std::optional<StreamMessage> ScanInput::AwaitAllowance() {
  if (auto watermark = NextWatermark(/*now=*/true)) return watermark;
  // Else it waits for what the source has waited for.
  if (!had_less_) waiting_for_ = "turn";
  return std::nullopt;
}

void ScanInput::ReadMailbox() {
  *incoming_ = ScanMailbox::Content();
  options_.mailbox->Take(incoming_.get());
  for (v1::Split& split : incoming_->splits) {
    reads_partitions_ = reads_partitions_ || split.has_kafka();
    splits_.push_back({std::move(split), false, options_.clock->MonotonicMicros(), 0});
  }
  for (size_t i = 0; i < incoming_->barriers.size(); ++i) {
    barriers_.Add(incoming_->barriers[i], incoming_->allowances[i]);
  }
  if (!incoming_->assigned) return;
  answer_awaited_ = false;
  // News about what others were assigned is no answer to this scan's request.
  if (!incoming_->splits.empty() || incoming_->no_more_splits) request_open_ = false;
  no_more_splits_ = incoming_->no_more_splits;
  unassigned_min_time_micros_ = incoming_->unassigned_min_time_micros;
  idle_time_micros_ = std::max(idle_time_micros_, incoming_->idle_time_micros);
  if (incoming_->active_tasks > 0) {
    rate_.SetRate(options_.rows_per_second / incoming_->active_tasks,
                  options_.clock->MonotonicMicros());
  }
  AdvanceWatermark();
}

std::optional<StreamMessage> ScanInput::NextBarrier() {
  const Barrier barrier = barriers_.Pop();
  BarrierPositions& at = barrier_positions_[barrier.epoch];
  at.others = finished_positions_;
  if (split_open_) {
    CollectKeptRows();
    at.open = CurrentPosition();
  }
  for (const auto* waiting : {&splits_, &parked_}) {
    for (const WaitingSplit& split : *waiting) {
      if (split.parked) at.others.push_back(split.split.resume());
    }
  }
  at.kept_rows = std::exchange(kept_rows_, {});
  at.ended = ended();
  final_barrier_sent_ = barrier.final;
  return barrier;
}

std::optional<StreamMessage> ScanInput::NextWatermark(bool now) {
  if (!options_.streaming || watermark_micros_ <= sent_watermark_micros_) return std::nullopt;
  const int64_t now_micros = options_.clock->MonotonicMicros();
  if (!now && now_micros - last_watermark_sent_at_micros_ < kWatermarkIntervalMicros) {
    return std::nullopt;
  }
  // Rows held back are older than the watermark.
  if (!coalescer_.empty()) return std::nullopt;
  last_watermark_sent_at_micros_ = now_micros;
  sent_watermark_micros_ = watermark_micros_;
  return Watermark{watermark_micros_};
}

absl::StatusOr<std::optional<StreamMessage>> ScanInput::ReadSplit() {
  PollBudget budget;
  if (barriers_.waits()) {
    budget.rows_max =
        static_cast<int64_t>(std::min(static_cast<uint64_t>(budget.rows_max), RowsAllowed()));
  }
  if (rate_.limited()) {
    const int64_t now_micros = options_.clock->MonotonicMicros();
    budget.rows_max = std::min(budget.rows_max, rate_.Available(now_micros));
    if (budget.rows_max <= 0) {
      waiting_for_ = "rate";
      options_.timers->WakeAt(rate_.NextMicros(now_micros), options_.task);
      MR_ASSIGN_OR_RETURN(std::optional<Batch> rest, coalescer_.Flush());
      if (rest.has_value()) return *std::move(rest);
      if (auto watermark = NextWatermark(/*now=*/true)) return watermark;
      return std::nullopt;
    }
  }
  MR_FAILPOINT("scan.before_poll");
  Batch batch;
  const bool counts = rate_.limited() || barriers_.waits();
  const uint64_t rows_before = counts ? options_.source->Position().rows() : 0;
  MR_ASSIGN_OR_RETURN(const PollResult result, options_.source->Poll(budget, &batch));
  const uint64_t num_rows = counts ? options_.source->Position().rows() - rows_before : 0;
  if (rate_.limited()) rate_.Take(static_cast<int64_t>(num_rows));
  if (barriers_.waits() && num_rows > 0) {
    barriers_.Spend(num_rows);
    had_less_ = false;
  }
  MR_CRASHPOINT_AT("scan.row",
                   options_.source->Position().rows() - static_cast<uint64_t>(batch.num_rows()) + 1,
                   options_.source->Position().rows());
  const bool idle = result == PollResult::kIdle && batch.num_rows() == 0;
  if (!idle || !options_.source->caught_up()) {
    open_.last_rows_at_micros = options_.clock->MonotonicMicros();
  }
  if (idle) {
    open_.last_idle_at_micros = options_.clock->MonotonicMicros();
    waiting_for_ = std::string(options_.source->waiting_for());
    had_less_ = true;
  }
  if (idle && TakesTurns(open_.split)) {
    ParkSplit();
    return Batch();
  }
  if (idle) {
    const int64_t retry_micros =
        std::min(kIdleRetryMicros, options_.source->follow_policy().interval_micros);
    options_.timers->WakeAt(options_.clock->MonotonicMicros() + retry_micros, options_.task);
    MR_ASSIGN_OR_RETURN(std::optional<Batch> rest, coalescer_.Flush());
    if (rest.has_value()) return *std::move(rest);
    if (auto watermark = NextWatermark(/*now=*/true)) return watermark;
    return std::nullopt;
  }
  MR_ASSIGN_OR_RETURN(std::optional<Batch> ready, ProcessRows(std::move(batch)));
  if (result == PollResult::kEnd) {
    FinishSplit();
  } else if (open_.split.has_kafka() && TakesTurns(open_.split)) {
    PassTurn();
  }
  AdvanceWatermark();
  // An empty batch means: something was done, poll again.
  return std::move(ready).value_or(Batch());
}

absl::StatusOr<std::optional<StreamMessage>> ScanInput::OpenNextSplit() {
  open_ = std::move(splits_.front());
  splits_.pop_front();
  const v1::Split& split = open_.split;
  const v1::SplitPosition& resume = split.resume();
  resumed_late_rows_ = resume.late_rows();
  resumed_bad_rows_ = resume.bad_rows();
  if (!open_.parked) {
    resumed_.late += resume.late_rows();
    resumed_.bad += resume.bad_rows();
  }
  split_late_rows_ = 0;
  lateness_.BeginSplit(resume.has_max_time() ? std::optional<int64_t>(resume.max_time_micros())
                                             : std::nullopt);
  if (resume.ended()) {
    // Known from the checkpoint only, for the counters and the next positions.
    finished_positions_.push_back(resume);
    finished_split_ids_.push_back(split.id());
    return Batch();
  }
  MR_RETURN_IF_ERROR(options_.source->Open(split));
  split_open_ = true;
  // Whether a source counts for each split or for all of them, the difference is the split's.
  bad_rows_at_open_ = options_.source->bad_rows();
  AdvanceWatermark();
  return Batch();
}

bool ScanInput::TakesTurns(const v1::Split& split) const {
  return split.file().follow() || (options_.streaming && split.has_kafka());
}

ScanInput::WaitingSplit ScanInput::LeaveSplit() {
  CollectKeptRows();
  *open_.split.mutable_resume() = CurrentPosition();
  open_.parked = true;
  bad_rows_ += bad_rows_in_split();
  split_open_ = false;
  return std::exchange(open_, WaitingSplit());
}

// A split that follows its input makes room for the next one when it has nothing more, and is
// opened again, at its position, after a while.
void ScanInput::ParkSplit() {
  if (parked_.empty()) {
    next_look_micros_ =
        options_.clock->MonotonicMicros() + options_.source->follow_policy().interval_micros;
  }
  parked_.push_back(LeaveSplit());
  AdvanceWatermark();
}

void ScanInput::PassTurn() {
  WakeParkedSplits();
  if (!splits_.empty()) splits_.push_back(LeaveSplit());
}

void ScanInput::WakeParkedSplits() {
  if (parked_.empty() || options_.clock->MonotonicMicros() < next_look_micros_) return;
  splits_.insert(splits_.end(), std::make_move_iterator(parked_.begin()),
                 std::make_move_iterator(parked_.end()));
  parked_.clear();
}

absl::StatusOr<std::optional<StreamMessage>> ScanInput::EndOrWait() {
  MR_ASSIGN_OR_RETURN(std::optional<Batch> rest, coalescer_.Flush());
  if (rest.has_value()) return *std::move(rest);
  if (!parked_.empty() && timer_micros_ != next_look_micros_) {
    timer_micros_ = next_look_micros_;
    options_.timers->WakeAt(timer_micros_, options_.task);
  }
  if (!no_more_splits_) {
    if (auto watermark = NextWatermark(/*now=*/true)) return watermark;
    // A split that is parked has said what it waits for.
    if (parked_.empty()) waiting_for_ = "split";
    if (all_idle_) waiting_for_ = "idle";
    if (!request_open_ && options_.requester != nullptr) {
      request_open_ = true;
      answer_awaited_ = true;
      options_.requester->RequestSplits(options_.scan_id, options_.task_index,
                                        std::exchange(finished_split_ids_, {}));
    }
    return std::nullopt;
  }
  if (!options_.streaming) {
    end_sent_ = true;
    return EndOfStream();
  }
  // The tasks that still read may have this one's share of the rate.
  if (rate_.limited() && !finished_split_ids_.empty() && options_.requester != nullptr) {
    options_.requester->RequestSplits(options_.scan_id, options_.task_index,
                                      std::exchange(finished_split_ids_, {}));
  }
  if (auto watermark = NextWatermark(/*now=*/true)) return watermark;
  if (parked_.empty()) waiting_for_ = "barrier";
  if (all_idle_) waiting_for_ = "idle";
  return std::nullopt;
}

absl::StatusOr<std::optional<Batch>> ScanInput::ProcessRows(Batch batch) {
  if (batch.num_rows() == 0) return std::nullopt;
  decoded_rows_ += static_cast<uint64_t>(batch.num_rows());
  if (options_.time_column.has_value()) {
    MR_ASSIGN_OR_RETURN(batch, SetLateRowsApart(std::move(batch)));
  }
  if (batch.num_columns() > options_.num_columns) {
    auto columns = batch.columns();
    columns.resize(static_cast<size_t>(options_.num_columns));
    batch = batch.WithColumns(std::move(columns));
  }
  if (options_.filter == nullptr || batch.num_rows() == 0) return batch;
  selected_.clear();
  MR_RETURN_IF_ERROR(options_.filter->Select(batch, &selected_));
  const auto num_selected = static_cast<int64_t>(selected_.size());
  if (num_selected < batch.num_rows()) {
    MR_ASSIGN_OR_RETURN(batch, TakeRows(batch, selected_.data(), num_selected));
  }
  return coalescer_.Add(std::move(batch));
}

absl::StatusOr<Batch> ScanInput::SetLateRowsApart(Batch batch) {
  // The watermark is ahead of a split's own only if that was idle, or has come later than it: what
  // the operators behind have closed by now is not opened again.
  MR_ASSIGN_OR_RETURN(const int64_t num_late, lateness_.Select(*batch.column(*options_.time_column),
                                                               watermark_micros_, &selected_));
  if (options_.late_rows_only) {
    if (num_late == 0) return Batch();
    std::vector<int32_t> late;
    size_t next = 0;
    for (int32_t row = 0; row < batch.num_rows(); ++row) {
      if (next < selected_.size() && selected_[next] == row) {
        ++next;
      } else {
        late.push_back(row);
      }
    }
    return TakeRows(batch, late.data(), static_cast<int64_t>(late.size()));
  }
  if (num_late == 0) return batch;
  split_late_rows_ += static_cast<uint64_t>(num_late);
  late_rows_ += static_cast<uint64_t>(num_late);
  return TakeRows(batch, selected_.data(), static_cast<int64_t>(selected_.size()));
}

v1::SplitPosition ScanInput::CurrentPosition() const {
  v1::SplitPosition position = options_.source->Position();
  position.set_late_rows(resumed_late_rows_ + split_late_rows_);
  position.set_bad_rows(resumed_bad_rows_ + options_.source->bad_rows() - bad_rows_at_open_);
  if (const auto max_time = lateness_.max_time_micros()) {
    position.set_has_max_time(true);
    position.set_max_time_micros(*max_time);
  }
  return position;
}

void ScanInput::CollectKeptRows() {
  const uint64_t split_id = options_.source->Position().split_id();
  for (BadRow& row : options_.source->TakeBadRows()) {
    v1::KeptRow& kept = kept_rows_.emplace_back();
    kept.set_scan_id(options_.scan_id);
    kept.set_split_id(split_id);
    kept.set_path(std::move(row.path));
    kept.set_position(row.position);
    kept.set_line(row.line);
    kept.set_text(std::move(row.text));
    kept.set_reason(std::move(row.reason));
  }
}

void ScanInput::FinishSplit() {
  CollectKeptRows();
  v1::SplitPosition position = CurrentPosition();
  position.set_ended(true);
  finished_split_ids_.push_back(position.split_id());
  bad_rows_ += options_.source->bad_rows() - bad_rows_at_open_;
  // Bounded jobs report no positions.
  if (options_.streaming) finished_positions_.push_back(std::move(position));
  split_open_ = false;
}

void ScanInput::AdvanceWatermark() {
  if (!options_.time_column.has_value() || ended()) return;
  int64_t least = Watermark::kMaxWatermark;
  // Until all splits have a reader, some may hold older times.
  if (!no_more_splits_) least = unassigned_min_time_micros_.value_or(Watermark::kMinWatermark);
  least = std::min(least, LeastTimeInSplits());
  const bool has_splits = split_open_ || !splits_.empty() || !parked_.empty();
  all_idle_ = least == Watermark::kMaxWatermark && (reads_partitions_ || has_splits);
  // Without an end in sight, nothing to read says nothing of what will come: the scan goes on only
  // as far as its partitions, or others, have come.
  if (all_idle_) least = idle_time_micros_;
  if (all_idle_ && reads_partitions_) least = std::max(least, LargestTimeInSplits());
  if (least != Watermark::kMaxWatermark) watermark_micros_ = std::max(watermark_micros_, least);
}

std::optional<int64_t> ScanInput::WatermarkOf(const v1::Split& split) const {
  if (!split.resume().has_max_time()) return std::nullopt;
  LatenessTracker past(options_.delay_micros);
  past.BeginSplit(split.resume().max_time_micros());
  return past.watermark_micros();
}

int64_t ScanInput::LargestTimeInSplits() const {
  int64_t largest = Watermark::kMinWatermark;
  for (const auto* waiting : {&splits_, &parked_}) {
    for (const WaitingSplit& split : *waiting) {
      largest = std::max(largest, WatermarkOf(split.split).value_or(largest));
    }
  }
  if (split_open_) largest = std::max(largest, lateness_.watermark_micros().value_or(largest));
  return largest;
}

bool ScanInput::IsIdle(const WaitingSplit& waiting) const {
  if (!waiting.parked) return false;
  // Not the time now: while nobody looks, a split is not idle.
  const int64_t idle_micros = waiting.last_idle_at_micros - waiting.last_rows_at_micros;
  return idle_micros >= options_.source->follow_policy().idle_timeout_micros;
}

int64_t ScanInput::LeastTimeInSplits() const {
  int64_t least = Watermark::kMaxWatermark;
  const auto hold = [&least](const v1::Split& split, std::optional<int64_t> watermark) {
    const int64_t known =
        split.has_min_time_micros() ? split.min_time_micros() : Watermark::kMinWatermark;
    const int64_t bound = std::max(known, watermark.value_or(known));
    least = std::min(least, bound);
  };
  for (const auto* waiting : {&splits_, &parked_}) {
    for (const WaitingSplit& split : *waiting) {
      if (IsIdle(split)) continue;
      hold(split.split, WatermarkOf(split.split));
    }
  }
  if (split_open_ && !IsIdle(open_)) hold(open_.split, lateness_.watermark_micros());
  return least;
}

void ScanInput::Close(CloseReason) {
  if (closed_) return;
  closed_ = true;
  // The rows that were read are all that count; a source that cannot close has nothing to lose.
  options_.source->Close().IgnoreError();
}

void ScanInput::FillAck(uint64_t epoch, v1::EpochAck* ack) {
  const auto it = barrier_positions_.find(epoch);
  MR_CHECK(it != barrier_positions_.end());
  if (options_.requester != nullptr) {
    BarrierPositions& at = it->second;
    v1::ScanPositions* scan = ack->add_scans();
    scan->set_scan_id(options_.scan_id);
    if (at.open.has_value()) *scan->add_positions() = *std::move(at.open);
    if (options_.waits_for_allowance) {
      scan = ack->add_scans();
      scan->set_scan_id(options_.scan_id);
    }
    for (v1::SplitPosition& position : at.others) *scan->add_positions() = std::move(position);
  }
  for (v1::KeptRow& row : it->second.kept_rows) *ack->add_kept_rows() = std::move(row);
  if (!it->second.ended) ack->set_ended(false);
  barrier_positions_.erase(it);
}

DroppedRows ScanInput::dropped_rows() const {
  return {resumed_.late + late_rows_, resumed_.bad + bad_rows_ + bad_rows_in_split()};
}

void ScanInput::TakeKeptRows(std::vector<v1::KeptRow>* rows) {
  if (split_open_) CollectKeptRows();
  rows->insert(rows->end(), kept_rows_.begin(), kept_rows_.end());
  kept_rows_.clear();
}

uint64_t ScanInput::bad_rows_in_split() const {
  return split_open_ ? options_.source->bad_rows() - bad_rows_at_open_ : 0;
}

std::optional<uint64_t> ScanInput::rows_read() const {
  return decoded_rows_ + bad_rows_ + bad_rows_in_split();
}

}  // namespace millrace
