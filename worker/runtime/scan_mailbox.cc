#include "worker/runtime/scan_mailbox.h"

#include <algorithm>
#include <utility>

#include "millrace/v1/control.pb.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

ScanMailbox::ScanMailbox() : content_(std::make_unique<Content>()) {}
ScanMailbox::~ScanMailbox() = default;

void ScanMailbox::SetTask(std::weak_ptr<Wakeable> task) {
  MutexLock lock(mutex_);
  task_ = std::move(task);
}

void ScanMailbox::Assign(const v1::SplitAssignment& assignment) {
  {
    MutexLock lock(mutex_);
    content_->assigned = true;
    content_->splits.insert(content_->splits.end(), assignment.splits().begin(),
                            assignment.splits().end());
    content_->no_more_splits = content_->no_more_splits || assignment.end();
    content_->unassigned_min_time_micros =
        assignment.has_unassigned_min_time_micros()
            ? std::optional<int64_t>(assignment.unassigned_min_time_micros())
            : std::nullopt;
    if (assignment.has_idle_time_micros()) {
      content_->idle_time_micros =
          std::max(content_->idle_time_micros, assignment.idle_time_micros());
    }
    if (assignment.active_tasks() > 0) content_->active_tasks = assignment.active_tasks();
  }
  WakeTask();
}

void ScanMailbox::Inject(const Barrier& barrier, std::optional<ReadAllowance> allowance) {
  {
    MutexLock lock(mutex_);
    content_->barriers.push_back(barrier);
    content_->allowances.push_back(allowance);
    content_->splits_before.push_back(content_->splits.size());
  }
  WakeTask();
}

void ScanMailbox::Take(Content* content) {
  MutexLock lock(mutex_);
  const bool no_more_splits = content_->no_more_splits;
  const auto unassigned = content_->unassigned_min_time_micros;
  const uint32_t active_tasks = content_->active_tasks;
  std::swap(*content, *content_);
  *content_ = Content();
  content_->no_more_splits = no_more_splits;
  content_->unassigned_min_time_micros = unassigned;
  content_->active_tasks = active_tasks;
}

void ScanMailbox::WakeTask() {
  std::shared_ptr<Wakeable> task;
  {
    MutexLock lock(mutex_);
    task = task_.lock();
  }
  if (task != nullptr) task->Wake();
}

}  // namespace millrace
