#include "coordinator/epoch/cut.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

absl::Status NotReady(uint64_t job_id) {
  ErrorDetail detail;
  detail.state = SqlState::kObjectNotInPrerequisiteState;
  detail.blame = Blame::kExternal;
  detail.retry = Retry::kSafe;
  detail.hint = "the job is starting, or restarting after a failure; try again";
  return MakeError(detail,
                   absl::StrCat("job ", job_id, " has published no epoch that can be read"));
}

}  // namespace

absl::StatusOr<Cut> ChooseCut(const std::vector<JobCutOffer>& jobs, std::optional<uint64_t> as_of) {
  Cut cut;
  uint64_t newest = UINT64_MAX;
  uint64_t newest_of_ended = 0;
  for (const JobCutOffer& job : jobs) {
    if (job.readable.empty()) return NotReady(job.job_id);
    if (job.running) {
      newest = std::min(newest, job.complete_through);
    } else {
      newest_of_ended = std::max(newest_of_ended, job.readable.back());
    }
  }
  if (newest == UINT64_MAX) newest = newest_of_ended;
  cut.epoch = as_of.value_or(newest);
  if (cut.epoch > newest) {
    return MakeError(
        SqlState::kInvalidParameterValue,
        absl::StrCat("epoch ", cut.epoch, " is not published yet, the newest is ", newest));
  }
  for (const JobCutOffer& job : jobs) {
    auto it = std::upper_bound(job.readable.begin(), job.readable.end(), cut.epoch);
    // It lags so much behind a job that is new: it will have caught up in a moment.
    if (it == job.readable.begin() && !as_of.has_value()) return NotReady(job.job_id);
    if (it == job.readable.begin()) {
      return MakeError(SqlState::kInvalidParameterValue,
                       absl::StrCat("epoch ", cut.epoch, " is not kept any more, the oldest is ",
                                    job.readable.front()));
    }
    cut.epoch_of_job[job.job_id] = *std::prev(it);
  }
  return cut;
}

}  // namespace millrace
