#include "coordinator/job/restart_policy.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/status.h"

namespace millrace {
namespace {

constexpr int64_t kPauseMicros = 200'000;
constexpr int64_t kPauseMaxMicros = 10'000'000;
constexpr int kPauseDoublings = 6;
// One loss happens; the second one before a checkpoint is worth the work of more checkpoints.
constexpr int kCarefulFailures = 2;

bool MayPass(const absl::Status& cause) {
  const ErrorDetail detail = GetErrorDetail(cause);
  return detail.retry == Retry::kSafe || detail.state == SqlState::kIoError ||
         detail.state == SqlState::kDiskFull;
}

}  // namespace

bool IsLoss(const absl::Status& cause) {
  const ErrorDetail detail = GetErrorDetail(cause);
  return detail.retry == Retry::kSafe && (detail.state == SqlState::kConnectionFailure ||
                                          detail.state == SqlState::kInsufficientResources);
}

RestartPolicy::Verdict RestartPolicy::OnAttemptEnded(const absl::Status& cause,
                                                     const std::set<TaskKey>& lost_tasks,
                                                     uint64_t rows_read) {
  ++failures_;
  failed_at_rows_ = std::max(failed_at_rows_, rows_read);
  careful_ = careful_ || failures_ >= kCarefulFailures;
  if (!IsLoss(cause)) {
    return MayPass(cause) && ++errors_ <= kErrorsMax ? Verdict::kRestart : Verdict::kFail;
  }
  if (lost_tasks.empty()) return Verdict::kRestart;
  std::set<TaskKey> both;
  std::set_intersection(suspects_.begin(), suspects_.end(), lost_tasks.begin(), lost_tasks.end(),
                        std::inserter(both, both.end()));
  crashes_ = both.empty() ? 1 : crashes_ + 1;
  suspects_ = both.empty() ? lost_tasks : std::move(both);
  return crashes_ >= kCrashesMax ? Verdict::kFailCrash : Verdict::kRestart;
}

void RestartPolicy::OnProgress(uint64_t rows_read) {
  failures_ = 0;
  errors_ = 0;
  crashes_ = 0;
  suspects_.clear();
  if (rows_read <= failed_at_rows_) return;
  careful_ = false;
  failed_at_rows_ = 0;
}

void RestartPolicy::OnCaughtUp() {
  failures_ = 0;
  crashes_ = 0;
  suspects_.clear();
}

int64_t RestartPolicy::PauseMicros() const {
  const int doublings = std::clamp(failures_ - 1, 0, kPauseDoublings);
  return std::min(kPauseMaxMicros, kPauseMicros << doublings);
}

}  // namespace millrace
