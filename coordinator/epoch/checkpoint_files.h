#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace {

namespace v1 {
class CheckpointManifest;
}  // namespace v1

// The checkpoints of one cluster below checkpoint.dir: a folder for each job, with a manifest for
// each checkpoint and the files that workers have written for it. Thread-safe; blocks on the disk.
class CheckpointFiles {
 public:
  explicit CheckpointFiles(std::string checkpoint_dir);

  // Where workers write their files of the job; what CheckpointFile.path is relative to.
  std::string JobFolder(uint64_t job_id) const;
  // Before the first checkpoint of the job. Nothing else makes the folder, so that no checkpoint
  // can go into an empty mount point. 58030 if checkpoint.dir is not there.
  absl::Status MakeJobFolder(uint64_t job_id) const;
  // Durable when it returns. The name is relative to checkpoint.dir: what a JobRecord points to.
  // 58030 if checkpoint.dir or the job's folder is not there.
  absl::StatusOr<std::string> WriteManifest(const v1::CheckpointManifest& manifest) const;
  // XX001 if it is damaged, 58030 if checkpoint.dir is not there.
  absl::StatusOr<v1::CheckpointManifest> ReadManifest(const std::string& name) const;
  // Removes everything of the job that none of the manifests of these names is or holds: older
  // checkpoints, and what attempts and epochs have left that came to nothing. No checkpoint of the
  // job may be under way. A manifest that cannot be read is an error, and nothing is removed.
  absl::Status RemoveUnused(uint64_t job_id, const std::vector<std::string>& kept) const;
  // Removes the job's folder.
  absl::Status RemoveAll(uint64_t job_id) const;
  // Jobs that have a folder.
  absl::StatusOr<std::vector<uint64_t>> Jobs() const;
  // Marks checkpoint.dir as this cluster's. 55006 if it is another one's: job numbers of two
  // clusters are the same. 0A000 if a newer version has marked it.
  absl::Status Claim(const std::string& cluster_id) const;

 private:
  const std::string checkpoint_dir_;
};

}  // namespace millrace
