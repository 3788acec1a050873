#include "coordinator/scheduler/idle_tasks.h"

#include <algorithm>

namespace millrace {
namespace {

bool HasEnded(const TaskTime& task) { return task.watermark_micros == INT64_MAX; }

}  // namespace

std::optional<int64_t> TimeForIdleTasks(const std::vector<TaskTime>& tasks) {
  std::optional<int64_t> least;
  std::optional<int64_t> largest;
  bool all_idle = true;
  for (const TaskTime& task : tasks) {
    if (HasEnded(task)) continue;
    if (task.watermark_micros.has_value()) {
      largest = std::max(largest.value_or(*task.watermark_micros), *task.watermark_micros);
    }
    if (task.idle) continue;
    all_idle = false;
    // One that has not begun holds all back.
    if (!task.watermark_micros.has_value()) return std::nullopt;
    least = std::min(least.value_or(*task.watermark_micros), *task.watermark_micros);
  }
  return all_idle ? largest : least;
}

std::optional<int64_t> TimeForIdleScan(const std::vector<TaskTime>& own,
                                       const std::vector<TaskTime>& met) {
  const std::optional<int64_t> among_own = TimeForIdleTasks(own);
  const bool all_idle = std::all_of(
      own.begin(), own.end(), [](const TaskTime& task) { return task.idle || HasEnded(task); });
  if (!all_idle) return among_own;
  std::vector<TaskTime> all = own;
  all.insert(all.end(), met.begin(), met.end());
  // Nothing is less than every time.
  return std::max(among_own, TimeForIdleTasks(all));
}

}  // namespace millrace
