#include "coordinator/scheduler/split_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

// Many small splits go out in handfuls: a round trip for each would cost more than reading it.
constexpr size_t kSplitsPerRequestMax = 8;
// As long as every task can still ask this often, nobody ends up with much more than the others.
constexpr size_t kRequestsPerTask = 4;

}  // namespace

SplitPool::SplitPool(ScanSplits splits, uint32_t num_tasks)
    : scan_id_(splits.scan_id),
      fragment_(splits.fragment),
      order_(splits.order),
      num_tasks_(std::max<uint32_t>(num_tasks, 1)) {
  for (v1::Split& split : splits.splits) {
    if (split.worker_id() == 0) {
      free_.push_back(std::move(split));
    } else {
      bound_[WorkerId(split.worker_id())].push_back(std::move(split));
    }
  }
}

SplitPool::Answer SplitPool::Request(uint32_t task_index, WorkerId worker) {
  Answer answer;
  std::deque<v1::Split>& bound = bound_[worker];
  const size_t left = bound.size() + free_.size();
  size_t count = 1;
  if (order_ == SplitOrder::kAny) {
    count = std::clamp<size_t>(left / (kRequestsPerTask * num_tasks_), 1, kSplitsPerRequestMax);
  }
  for (; count > 0 && bound.size() + free_.size() > 0; --count) {
    std::deque<v1::Split>& from = bound.empty() ? free_ : bound;
    answer.splits.push_back(std::move(from.front()));
    from.pop_front();
  }
  answer.end = bound.empty() && free_.empty();
  if (answer.end) ended_tasks_.insert(task_index);
  return answer;
}

std::vector<uint32_t> SplitPool::TakeTasksToEnd() {
  std::vector<uint32_t> tasks;
  if (order_ != SplitOrder::kEventTime || num_unassigned() > 0) return tasks;
  for (uint32_t task = 0; task < num_tasks_; ++task) {
    if (ended_tasks_.insert(task).second) tasks.push_back(task);
  }
  return tasks;
}

absl::Status SplitPool::CheckReachable(const std::vector<v1::TaskPlacement>& placements) const {
  for (const auto& [worker, splits] : bound_) {
    const bool reachable = std::any_of(
        placements.begin(), placements.end(), [this, id = worker](const v1::TaskPlacement& task) {
          return task.fragment() == fragment_ && task.worker_id() == id.value();
        });
    if (!reachable && !splits.empty()) {
      return MakeError(SqlState::kInsufficientResources,
                       absl::StrCat("view rows on worker ", worker.value(),
                                    " cannot be reached with this parallelism"),
                       "raise the setting parallelism to at least the number of workers");
    }
  }
  return absl::OkStatus();
}

size_t SplitPool::num_unassigned() const {
  size_t count = free_.size();
  for (const auto& [worker, splits] : bound_) count += splits.size();
  return count;
}

ScanSplits ResumeSplits(ScanSplits splits, const std::vector<v1::SplitPosition>& positions) {
  std::map<uint64_t, const v1::SplitPosition*> by_id;
  for (const v1::SplitPosition& position : positions) by_id[position.split_id()] = &position;
  std::vector<v1::Split> left;
  for (v1::Split& split : splits.splits) {
    auto it = by_id.find(split.id());
    if (it != by_id.end()) {
      if (it->second->ended()) continue;
      *split.mutable_resume() = *it->second;
    }
    left.push_back(std::move(split));
  }
  // What was begun comes first: the rest holds the watermark no more than it did before.
  std::stable_partition(left.begin(), left.end(),
                        [](const v1::Split& split) { return split.has_resume(); });
  splits.splits = std::move(left);
  return splits;
}

}  // namespace millrace
