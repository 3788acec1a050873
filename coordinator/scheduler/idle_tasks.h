#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace millrace {

// How far a task that reads partitions has come in event time.
struct TaskTime {
  uint32_t task = 0;
  // All of its partitions are idle.
  bool idle = false;
  // Absent = no watermark yet.
  std::optional<int64_t> watermark_micros;
};

// How far the idle ones of the tasks may go on, because nothing is expected from them: to the least
// watermark of the others, or, if all are idle, to the largest one. Nothing if that is not known.
std::optional<int64_t> TimeForIdleTasks(const std::vector<TaskTime>& tasks);

}  // namespace millrace
