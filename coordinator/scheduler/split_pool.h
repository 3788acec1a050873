#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "common/base/ids.h"
#include "millrace/v1/split.pb.h"

namespace millrace {

namespace v1 {
class TaskPlacement;
}  // namespace v1

// kAny: every split may be read by any task at any time. kEventTime: one after another in their
// order, and a task is told when none is left, because splits that nobody reads yet hold the
// watermark.
enum class SplitOrder : uint8_t { kAny, kEventTime };

// The splits of one scan.
struct ScanSplits {
  uint32_t scan_id = 0;
  // The fragment that the scan is part of.
  uint32_t fragment = 0;
  SplitOrder order = SplitOrder::kAny;
  std::vector<v1::Split> splits;
};

// Hands out the splits of one scan of one attempt. Pure.
class SplitPool {
 public:
  struct Answer {
    std::vector<v1::Split> splits;
    // Nothing is left for this task.
    bool end = false;
  };

  SplitPool(ScanSplits splits, uint32_t num_tasks);

  // What a task on `worker` reads next; empty with end = true when there is nothing.
  Answer Request(uint32_t task_index, WorkerId worker);
  // kEventTime: the tasks that must hear that no split is left, each once; empty while some are
  // left.
  std::vector<uint32_t> TakeTasksToEnd();

  // An error if a split is bound to a worker on which the scan has no task.
  absl::Status CheckReachable(const std::vector<v1::TaskPlacement>& placements) const;

  uint32_t scan_id() const { return scan_id_; }
  uint32_t fragment() const { return fragment_; }
  SplitOrder order() const { return order_; }
  size_t num_unassigned() const;

 private:
  const uint32_t scan_id_;
  const uint32_t fragment_;
  const SplitOrder order_;
  const uint32_t num_tasks_;
  std::deque<v1::Split> free_;
  std::map<WorkerId, std::deque<v1::Split>> bound_;
  std::set<uint32_t> ended_tasks_;
};

// What is still to be read after a restart: splits that had ended are left out, those in the middle
// go on at their position.
ScanSplits ResumeSplits(ScanSplits splits, const std::vector<v1::SplitPosition>& positions);

}  // namespace millrace
