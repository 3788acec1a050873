#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/connector_spec/file_options.h"
#include "common/net/address_policy.h"
#include "common/storage/file_system.h"
#include "common/storage/path_policy.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/scheduler/split_pool.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
class ScanNode;
}  // namespace v1

// One part of a view's rows, at the epoch that the statement reads.
struct ViewPartAtEpoch {
  uint64_t object_id = 0;
  // AS OF EPOCH of the scans that read it; 0 = none.
  uint64_t as_of_epoch = 0;
  uint64_t job_id = 0;
  uint32_t attempt = 0;
  uint32_t task_index = 0;
  uint32_t worker_id = 0;
  uint64_t epoch = 0;
  // For scans of changes: those in (changes_after, epoch].
  uint64_t changes_after = 0;
};

// What a statement reads beside files: bound once, at its start.
struct ReadSet {
  // Stored tables by their version in this snapshot.
  const CatalogSnapshot* catalog = nullptr;
  std::vector<ViewPartAtEpoch> view_parts;
};

// AS OF EPOCH of a view scan; 0 = none.
uint64_t AsOfEpoch(const v1::ScanNode& scan);

// Finds the splits of all scans of a plan. Lists files, reads footers and asks brokers, so it is
// called on a statement's own thread.
class SplitEnumerator {
 public:
  // `data_dir` holds the segments of stored tables; `addresses`: where it may connect to.
  SplitEnumerator(PathPolicy path_policy, std::string data_dir, AddressPolicy addresses);

  // In the order of the scans in the plan. Files outside the allowed folders are refused (42501),
  // also those that a glob or a link leads to. If the plan ends, the topic that it writes to is
  // asked for, too: CheckSinkTopic.
  absl::StatusOr<std::vector<ScanSplits>> Enumerate(const v1::PhysicalPlan& plan,
                                                    const ReadSet& read_set) const;

  // The files that a definition with follow = true has now; none if the folder is not there yet.
  absl::StatusOr<std::vector<FileInfo>> FollowedFiles(const FileOptions& options) const;
  // Their splits for a stream: files that may grow have one that follows them.
  absl::StatusOr<std::vector<v1::Split>> FollowedSplits(const v1::ScanNode& scan,
                                                        const FileOptions& options,
                                                        std::vector<FileInfo> files) const;

 private:
  absl::StatusOr<ScanSplits> EnumerateScan(const v1::ScanNode& scan, const ReadSet& read_set,
                                           bool streaming) const;
  absl::StatusOr<std::vector<v1::Split>> FileSplits(const v1::ScanNode& scan,
                                                    SplitOrder order) const;
  // The rows that a followed definition has now, for a query that ends.
  absl::StatusOr<std::vector<v1::Split>> RowsSoFar(const v1::ScanNode& scan,
                                                   const FileOptions& options) const;
  absl::StatusOr<std::vector<v1::Split>> TableSplits(const v1::ScanNode& scan,
                                                     const ReadSet& read_set) const;

  const PathPolicy path_policy_;
  const std::string data_dir_;
  const AddressPolicy addresses_;
};

}  // namespace millrace
