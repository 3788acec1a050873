#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "common/types/batch.h"
#include "worker/runtime/batch_coalescer.h"
#include "worker/runtime/task_output.h"
#include "worker/runtime/wakeable.h"

namespace millrace {

// Rows of one root task on their way to the one who fetches the result. Bounded: the task stops
// while it is full. Thread-safe; one producer, one reader.
class ResultQueue {
 public:
  explicit ResultQueue(int64_t bytes_max) : bytes_max_(bytes_max) {}

  // Producer. Wakes the reader.
  void SetTask(std::weak_ptr<Wakeable> task);
  void Push(Batch batch);
  // No more rows come: the task is done, or it failed. The first call counts.
  void Finish(absl::Status status);
  bool full() const;
  // The reader has gone: rows are dropped.
  bool closed() const;

  // Reader. What Pop found.
  struct Item {
    std::optional<Batch> batch;
    // Set at the end, after the last batch.
    std::optional<absl::Status> end;
  };
  // Takes the only reader's place; `ready` is called, without a lock, whenever Pop may find
  // something after it found nothing. False if somebody has read before: rows are given out once.
  bool Attach(std::function<void()> ready);
  // Nothing set: call again after `ready`.
  Item Pop();
  // The reader wants no more.
  void Close();
  // True when the end was read or the reader has gone.
  bool finished_reading() const;

 private:
  void WakeTask();

  const int64_t bytes_max_;
  mutable Mutex mutex_;
  std::weak_ptr<Wakeable> task_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> ready_ ABSL_GUARDED_BY(mutex_);
  bool attached_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool end_read_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Batch> batches_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

// Puts a task's rows into a ResultQueue, in batches of a good size and without dictionaries. The
// one who made the queue calls Finish when the task is done.
class ResultOutput final : public TaskOutput {
 public:
  explicit ResultOutput(std::shared_ptr<ResultQueue> queue) : queue_(std::move(queue)) {}

  absl::Status Send(StreamMessage message) override;
  bool full() const override { return queue_->full(); }
  absl::Status Pump() override { return absl::OkStatus(); }
  absl::Status FlushPartial() override;
  bool drained() const override { return true; }
  bool closed() const override { return queue_->closed(); }
  void Close(CloseReason) override {}
  SentBytes sent_bytes() const override { return sent_; }

 private:
  const std::shared_ptr<ResultQueue> queue_;
  BatchCoalescer coalescer_;
  SentBytes sent_;
};

}  // namespace millrace
