#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/metadata/metadata_store.h"

namespace millrace {

namespace v1 {
class FileCommitRecord;
class PhysicalPlan;
class StagedFile;
}  // namespace v1

// What statements that end write into outside folders: all of a statement's files get their names
// or none does, also when the process ends in between, and a request that is repeated then writes
// nothing twice (I5: decide durably, rename, forget). Thread-safe.
class FileCommits {
 public:
  // The store outlives this. `cluster`: see FileOwner.
  FileCommits(MetadataStore& store, std::string cluster)
      : store_(store), cluster_(std::move(cluster)) {}

  // Finishes what earlier processes had decided to commit, and removes what they had only staged.
  // Before the first statement. A commit that cannot be finished is logged and given up.
  absl::Status Recover();

  // The job is about to stage files in the folders of the plan's sinks; Commit or Abandon follows.
  absl::Status Begin(uint64_t job_id, const v1::PhysicalPlan& plan);
  // Decides, together with `also`, that the files are committed, and gives them their names. After
  // an error none of them has its name, `also` is not there, and a single file that was to be
  // replaced may be the old or the new one.
  absl::Status Commit(uint64_t job_id, const std::vector<v1::StagedFile>& files,
                      const std::vector<MetadataWrite>& also);
  // The job has failed: removes what it has staged.
  void Abandon(uint64_t job_id);

 private:
  absl::Status Finish(const v1::FileCommitRecord& record) const;
  absl::Status RemoveStaged(const v1::FileCommitRecord& record) const;

  MetadataStore& store_;
  const std::string cluster_;
};

}  // namespace millrace
