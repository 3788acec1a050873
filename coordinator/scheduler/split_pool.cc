#include "coordinator/scheduler/split_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/connector_spec/kafka_options.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

// Many small splits go out in handfuls: a round trip for each would cost more than reading it.
constexpr size_t kSplitsPerRequestMax = 8;
// As long as every task can still ask this often, nobody ends up with much more than the others.
constexpr size_t kRequestsPerTask = 4;

// Of a file, or a partition, that had appeared after the start.
v1::Split SplitOfPosition(const v1::SplitPosition& position, SplitOrder order) {
  v1::Split split;
  std::string topic;
  int32_t partition = 0;
  if (order == SplitOrder::kPartitions &&
      ParseKafkaPartitionName(position.path(), &topic, &partition)) {
    split.mutable_kafka()->set_topic(topic);
    split.mutable_kafka()->set_partition(partition);
    return split;
  }
  split.mutable_file()->set_path(position.path());
  // Only files that may grow tell the beginning of theirs.
  split.mutable_file()->set_follow(position.head_bytes() > 0);
  return split;
}

}  // namespace

SplitPool::SplitPool(ScanSplits splits, uint32_t num_tasks)
    : scan_id_(splits.scan_id),
      fragment_(splits.fragment),
      order_(splits.order),
      num_tasks_(std::max<uint32_t>(num_tasks, 1)),
      follows_(splits.follows),
      one_at_a_time_(splits.one_at_a_time),
      held_(splits.held),
      known_files_(splits.ended_files.begin(), splits.ended_files.end()) {
  // Also the numbers of splits that had ended before a restart stay taken.
  next_id_ = splits.next_id;
  num_readers_ = std::clamp<uint32_t>(static_cast<uint32_t>(splits.splits.size()), 1, num_tasks_);
  for (v1::Split& split : splits.splits) {
    next_id_ = std::max(next_id_, split.id() + 1);
    if (follows_) known_files_.insert(SplitPath(split));
    if (order_ == SplitOrder::kPartitions) {
      ShareOut(std::move(split));
    } else if (split.worker_id() == 0) {
      const bool all_to_one = follows_ && order_ == SplitOrder::kEventTime;
      const auto task = static_cast<uint32_t>(free_.size());
      if (one_at_a_time_ && !all_to_one && task < num_tasks_) reserved_[split.id()] = task;
      free_.push_back(std::move(split));
    } else {
      bound_[WorkerId(split.worker_id())].push_back(std::move(split));
    }
  }
}

void SplitPool::ShareOut(v1::Split split) {
  own_[num_shared_out_++ % num_readers_].push_back(std::move(split));
}

std::deque<v1::Split>::iterator SplitPool::NextFree(uint32_t task_index) {
  const auto own = std::find_if(free_.begin(), free_.end(), [&](const v1::Split& split) {
    const auto kept = reserved_.find(split.id());
    return kept != reserved_.end() && kept->second == task_index;
  });
  if (own != free_.end()) return own;
  return std::find_if(free_.begin(), free_.end(),
                      [this](const v1::Split& split) { return !reserved_.contains(split.id()); });
}

SplitPool::Answer SplitPool::GiveOwn(uint32_t task_index) {
  Answer answer;
  const auto own = own_.find(task_index);
  if (own != own_.end()) {
    answer.splits = std::move(own->second);
    own_.erase(own);
  }
  answer.end = !follows_ || task_index >= num_readers_;
  if (answer.end) ended_tasks_.insert(task_index);
  if (!answer.splits.empty()) reading_tasks_.insert(task_index);
  return answer;
}

SplitPool::Answer SplitPool::Request(uint32_t task_index, WorkerId worker) {
  Answer answer;
  if (held_) return answer;
  if (order_ == SplitOrder::kPartitions) return GiveOwn(task_index);
  // One task reads all.
  if (follows_ && order_ == SplitOrder::kEventTime && task_index != 0) {
    answer.end = true;
    ended_tasks_.insert(task_index);
    return answer;
  }
  std::deque<v1::Split>& bound = bound_[worker];
  const size_t left = bound.size() + free_.size();
  size_t count = 1;
  if (order_ == SplitOrder::kAny && !one_at_a_time_) {
    count = std::clamp<size_t>(left / (kRequestsPerTask * num_tasks_), 1, kSplitsPerRequestMax);
  }
  for (; count > 0; --count) {
    std::deque<v1::Split>& from = bound.empty() ? free_ : bound;
    const auto next = bound.empty() ? NextFree(task_index) : bound.begin();
    if (next == from.end()) break;
    reserved_.erase(next->id());
    answer.splits.push_back(std::move(*next));
    from.erase(next);
  }
  // What is kept for others is nothing for this one.
  answer.end = bound.empty() && NextFree(task_index) == free_.end() && !follows_;
  if (answer.end) ended_tasks_.insert(task_index);
  if (follows_ && answer.splits.empty()) waiting_.insert_or_assign(task_index, worker);
  // A followed file stays with its task.
  if (!follows_) reading_tasks_.erase(task_index);
  if (!answer.splits.empty()) reading_tasks_.insert(task_index);
  return answer;
}

SplitPool::News SplitPool::news() const {
  News news;
  const size_t active = reading_tasks_.size() + num_unassigned();
  news.active_tasks = static_cast<uint32_t>(std::clamp<size_t>(active, 1, num_tasks_));
  if (order_ == SplitOrder::kAny || held_) return news;
  if (!own_.empty()) return news;
  // Also where files may still appear: nobody knows their times, and they count from then on.
  int64_t least = INT64_MAX;
  for (const v1::Split& split : free_) {
    if (!split.has_min_time_micros()) return news;
    least = std::min(least, split.min_time_micros());
  }
  for (const auto& [worker, splits] : bound_) {
    if (!splits.empty()) return news;  // Rows of views: nothing is known of their times.
  }
  news.unassigned_min_time_micros = least;
  return news;
}

void SplitPool::Add(std::vector<v1::Split> splits) {
  MR_CHECK(follows_);
  for (v1::Split& split : splits) {
    if (!known_files_.insert(SplitPath(split)).second) continue;
    split.set_id(next_id_++);
    if (order_ == SplitOrder::kPartitions) {
      ShareOut(std::move(split));
    } else {
      free_.push_back(std::move(split));
    }
  }
}

std::vector<uint32_t> SplitPool::TasksToGive() const {
  std::vector<uint32_t> tasks;
  for (const auto& [task, splits] : own_) {
    if (reading_tasks_.contains(task)) tasks.push_back(task);
  }
  return tasks;
}

std::vector<std::pair<uint32_t, WorkerId>> SplitPool::TakeWaiting() {
  if (free_.empty()) return {};
  const std::map<uint32_t, WorkerId> waiting = std::exchange(waiting_, {});
  return {waiting.begin(), waiting.end()};
}

std::vector<uint32_t> SplitPool::TakeTasksToEnd() {
  std::vector<uint32_t> tasks;
  if (order_ != SplitOrder::kEventTime || num_unassigned() > 0) return tasks;
  if (follows_ || held_) return tasks;
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
  for (const auto& [task, splits] : own_) count += splits.size();
  return count;
}

std::string SplitPath(const v1::Split& split) {
  if (!split.has_kafka()) return split.file().path();
  return KafkaPartitionName(split.kafka().topic(), split.kafka().partition());
}

ScanSplits ResumeSplits(ScanSplits splits, const std::vector<v1::SplitPosition>& positions) {
  std::map<uint64_t, const v1::SplitPosition*> by_id;
  for (const v1::SplitPosition& position : positions) {
    by_id[position.split_id()] = &position;
    splits.next_id = std::max(splits.next_id, position.split_id() + 1);
  }
  std::vector<v1::Split> left;
  for (v1::Split& split : splits.splits) {
    auto it = by_id.find(split.id());
    if (it != by_id.end()) {
      if (it->second->ended()) {
        splits.ended_files.push_back(it->second->path());
        by_id.erase(it);
        continue;
      }
      *split.mutable_resume() = *it->second;
      by_id.erase(it);
    }
    left.push_back(std::move(split));
  }
  if (splits.follows) {
    for (const auto& [id, position] : by_id) {
      if (position->ended()) {
        splits.ended_files.push_back(position->path());
        continue;
      }
      // Nothing was read: the file appears again, under another number.
      if (position->offset() == 0 && position->head_bytes() == 0) continue;
      v1::Split& split = left.emplace_back(SplitOfPosition(*position, splits.order));
      split.set_id(id);
      *split.mutable_resume() = *position;
    }
  }
  // What was begun comes first: the rest holds the watermark no more than it did before.
  std::stable_partition(left.begin(), left.end(),
                        [](const v1::Split& split) { return split.has_resume(); });
  splits.splits = std::move(left);
  return splits;
}

}  // namespace millrace
