#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "coordinator/job/stream_entry.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/scheduler/placement.h"

// Stored tables that streaming jobs follow.
//
// A commit is told to every job that reads the table, under the lock under which epochs are
// started. So for each worker a table's new segments stand before the next barrier, and an epoch
// holds the stored tables as they were at one moment: the same one in all scans, tasks and jobs
// that get the epoch. How far that is, is known here and goes into the epoch's positions.

namespace millrace {

void StreamJobs::FindTables(Stream& stream) {
  stream.tables.clear();
  for (const v1::Fragment& fragment : stream.spec.plan->fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (!node.has_scan() || node.scan().connector() != "table") return;
      FollowedTable& table = stream.tables.emplace_back();
      table.scan_id = node.scan().scan_id();
      table.fragment = fragment.id();
      table.object_id = node.scan().object_id();
      table.name = node.scan().table_name();
      table.rows_of_task.assign(fragment.parallelism(), 0);
    });
  }
}

void StreamJobs::RestoreTables(Stream& stream, const PositionMap& positions) {
  FindTables(stream);
  for (FollowedTable& table : stream.tables) {
    const auto found = positions.find({table.scan_id, 0});
    if (found == positions.end()) continue;
    table.position = found->second.offset();
    table.rows = found->second.rows();
    table.durable_position = table.position;
  }
}

PositionMap StreamJobs::TablePositions(const Stream& stream) {
  PositionMap positions;
  for (const FollowedTable& table : stream.tables) {
    v1::SplitPosition& position = positions[{table.scan_id, 0}];
    position.set_offset(table.position);
    position.set_rows(table.rows);
    position.set_path(table.name);
  }
  return positions;
}

void StreamJobs::HandOutLog(Stream& stream, FollowedTable& table, HandOut which) {
  // A stopped job serves what it has.
  TableLogSlice slice;
  if (!stream.serve_only) {
    absl::StatusOr<TableLogSlice> log = parts_.table_log(table.object_id, table.position);
    if (!log.ok()) return EndAttemptSoon(stream, log.status());
    slice = *std::move(log);
  }
  if (slice.splits.empty() && which == HandOut::kNews) return;
  std::map<uint32_t, v1::CoordinatorMessage> messages;
  const auto message_of = [&](uint32_t task) -> v1::SplitAssignment& {
    v1::SplitAssignment& assignment = *messages[task].mutable_split_assignment();
    assignment.set_job_id(stream.spec.job_id);
    assignment.set_attempt(stream.attempt);
    assignment.set_scan_id(table.scan_id);
    assignment.set_task_index(task);
    return assignment;
  };
  std::vector<uint64_t>& load = table.rows_of_task;
  // Every task waits for the first one.
  for (uint32_t task = 0; which == HandOut::kFirst && task < load.size(); ++task) message_of(task);
  const uint64_t share = slice.splits.empty() ? 0 : slice.rows / slice.splits.size() + 1;
  for (v1::Split& split : slice.splits) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += share;
    *message_of(static_cast<uint32_t>(least - load.begin())).add_splits() = std::move(split);
  }
  for (const v1::TaskPlacement& placement : stream.placements) {
    const auto found = messages.find(placement.task_index());
    if (placement.fragment() != table.fragment || found == messages.end()) continue;
    parts_.registry.Send(WorkerId(placement.worker_id()), found->second);
  }
  if (slice.splits.empty()) return;
  table.position = slice.end_position;
  table.rows += slice.rows;
  table.pins.emplace_back(table.position, std::move(slice.pin));
  stream.tables_changed = true;
}

// Compaction waits for checkpoints, and a table of many small segments is slow to read.
bool StreamJobs::LogIsLong(const Stream& stream) {
  constexpr uint64_t kLongLog = 128;
  return std::any_of(stream.tables.begin(), stream.tables.end(), [](const FollowedTable& table) {
    return table.position >= table.durable_position + kLongLog;
  });
}

void StreamJobs::ReleaseTables(Stream& stream, const PublishedEpoch& published) {
  for (FollowedTable& table : stream.tables) {
    const auto read = published.positions.find({table.scan_id, 0});
    if (read == published.positions.end()) continue;
    std::erase_if(table.pins, [&](const auto& pin) { return pin.first <= read->second.offset(); });
  }
}

void StreamJobs::OnTableChanged(uint64_t object_id) {
  MutexLock lock(mutex_);
  for (auto& [id, stream] : streams_) {
    // One that is about to start takes the table as it is then.
    if (stream->phase != StreamPhase::kRunning || !stream->attempt_started) continue;
    for (FollowedTable& table : stream->tables) {
      if (table.object_id == object_id) HandOutLog(*stream, table, HandOut::kNews);
    }
  }
}

// The next attempt goes on there: nothing is joined across these positions any more. A join that is
// under way is over when this returns; later ones find that they must not be.
void StreamJobs::HoldLogs(Stream& stream, const PositionMap& positions) {
  MutexLock no_join(join_mutex_);
  MutexLock lock(mutex_);
  for (FollowedTable& table : stream.tables) {
    const auto read = positions.find({table.scan_id, 0});
    table.durable_position = read == positions.end() ? 0 : read->second.offset();
  }
}

absl::StatusOr<uint64_t> StreamJobs::JoinSegments(
    uint64_t object_id, uint64_t end_position,
    absl::FunctionRef<absl::StatusOr<uint64_t>()> join) const {
  MutexLock lock(join_mutex_);
  if (TableReadEverywhere(object_id) < end_position) {
    return MakeError(SqlState::kSerializationFailure,
                     "a job has come to read the segments of a table while they were joined");
  }
  return join();
}

uint64_t StreamJobs::TableReadEverywhere(uint64_t object_id) const {
  MutexLock lock(mutex_);
  uint64_t position = UINT64_MAX;
  for (const auto& [id, stream] : streams_) {
    // A stopped or failed one may be restarted.
    if (stream->phase == StreamPhase::kCancelled) continue;
    for (const FollowedTable& table : stream->tables) {
      if (table.object_id == object_id) position = std::min(position, table.durable_position);
    }
  }
  return position;
}

}  // namespace millrace
