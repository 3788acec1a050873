#include "worker/runtime/result_queue.h"

#include <utility>

#include "common/base/check.h"
#include "common/base/status.h"

namespace millrace {

void ResultQueue::SetTask(std::weak_ptr<Wakeable> task) {
  MutexLock lock(mutex_);
  task_ = std::move(task);
}

void ResultQueue::Push(Batch batch) {
  std::function<void()> ready;
  {
    MutexLock lock(mutex_);
    if (closed_ || end_.has_value()) return;
    bytes_ += batch.ByteSize();
    batches_.push_back(std::move(batch));
    ready = ready_;
  }
  if (ready) ready();
}

void ResultQueue::Finish(absl::Status status) {
  std::function<void()> ready;
  {
    MutexLock lock(mutex_);
    if (end_.has_value()) return;
    end_ = std::move(status);
    ready = ready_;
  }
  if (ready) ready();
}

bool ResultQueue::full() const {
  MutexLock lock(mutex_);
  return !closed_ && bytes_ >= bytes_max_;
}

bool ResultQueue::closed() const {
  MutexLock lock(mutex_);
  return closed_;
}

bool ResultQueue::Attach(std::function<void()> ready) {
  MutexLock lock(mutex_);
  if (attached_) return false;
  attached_ = true;
  ready_ = std::move(ready);
  return true;
}

ResultQueue::Item ResultQueue::Pop() {
  Item item;
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (!batches_.empty()) {
      const bool was_full = bytes_ >= bytes_max_;
      item.batch = std::move(batches_.front());
      batches_.pop_front();
      bytes_ -= item.batch->ByteSize();
      wake = was_full && bytes_ < bytes_max_;
    } else if (end_.has_value()) {
      item.end = end_;
      end_read_ = true;
    }
  }
  if (wake) WakeTask();
  return item;
}

void ResultQueue::Close() {
  // What goes away here may call back.
  std::function<void()> ready;
  std::deque<Batch> batches;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    ready.swap(ready_);
    batches.swap(batches_);
    bytes_ = 0;
  }
  WakeTask();
}

bool ResultQueue::finished_reading() const {
  MutexLock lock(mutex_);
  return closed_ || end_read_;
}

void ResultQueue::WakeTask() {
  std::shared_ptr<Wakeable> task;
  {
    MutexLock lock(mutex_);
    task = task_.lock();
  }
  if (task != nullptr) task->Wake();
}

absl::Status ResultOutput::Send(StreamMessage message) {
  std::optional<Batch> ready;
  if (auto* batch = std::get_if<Batch>(&message)) {
    MR_ASSIGN_OR_RETURN(Batch plain, DecodeDictionaries(*batch));
    MR_ASSIGN_OR_RETURN(ready, coalescer_.Add(std::move(plain)));
  } else if (std::holds_alternative<EndOfStream>(message)) {
    MR_ASSIGN_OR_RETURN(ready, coalescer_.Flush());
  }
  if (!ready.has_value()) return absl::OkStatus();
  sent_.remote += static_cast<uint64_t>(ready->ByteSize());
  queue_->Push(*std::move(ready));
  return absl::OkStatus();
}

absl::Status ResultOutput::FlushPartial() {
  MR_ASSIGN_OR_RETURN(std::optional<Batch> ready, coalescer_.Flush());
  if (!ready.has_value()) return absl::OkStatus();
  sent_.remote += static_cast<uint64_t>(ready->ByteSize());
  queue_->Push(*std::move(ready));
  return absl::OkStatus();
}

}  // namespace millrace
