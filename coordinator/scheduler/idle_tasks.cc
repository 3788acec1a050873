#include "coordinator/scheduler/idle_tasks.h"

#include <algorithm>

namespace millrace {

std::optional<int64_t> TimeForIdleTasks(const std::vector<TaskTime>& tasks) {
  std::optional<int64_t> least;
  std::optional<int64_t> largest;
  bool all_idle = true;
  for (const TaskTime& task : tasks) {
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

}  // namespace millrace
