#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "coordinator/metadata/metadata_store.h"

namespace millrace {

namespace v1 {
class FileCommitRecord;
class PhysicalPlan;
class StagedFile;
}  // namespace v1

// What statements that end write into outside folders: all of a statement's files get their names
// or none does, also when the process ends in between, and a request that is repeated then writes
// nothing twice (I5: decide durably, rename, forget). A note in the store stands for each statement
// from Begin until nothing is left to do for it. Thread-safe.
class FileCommits {
 public:
  // The store outlives this. `cluster`: see FileOwner.
  FileCommits(MetadataStore& store, std::string cluster)
      : store_(store), cluster_(std::move(cluster)) {}

  // Finishes what earlier processes had decided to commit, and removes what they had only staged.
  // Before the first statement. What cannot be done now, because a folder is away, stays noted.
  absl::Status Recover();
  // Tries again what could not be done. Blocks on the disk if there is such a thing.
  void Tick();

  // The job is about to stage files in the folders of the plan's sinks; Commit or Abandon follows.
  absl::Status Begin(uint64_t job_id, const v1::PhysicalPlan& plan);
  // Decides, together with `also`, that the files are committed, and gives them their names. After
  // an error none of them has its name, or none will have it once its folder can be changed again;
  // `also` is not there, and a single file that was to be replaced may be the old or the new one.
  // OK also if they have no names yet and the decision cannot be revoked: then they will get them.
  absl::Status Commit(uint64_t job_id, const std::vector<v1::StagedFile>& files,
                      const std::vector<MetadataWrite>& also);
  // The job has failed: removes what it has staged.
  void Abandon(uint64_t job_id);

 private:
  // Does what is left to do for the note of the job, if there is one, and removes it.
  absl::Status Settle(uint64_t job_id) const;
  void TryToSettle(uint64_t job_id);
  void SettleLater(uint64_t job_id, const absl::Status& error);
  absl::Status RemoveStaged(const v1::FileCommitRecord& record) const;

  MetadataStore& store_;
  const std::string cluster_;
  // Held over work on disks; before mutex_.
  Mutex settling_;
  Mutex mutex_;
  // Jobs whose notes are to be settled, each with the error that was logged last.
  std::map<uint64_t, std::string> unsettled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
