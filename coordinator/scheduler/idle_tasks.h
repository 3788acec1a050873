#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace millrace {

// How far a task of a scan has come in event time.
struct TaskTime {
  uint32_t task = 0;
  // All of its partitions, or followed files, are idle.
  bool idle = false;
  // Absent = no watermark yet. INT64_MAX = its input has ended: it says nothing of the others.
  std::optional<int64_t> watermark_micros;
};

// How far the idle ones of the tasks may go on, because nothing is expected from them: to the least
// watermark of the others, or, if all are idle, to the largest one. Nothing if that is not known.
// Tasks whose input has ended do not count.
std::optional<int64_t> TimeForIdleTasks(const std::vector<TaskTime>& tasks);

// The same for the tasks of one scan, `own`, whose rows meet those of the tasks `met` of other
// scans downstream. While one of its own is active, nobody else counts: the scan cannot be behind
// but for that one. If all are idle, they must not hold back the others.
std::optional<int64_t> TimeForIdleScan(const std::vector<TaskTime>& own,
                                       const std::vector<TaskTime>& met);

}  // namespace millrace
