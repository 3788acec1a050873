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

// About a thirtieth from level to level; the first one does not slow anybody down.
constexpr RestartPolicy::ReadLimit kLimits[] = {{1 << 20}, {1 << 15}, {1 << 10},
                                                {32},      {1},       {1, /*in_turns=*/true}};

// Leaves in `suspects` what is in both sets, or all of `lost` and returns false if that is nothing.
bool KeepCommon(const std::set<TaskKey>& lost, std::set<TaskKey>& suspects) {
  std::set<TaskKey> both;
  std::set_intersection(suspects.begin(), suspects.end(), lost.begin(), lost.end(),
                        std::inserter(both, both.end()));
  const bool common = !both.empty();
  suspects = common ? std::move(both) : lost;
  return common;
}

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
                                                     uint64_t rows_read,
                                                     const std::set<SplitKey>& reading, Turn turn) {
  ++failures_;
  // Of an epoch whose rows are known the place is known too; else it is behind everything that was
  // seen.
  failed_at_rows_ = reading.empty() ? std::max(failed_at_rows_, rows_read) : rows_read;
  if (level_ == 0 && failures_ >= kCarefulFailures) {
    level_ = 1;
    checkpoints_left_ = kLevelCheckpoints;
  }
  if (!IsLoss(cause)) {
    return MayPass(cause) && ++errors_ <= kErrorsMax ? Verdict::kRestart : Verdict::kFail;
  }
  if (lost_tasks.empty()) return Verdict::kRestart;
  CountCrash(lost_tasks, turn);
  if (!reading.empty()) return NarrowDown(lost_tasks, reading);
  return crashes_ >= kCrashesMax ? Verdict::kFailCrash : Verdict::kRestart;
}

void RestartPolicy::CountCrash(const std::set<TaskKey>& lost_tasks, Turn turn) {
  const bool had_turn = on_trial();
  crashes_ = KeepCommon(lost_tasks, suspects_) ? crashes_ + 1 : 1;
  if (turn == Turn::kOwn || !had_turn || !on_trial()) return;
  // It ran alone, and nothing ended: what its earlier turns have shown does not hold.
  crashes_ = kTrialCrashesMin;
  longer_turns_ = std::min(longer_turns_ + 1, kLongerTurnsMax);
}

RestartPolicy::Verdict RestartPolicy::NarrowDown(const std::set<TaskKey>& lost_tasks,
                                                 const std::set<SplitKey>& reading) {
  const bool first = level_suspects_.empty();
  // If there is no common task, one of the losses was only a loss.
  const bool same = KeepCommon(lost_tasks, level_suspects_) || first;
  const bool same_split = reading == std::exchange(suspected_splits_, reading);
  const bool was_last = level_ == std::size(kLimits);
  if (same && !was_last) ++level_;
  // In turns, it is over when every split that is suspected has had its own.
  const bool is_last = level_ == std::size(kLimits);
  checkpoints_left_ = is_last ? static_cast<int>(reading.size()) : kLevelCheckpoints;
  if (!was_last) return Verdict::kRestart;
  row_crashes_ = same_split ? row_crashes_ + 1 : 1;
  return row_crashes_ >= kRowCrashesMin && crashes_ >= kCrashesMax ? Verdict::kFailRow
                                                                   : Verdict::kRestart;
}

void RestartPolicy::OnProgress(uint64_t rows_read) {
  failures_ = 0;
  errors_ = 0;
  crashes_ = 0;
  longer_turns_ = 0;
  row_crashes_ = 0;
  suspects_.clear();
  if (rows_read <= failed_at_rows_) return;
  if (level_ == 0 || --checkpoints_left_ <= 0) EndLevel();
}

void RestartPolicy::EndLevel() {
  level_ = 0;
  failed_at_rows_ = 0;
  level_suspects_.clear();
  suspected_splits_.clear();
}

void RestartPolicy::OnCaughtUp() {
  failures_ = 0;
  crashes_ = 0;
  longer_turns_ = 0;
  row_crashes_ = 0;
  suspects_.clear();
}

void RestartPolicy::OnOtherLoss() { crashes_ = std::min(crashes_, kTrialCrashesMin); }

std::optional<RestartPolicy::ReadLimit> RestartPolicy::limit() const {
  if (level_ == 0) return std::nullopt;
  return kLimits[level_ - 1];
}

int64_t RestartPolicy::PauseMicros() const {
  const int doublings = std::clamp(failures_ - 1, 0, kPauseDoublings);
  return std::min(kPauseMaxMicros, kPauseMicros << doublings);
}

}  // namespace millrace
