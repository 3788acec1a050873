#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/job/attempt_runs.h"
#include "coordinator/job/deployment_size.h"
#include "coordinator/scheduler/placement.h"

// What the tasks of an attempt read: splits, and what the tasks of a scan must know of each other.

namespace millrace {
namespace {

void FillNews(const SplitPool::News& news, v1::SplitAssignment* assignment) {
  assignment->set_active_tasks(news.active_tasks);
  if (news.unassigned_min_time_micros.has_value()) {
    assignment->set_unassigned_min_time_micros(*news.unassigned_min_time_micros);
  }
}

// Rows of views have no path.
void AddPaths(const std::vector<v1::Split>& splits, std::vector<std::string>& paths) {
  for (const v1::Split& split : splits) {
    std::string path = SplitPath(split);
    if (!path.empty()) paths.push_back(std::move(path));
  }
}

}  // namespace

void AttemptRuns::HandOutSplits(Run& run, WorkerId worker, v1::DeployAttempt* deploy) {
  for (auto& [scan_id, pool] : run.pools) {
    for (uint32_t task = 0; task < pool.num_tasks(); ++task) {
      v1::SplitAssignment* assignment = deploy->add_assignments();
      assignment->set_job_id(run.spec.job_id);
      assignment->set_attempt(run.spec.attempt);
      assignment->set_scan_id(scan_id);
      assignment->set_task_index(task);
      std::vector<std::string>& reading = run.reading[{scan_id, task}];
      SplitPool::Answer answer;
      // Several tasks take more of them as they get on.
      do {
        answer = pool.Request(task, worker);
        AddPaths(answer.splits, reading);
        for (v1::Split& split : answer.splits) *assignment->add_splits() = std::move(split);
      } while (pool.num_tasks() == 1 && !answer.end && MoreSplitsFit(*deploy));
      assignment->set_end(answer.end);
      FillNews(pool.news(), assignment);
    }
  }
}

void AttemptRuns::OnSplitRequest(Run& run, WorkerId worker, const v1::SplitRequest& request) {
  v1::CoordinatorMessage message;
  v1::SplitAssignment& assignment = *message.mutable_split_assignment();
  assignment.set_job_id(run.spec.job_id);
  assignment.set_attempt(run.spec.attempt);
  assignment.set_scan_id(request.scan_id());
  assignment.set_task_index(request.task_index());
  auto it = run.pools.find(request.scan_id());
  if (it == run.pools.end()) {
    assignment.set_end(true);
    registry_.Send(worker, std::move(message));
    return;
  }
  AnswerSplitRequest(run, it->second, request.task_index(), worker);
}

void AttemptRuns::AnswerSplitRequest(Run& run, SplitPool& pool, uint32_t task_index,
                                     WorkerId worker) {
  const SplitPool::News before = pool.news();
  SplitPool::Answer answer = pool.Request(task_index, worker);
  std::vector<std::string>& reading = run.reading[{pool.scan_id(), task_index}];
  reading.clear();
  AddPaths(answer.splits, reading);
  v1::CoordinatorMessage message;
  v1::SplitAssignment& assignment = *message.mutable_split_assignment();
  assignment.set_job_id(run.spec.job_id);
  assignment.set_attempt(run.spec.attempt);
  assignment.set_scan_id(pool.scan_id());
  assignment.set_task_index(task_index);
  assignment.set_end(answer.end);
  for (v1::Split& split : answer.splits) *assignment.add_splits() = std::move(split);
  FillNews(pool.news(), &assignment);
  registry_.Send(worker, message);
  SpreadNews(run, pool, before, task_index);
}

std::vector<FollowedScan> AttemptRuns::FollowedScans() const {
  MutexLock lock(mutex_);
  std::vector<FollowedScan> scans;
  for (const auto& [job_id, run] : runs_) {
    for (const auto& [scan_id, pool] : run->pools) {
      if (!pool.follows()) continue;
      for (const v1::Fragment& fragment : run->spec.plan->fragments()) {
        ForEachNode(fragment.root(), [&, id = scan_id](const v1::PlanNode& node) {
          if (!node.has_scan() || node.scan().scan_id() != id) return;
          scans.push_back({run->spec.job_id, run->spec.attempt, id, node.scan()});
        });
      }
    }
  }
  return scans;
}

std::set<std::string> AttemptRuns::KnownFiles(uint64_t job_id, uint32_t attempt,
                                              uint32_t scan_id) const {
  MutexLock lock(mutex_);
  const auto run = runs_.find(job_id);
  if (run == runs_.end() || run->second->spec.attempt != attempt) return {};
  const auto pool = run->second->pools.find(scan_id);
  return pool == run->second->pools.end() ? std::set<std::string>() : pool->second.known_files();
}

void AttemptRuns::AddSplits(uint64_t job_id, uint32_t attempt, uint32_t scan_id,
                            std::vector<v1::Split> splits) {
  MutexLock lock(mutex_);
  Run* run = FindRun(job_id, attempt);
  if (run == nullptr) return;
  const auto pool = run->pools.find(scan_id);
  if (pool == run->pools.end()) return;
  pool->second.Add(std::move(splits));
  for (const auto& [task, worker] : pool->second.TakeWaiting()) {
    AnswerSplitRequest(*run, pool->second, task, worker);
  }
  for (const uint32_t task : pool->second.TasksToGive()) {
    const auto owner = run->worker_of.find({pool->second.fragment(), task});
    if (owner != run->worker_of.end()) {
      AnswerSplitRequest(*run, pool->second, task, owner->second);
    }
  }
}

void AttemptRuns::SpreadNews(const Run& run, SplitPool& pool, const SplitPool::News& before,
                             uint32_t asking_task) {
  const std::vector<uint32_t> to_end = pool.TakeTasksToEnd();
  const SplitPool::News news = pool.news();
  const bool changed = run.spec.plan->streaming() && news != before;
  if (!changed && to_end.empty()) return;
  v1::CoordinatorMessage message;
  v1::SplitAssignment& assignment = *message.mutable_split_assignment();
  assignment.set_job_id(run.spec.job_id);
  assignment.set_attempt(run.spec.attempt);
  assignment.set_scan_id(pool.scan_id());
  FillNews(news, &assignment);
  for (uint32_t task = 0; task < pool.num_tasks(); ++task) {
    const bool end = std::find(to_end.begin(), to_end.end(), task) != to_end.end();
    if (!end && (!changed || task == asking_task)) continue;
    assignment.set_task_index(task);
    assignment.set_end(end);
    auto owner = run.worker_of.find({pool.fragment(), task});
    if (owner != run.worker_of.end()) registry_.Send(owner->second, message);
  }
}

TaskTime AttemptRuns::TimeOf(const Run& run, const SplitPool& pool, uint32_t task) {
  TaskTime time;
  time.task = task;
  const auto progress = run.progress.find({pool.fragment(), task});
  if (progress == run.progress.end()) return time;
  // Not the task's watermark: that is the least of all that comes into it.
  for (const v1::ScanProgress& scan : progress->second.scans()) {
    if (scan.scan_id() != pool.scan_id()) continue;
    time.idle = scan.idle();
    if (scan.has_watermark_micros()) time.watermark_micros = scan.watermark_micros();
  }
  if (progress->second.state() == v1::TASK_STATE_FINISHED) time.watermark_micros = INT64_MAX;
  return time;
}

std::vector<TaskTime> AttemptRuns::TimesOfMeetingScans(const Run& run, uint32_t scan_id) {
  std::vector<TaskTime> times;
  const auto meeting = run.meeting_scans.find(scan_id);
  if (meeting == run.meeting_scans.end()) return times;
  for (const auto& [id, pool] : run.pools) {
    if (!meeting->second.contains(id)) continue;
    // Also those that have not asked for splits yet: they hold back.
    for (uint32_t task = 0; task < pool.num_tasks(); ++task) {
      times.push_back(TimeOf(run, pool, task));
    }
  }
  return times;
}

void AttemptRuns::TellIdleTasks(Run& run) {
  for (const auto& [scan_id, pool] : run.pools) {
    std::vector<TaskTime> times;
    for (const uint32_t task : pool.reading_tasks()) times.push_back(TimeOf(run, pool, task));
    if (std::none_of(times.begin(), times.end(), [](const TaskTime& time) { return time.idle; })) {
      continue;
    }
    const std::optional<int64_t> bound = TimeForIdleScan(times, TimesOfMeetingScans(run, scan_id));
    if (!bound.has_value()) continue;
    v1::CoordinatorMessage message;
    v1::SplitAssignment& assignment = *message.mutable_split_assignment();
    assignment.set_job_id(run.spec.job_id);
    assignment.set_attempt(run.spec.attempt);
    assignment.set_scan_id(scan_id);
    FillNews(pool.news(), &assignment);
    assignment.set_idle_time_micros(*bound);
    for (const TaskTime& time : times) {
      if (!time.idle || time.watermark_micros >= *bound) continue;
      assignment.set_task_index(time.task);
      registry_.Send(run.worker_of[{pool.fragment(), time.task}], message);
    }
  }
}

}  // namespace millrace
