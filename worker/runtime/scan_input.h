#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/expr/evaluator.h"
#include "millrace/v1/split.pb.h"
#include "worker/connectors/source.h"
#include "worker/runtime/batch_coalescer.h"
#include "worker/runtime/lateness_tracker.h"
#include "worker/runtime/pending_barriers.h"
#include "worker/runtime/rate_limiter.h"
#include "worker/runtime/scan_mailbox.h"
#include "worker/runtime/task_input.h"
#include "worker/runtime/timer_queue.h"

namespace millrace {

struct ScanOptions {
  uint32_t scan_id = 0;
  uint32_t task_index = 0;
  bool streaming = false;
  std::unique_ptr<Source> source;
  // Null = every row passes. Over the first num_columns columns of the source.
  std::unique_ptr<Evaluator> filter;
  // Columns of the output; the source may give one more, the event time.
  int num_columns = 0;
  // Position of the event time in the source's columns; unset = rows are never late and no
  // watermark is made.
  std::optional<int> time_column;
  int64_t delay_micros = 0;
  // The scan gives out the late rows and leaves out the others.
  bool late_rows_only = false;
  // Of all the scan's tasks together; 0 = as fast as possible.
  double rows_per_second = 0;
  // Tasks of the scan; they share the rate until the coordinator says how many have work.
  uint32_t num_tasks = 1;
  // Where the watermark stood at the checkpoint that the job was restored from.
  int64_t initial_watermark_micros = Watermark::kMinWatermark;
  // Rows are read only as far as the next barrier allows it, until one comes without an allowance.
  // A scan without a requester does not wait.
  bool waits_for_allowance = false;
  std::shared_ptr<ScanMailbox> mailbox;
  // Borrowed. No requester: the mailbox was filled when the scan was made, and that is all.
  SplitRequester* requester = nullptr;
  Timers* timers = nullptr;
  const Clock* clock = nullptr;
  std::weak_ptr<Wakeable> task;
};

// Reads the splits that the coordinator hands out: sets late rows apart, filters, limits the rate,
// makes watermarks, and in streaming jobs puts the coordinator's barriers between batches, with the
// positions that belong to them.
//
// In a streaming job a scan whose splits have all ended raises its watermark to the maximum and
// stays, to pass on barriers; the stream ends after the final one.
//
// While it waits for allowances, a scan reads what the next barrier lets it read, or what there is
// now if that is less, and passes the barrier on; splits are opened without being asked. So the
// rows of an epoch can be counted, and are known before they are read: the acknowledgement then has
// two entries for the scan, the position of the open split, if there is one, and those of the
// others.
class ScanInput final : public TaskInput {
 public:
  explicit ScanInput(ScanOptions options);
  ~ScanInput() override;

  absl::Status Open() override;
  absl::StatusOr<std::optional<StreamMessage>> Poll() override;
  absl::string_view waiting_for() const override { return waiting_for_; }
  void Close(CloseReason reason) override;
  void FillAck(uint64_t epoch, v1::EpochAck* ack) override;
  DroppedRows dropped_rows() const override;
  std::optional<uint64_t> rows_read() const override;
  std::optional<ScanTime> scan_time() const override {
    if (!options_.time_column.has_value()) return std::nullopt;
    return ScanTime{options_.scan_id, all_idle_, watermark_micros_};
  }
  void TakeKeptRows(std::vector<v1::KeptRow>* rows) override;

 private:
  struct BarrierPositions;
  // A split that is not open: assigned and not begun, or one that may grow and had nothing more, or
  // that has made room for others.
  struct WaitingSplit {
    v1::Split split;
    // Was open in this attempt.
    bool parked = false;
    int64_t last_rows_at_micros = 0;
    // When its source last said that there is nothing more now.
    int64_t last_idle_at_micros = 0;
  };

  uint64_t bad_rows_in_split() const;
  void ReadMailbox();
  std::optional<StreamMessage> NextBarrier();
  // Before the next barrier passes.
  uint64_t RowsAllowed() const { return barriers_.RowsAllowed(split_open_); }
  bool MayRead() const { return !barriers_.waits() || RowsAllowed() > 0; }
  absl::StatusOr<std::optional<StreamMessage>> ReadOn();
  std::optional<StreamMessage> AwaitAllowance();
  // A watermark, if it has risen and it is time to say so.
  std::optional<StreamMessage> NextWatermark(bool now);
  absl::StatusOr<std::optional<StreamMessage>> ReadSplit();
  absl::StatusOr<std::optional<StreamMessage>> OpenNextSplit();
  // Whether the source may give rows of the split, go on to another one, and come back to it.
  bool TakesTurns(const v1::Split& split) const;
  // Takes leave of the open split for a while.
  WaitingSplit LeaveSplit();
  // … until its input is looked at again.
  void ParkSplit();
  // … until the other splits that may have rows had their turn.
  void PassTurn();
  // All parked splits are read again when their time has come.
  void WakeParkedSplits();
  bool IsIdle(const WaitingSplit& waiting) const;
  absl::StatusOr<std::optional<StreamMessage>> EndOrWait();
  absl::StatusOr<std::optional<Batch>> ProcessRows(Batch batch);
  absl::StatusOr<Batch> SetLateRowsApart(Batch batch);
  // Takes what the source has kept of the open split.
  void CollectKeptRows();
  // Least time that the open split or a waiting one can still give; kMaxWatermark if all are idle.
  int64_t LeastTimeInSplits() const;
  // Watermark of a split that is not open.
  std::optional<int64_t> WatermarkOf(const v1::Split& split) const;
  // Largest watermark of the splits.
  int64_t LargestTimeInSplits() const;
  v1::SplitPosition CurrentPosition() const;
  void FinishSplit();
  void AdvanceWatermark();
  bool ended() const {
    return no_more_splits_ && !split_open_ && splits_.empty() && parked_.empty();
  }

  const ScanOptions options_;
  LatenessTracker lateness_;
  RateLimiter rate_;
  BatchCoalescer coalescer_;

  std::unique_ptr<ScanMailbox::Content> incoming_;
  std::deque<WaitingSplit> splits_;
  std::deque<WaitingSplit> parked_;
  // When parked splits are looked at again; meaningful if there are some.
  int64_t next_look_micros_ = 0;
  // The look that a timer is set for.
  int64_t timer_micros_ = 0;
  bool no_more_splits_ = false;
  // The splits are partitions of a topic.
  bool reads_partitions_ = false;
  // The scan has splits that may grow, and no others, and all are idle.
  bool all_idle_ = false;
  std::optional<int64_t> unassigned_min_time_micros_;
  // How far it may go on then, as the coordinator has told.
  int64_t idle_time_micros_ = Watermark::kMinWatermark;
  PendingBarriers barriers_;
  // The last look has found that there is nothing more now.
  bool had_less_ = false;
  bool request_open_ = false;
  // … and nothing was heard since; the coordinator always answers.
  bool answer_awaited_ = false;
  std::vector<uint64_t> finished_split_ids_;

  bool split_open_ = false;
  WaitingSplit open_;
  // Counters that the split brought along from the checkpoint it was resumed from.
  uint64_t resumed_late_rows_ = 0;
  uint64_t resumed_bad_rows_ = 0;
  uint64_t split_late_rows_ = 0;
  uint64_t bad_rows_at_open_ = 0;
  DroppedRows resumed_;
  // Of this attempt; bad rows without those of the open split.
  uint64_t late_rows_ = 0;
  uint64_t bad_rows_ = 0;
  // Of this attempt, without the bad ones.
  uint64_t decoded_rows_ = 0;
  // Splits that were read to their end in this attempt.
  std::vector<v1::SplitPosition> finished_positions_;
  // Since the last barrier.
  std::vector<v1::KeptRow> kept_rows_;
  // By epoch, until the acknowledgement takes them.
  std::map<uint64_t, BarrierPositions> barrier_positions_;

  int64_t watermark_micros_;
  int64_t sent_watermark_micros_ = Watermark::kMinWatermark;
  int64_t last_watermark_sent_at_micros_ = 0;
  bool final_barrier_sent_ = false;
  bool end_sent_ = false;
  bool closed_ = false;
  std::string waiting_for_ = "split";
  std::vector<int32_t> selected_;
};

}  // namespace millrace
