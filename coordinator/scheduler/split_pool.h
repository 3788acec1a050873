#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
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
// watermark. kPartitions: splits are shared out evenly and once, and each task reads all of its own
// side by side (partitions of a topic, in streams).
enum class SplitOrder : uint8_t { kAny, kEventTime, kPartitions };

// The splits of one scan.
struct ScanSplits {
  uint32_t scan_id = 0;
  // The fragment that the scan is part of.
  uint32_t fragment = 0;
  SplitOrder order = SplitOrder::kAny;
  std::vector<v1::Split> splits;
  // Files, or partitions, may still appear: the scan has no end. With kEventTime one task reads all
  // files, because a task that waits for its first one would hold the watermark for ever.
  bool follows = false;
  // A task gets the next split when it has read the one it has, and the first ones go to task 0, 1,
  // and so on, whoever asks first: so those at the front are read at once, and in every attempt by
  // the same tasks.
  bool one_at_a_time = false;
  // Nothing is given out, and no end is told: the scan stands where it is.
  bool held = false;
  // Files and partitions that were read to their end before a restart.
  std::vector<std::string> ended_files;
  // Splits that appear get ids from here on, or above those of `splits`.
  uint64_t next_id = 0;
};

// Hands out the splits of one scan of one attempt. Pure.
class SplitPool {
 public:
  struct Answer {
    std::vector<v1::Split> splits;
    // Nothing is left for this task.
    bool end = false;
  };
  // What every task of the scan must know of the others.
  struct News {
    // Tasks that have splits to read, or will have; at least 1.
    uint32_t active_tasks = 1;
    // kEventTime, kPartitions: lower bound of the times in splits that nobody has; absent =
    // unknown.
    std::optional<int64_t> unassigned_min_time_micros;
    friend bool operator==(const News&, const News&) = default;
  };

  SplitPool(ScanSplits splits, uint32_t num_tasks);

  // What a task on `worker` reads next, now that it has read what it had; empty with end = true
  // when there is nothing.
  Answer Request(uint32_t task_index, WorkerId worker);
  News news() const;
  // follows: splits of files or partitions that have appeared; those of known ones are dropped.
  // They get ids of their own.
  void Add(std::vector<v1::Split> splits);
  // Tasks that have asked in vain while splits are there now: answer them as if they asked again.
  // kPartitions: they are TasksToGive instead, those that have asked before; the others, which may
  // not be there yet, get theirs when they ask.
  std::vector<std::pair<uint32_t, WorkerId>> TakeWaiting();
  std::vector<uint32_t> TasksToGive() const;
  bool follows() const { return follows_; }
  const std::set<std::string>& known_files() const { return known_files_; }
  // kEventTime: the tasks that must hear that no split is left, each once; empty while some are
  // left.
  std::vector<uint32_t> TakeTasksToEnd();

  // An error if a split is bound to a worker on which the scan has no task.
  absl::Status CheckReachable(const std::vector<v1::TaskPlacement>& placements) const;

  uint32_t scan_id() const { return scan_id_; }
  uint32_t fragment() const { return fragment_; }
  uint32_t num_tasks() const { return num_tasks_; }
  SplitOrder order() const { return order_; }
  size_t num_unassigned() const;
  // Tasks that have been given splits and have not asked again; with follows, kPartitions: all that
  // read.
  const std::set<uint32_t>& reading_tasks() const { return reading_tasks_; }

 private:
  // kPartitions: to the task whose turn it is.
  void ShareOut(v1::Split split);
  Answer GiveOwn(uint32_t task_index);
  // Of those that are bound to no worker, the next one for the task.
  std::deque<v1::Split>::iterator NextFree(uint32_t task_index);

  const uint32_t scan_id_;
  const uint32_t fragment_;
  const SplitOrder order_;
  const uint32_t num_tasks_;
  const bool follows_;
  const bool one_at_a_time_;
  const bool held_;
  uint64_t next_id_ = 0;
  std::set<std::string> known_files_;
  std::map<uint32_t, WorkerId> waiting_;
  std::deque<v1::Split> free_;
  // one_at_a_time: for whom a split is kept, by its id.
  std::map<uint64_t, uint32_t> reserved_;
  std::map<WorkerId, std::deque<v1::Split>> bound_;
  // kPartitions: by task; tasks from num_readers_ on get none, ever, because they are told so.
  std::map<uint32_t, std::vector<v1::Split>> own_;
  uint32_t num_readers_ = 1;
  uint32_t num_shared_out_ = 0;
  std::set<uint32_t> ended_tasks_;
  std::set<uint32_t> reading_tasks_;
};

// What the split reads, as positions call it: a file's path, or "clicks/3".
std::string SplitPath(const v1::Split& split);

// What is still to be read after a restart: splits that had ended are left out, those in the middle
// go on at their position. Where input is followed, splits of files and partitions that had
// appeared since the start are made from their positions.
ScanSplits ResumeSplits(ScanSplits splits, const std::vector<v1::SplitPosition>& positions);

}  // namespace millrace
