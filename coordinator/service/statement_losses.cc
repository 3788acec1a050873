#include "coordinator/service/statement_losses.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "coordinator/planner/explain.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

constexpr size_t kNamedMax = 8;

// Leaves in `common` what is in both, or else the newest.
template <typename T>
void KeepCommon(const std::set<T>& newest, std::set<T>& common) {
  std::set<T> both;
  std::set_intersection(common.begin(), common.end(), newest.begin(), newest.end(),
                        std::inserter(both, both.end()));
  common = both.empty() ? newest : std::move(both);
}

std::string TitlesOf(const std::set<uint32_t>& fragments, const v1::PhysicalPlan& plan) {
  std::vector<std::string> titles;
  for (const v1::Fragment& fragment : plan.fragments()) {
    if (!fragments.contains(fragment.id()) || titles.size() == kNamedMax) continue;
    titles.push_back(absl::StrCat("fragment ", fragment.id(), " (", FragmentTitle(fragment), ")"));
  }
  return absl::StrJoin(titles, ", ");
}

std::string NamesOf(const std::set<std::string>& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    if (names.size() == kNamedMax) break;
    names.push_back(absl::StrCat("\"", path, "\""));
  }
  const size_t more = paths.size() - names.size();
  return absl::StrCat(absl::StrJoin(names, ", "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

}  // namespace

std::optional<int64_t> StatementLosses::Add(const LostAttempt& lost) {
  const std::optional<int64_t> pause_micros = budget_.Spend(lost.rows_seen);
  ++num_attempts_;
  // The count begins again.
  if (pause_micros == AttemptBudget::kFirstPauseMicros) num_crashes_ = 0;
  if (lost.tasks.empty()) return pause_micros;
  ++num_crashes_;
  std::set<uint32_t> fragments;
  for (const TaskKey& task : lost.tasks) fragments.insert(task.fragment);
  KeepCommon(fragments, fragments_);
  KeepCommon(lost.reading, reading_);
  return pause_micros;
}

absl::Status StatementLosses::Error(const absl::Status& last, const v1::PhysicalPlan& plan) const {
  if (num_crashes_ < AttemptBudget::kFruitlessMax) {
    ErrorDetail detail = GetErrorDetail(last);
    detail.retry = Retry::kNever;
    detail.hint = "the statement itself may be what ends its workers: see their logs";
    return MakeError(detail, absl::StrCat("the statement was lost with its workers ", num_attempts_,
                                          " times without getting on: ", last.message()));
  }
  // Not a broken connection any more: who repeats it ends workers again.
  return MakeError(
      SqlState::kInternalError,
      absl::StrCat("worker processes have ended ", num_crashes_,
                   " times in a row while they ran the statement, without getting on: at last in ",
                   TitlesOf(fragments_, plan),
                   reading_.empty() ? "" : absl::StrCat(", while they read ", NamesOf(reading_)),
                   ": ", last.message()),
      "a row there, or another job on the same workers, probably ends the processes: see the "
      "workers' logs before you run it again");
}

}  // namespace millrace
