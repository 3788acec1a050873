#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "coordinator/catalog/compaction.h"
#include "coordinator/job/cancellation.h"
#include "coordinator/service/cluster_parts.h"

namespace millrace {

// Looks after stored tables in the background, on a thread of its own: joins small segments, and
// removes files that no version holds once no statement can read them any more. Whatever it has not
// done when the process ends, the next start does. Thread-safe.
class TableUpkeep {
 public:
  // The parts outlive this.
  explicit TableUpkeep(ClusterParts& parts);
  // Cancels what it is doing.
  ~TableUpkeep();

  // A version of the table was committed.
  void OnCommit(uint64_t object_id);
  // The catalog holds the table no more.
  void OnDropped(uint64_t object_id);

 private:
  // Wakes the thread; shared with snapshots of the catalog, which outlive this.
  struct Signal;
  // Files of one table that go when every snapshot in use is at `revision` or later.
  struct Discarded {
    uint64_t revision = 0;
    uint64_t object_id = 0;
    // Below data.dir; empty: the table's folder.
    std::vector<std::string> paths;
  };

  void Run();
  void RemoveDiscarded();
  void Discard(Discarded discarded);
  // Joins segments of the table as long as there are many. False: it has many, but some stream has
  // not read them durably yet.
  absl::StatusOr<bool> Compact(uint64_t object_id);
  absl::Status CompactRange(const v1::CatalogObject& table, SegmentRange range);

  ClusterParts& parts_;
  const std::shared_ptr<Signal> signal_;
  Cancellation cancellation_;
  // Of the thread alone.
  std::set<uint64_t> waiting_;

  Mutex mutex_;
  std::set<uint64_t> changed_ ABSL_GUARDED_BY(mutex_);
  std::vector<Discarded> discarded_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace millrace
