#include "coordinator/job/ended_attempts.h"

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

size_t BytesOf(const AttemptTasks& attempt) {
  size_t bytes = attempt.plan->ByteSizeLong();
  for (const v1::TaskProgress& task : attempt.tasks) bytes += task.ByteSizeLong();
  return bytes;
}

}  // namespace

void EndedAttempts::Remember(AttemptTasks attempt) {
  const auto same = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.attempt.job_id == attempt.job_id;
  });
  if (same != entries_.end()) {
    bytes_ -= same->bytes;
    entries_.erase(same);
  }
  const size_t bytes = BytesOf(attempt);
  bytes_ += bytes;
  entries_.push_back({std::move(attempt), bytes});
  while (entries_.size() > kAttemptsMax || (bytes_ > kBytesMax && entries_.size() > 1)) {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
  }
}

const AttemptTasks* EndedAttempts::Find(uint64_t job_id) const {
  for (const Entry& entry : entries_) {
    if (entry.attempt.job_id == job_id) return &entry.attempt;
  }
  return nullptr;
}

std::vector<AttemptTasks> EndedAttempts::All() const {
  std::vector<AttemptTasks> all;
  for (const Entry& entry : entries_) all.push_back(entry.attempt);
  return all;
}

}  // namespace millrace
