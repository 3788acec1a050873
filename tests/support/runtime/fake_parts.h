#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "millrace/v1/split.pb.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/status_matchers.h"
#include "worker/connectors/source.h"
#include "worker/runtime/scan_mailbox.h"
#include "worker/runtime/task_input.h"
#include "worker/runtime/task_output.h"
#include "worker/runtime/timer_queue.h"

// Hand-driven stand-ins for what surrounds a chain.

namespace millrace {

class ManualClock final : public Clock {
 public:
  int64_t MonotonicMicros() const override { return now_micros_; }
  int64_t WallMicros() const override { return now_micros_; }
  void Advance(int64_t micros) { now_micros_ += micros; }

 private:
  std::atomic<int64_t> now_micros_{1'000'000};
};

class ManualTimers final : public Timers {
 public:
  void WakeAt(int64_t monotonic_micros, std::weak_ptr<Wakeable>) override {
    wake_times.push_back(monotonic_micros);
  }
  std::vector<int64_t> wake_times;
};

class CountingWakeable final : public Wakeable {
 public:
  void Wake() override { ++wakes; }
  std::atomic<int> wakes{0};
};

// Gives out a script.
class ScriptedInput final : public TaskInput {
 public:
  absl::Status Open() override { return absl::OkStatus(); }
  absl::StatusOr<std::optional<StreamMessage>> Poll() override {
    ++polls;
    if (!failure.ok()) return failure;
    if (script.empty()) return std::nullopt;
    std::optional<StreamMessage> message(std::move(script.front()));
    script.pop_front();
    return message;
  }
  absl::string_view waiting_for() const override { return "input"; }
  void Close(CloseReason reason) override { closed = reason; }
  std::optional<ScanTime> scan_time() const override { return time; }

  std::optional<ScanTime> time;
  std::deque<StreamMessage> script;
  absl::Status failure;
  int polls = 0;
  std::optional<CloseReason> closed;
};

// Keeps everything, as text: "b:1,2" (rows of a batch), "w:10", "!3" (barrier), "end".
class CollectingOutput final : public TaskOutput {
 public:
  absl::Status Send(StreamMessage message) override {
    if (const auto* batch = std::get_if<Batch>(&message)) {
      std::string text = "b:";
      for (const std::string& row : RowsOf(*batch)) {
        absl::StrAppend(&text, text.size() > 2 ? "," : "", row);
      }
      log.push_back(text);
      if (room > 0) --room;
    } else if (const auto* watermark = std::get_if<Watermark>(&message)) {
      log.push_back(watermark->micros == Watermark::kMaxWatermark
                        ? "w:max"
                        : absl::StrCat("w:", watermark->micros));
    } else if (const auto* barrier = std::get_if<Barrier>(&message)) {
      log.push_back(absl::StrCat("!", barrier->epoch));
    } else {
      log.push_back("end");
    }
    return absl::OkStatus();
  }
  bool full() const override { return room == 0; }
  absl::Status Pump() override { return absl::OkStatus(); }
  absl::Status FlushPartial() override { return absl::OkStatus(); }
  bool drained() const override { return true; }
  bool closed() const override { return is_closed; }
  void Close(CloseReason) override {}
  SentBytes sent_bytes() const override { return {}; }

  std::vector<std::string> Take() { return std::exchange(log, {}); }

  std::vector<std::string> log;
  // Batches that still fit; negative = any number.
  int room = -1;
  bool is_closed = false;
};

// Polls until there is nothing; the messages as CollectingOutput writes them, but no empty batches.
inline std::vector<std::string> DrainInput(TaskInput& input) {
  CollectingOutput log;
  while (true) {
    auto message = input.Poll();
    EXPECT_OK(message);
    if (!message.ok() || !message->has_value()) return log.log;
    const auto* batch = std::get_if<Batch>(&**message);
    if (batch != nullptr && batch->num_rows() == 0) continue;
    EXPECT_OK(log.Send(**message));
  }
}

// Splits are lists of batches: split i gives out batches[i].
class ListSource final : public Source {
 public:
  explicit ListSource(std::vector<std::vector<Batch>> splits) : splits_(std::move(splits)) {}

  absl::Status Open(const v1::Split& split) override {
    position_ = v1::SplitPosition();
    position_.set_split_id(split.id());
    position_.set_rows(split.resume().rows());
    next_ = 0;
    return absl::OkStatus();
  }
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override {
    const auto& batches = splits_.at(position_.split_id());
    *batch = Batch();
    if (next_ == batches.size()) return PollResult::kEnd;
    *batch = batches[next_];
    if (batch->num_rows() > budget.rows_max) *batch = batch->Slice(0, budget.rows_max);
    ++next_;
    position_.set_rows(position_.rows() + static_cast<uint64_t>(batch->num_rows()));
    return PollResult::kRows;
  }
  v1::SplitPosition Position() const override { return position_; }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const std::vector<std::vector<Batch>> splits_;
  v1::SplitPosition position_;
  size_t next_ = 0;
};

class CountingRequester final : public SplitRequester {
 public:
  void RequestSplits(uint32_t, uint32_t, const std::vector<uint64_t>& finished) override {
    ++requests;
    finished_ids.insert(finished_ids.end(), finished.begin(), finished.end());
  }
  int requests = 0;
  std::vector<uint64_t> finished_ids;
};

}  // namespace millrace
