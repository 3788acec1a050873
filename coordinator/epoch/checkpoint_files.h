#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace {

class FileSystem;

namespace v1 {
class CheckpointManifest;
}  // namespace v1

// The checkpoints of one cluster below checkpoint.dir: a folder for each job, with a manifest for
// each checkpoint and the files that workers have written for it. Thread-safe; blocks on the disk.
// Only Jobs and Claim, which are for the start, do not look whether the folder is still the
// cluster's own: the others give 58030 if it is not there, or another one.
class CheckpointFiles {
 public:
  // `token`: what the folder's token file holds.
  CheckpointFiles(std::string checkpoint_dir, std::string token);

  // Where workers write their files of the job; what CheckpointFile.path is relative to.
  std::string JobFolder(uint64_t job_id) const;
  // Before the first checkpoint of the job. Nothing else makes the folder, so that no checkpoint
  // can go into an empty mount point.
  absl::Status MakeJobFolder(uint64_t job_id) const;
  // Durable when it returns. The name is relative to checkpoint.dir: what a JobRecord points to.
  // 58030 also if the job's folder is not there.
  absl::StatusOr<std::string> WriteManifest(const v1::CheckpointManifest& manifest) const;
  // XX001 if it is damaged, or that of another checkpoint than its name says.
  absl::StatusOr<v1::CheckpointManifest> ReadManifest(const std::string& name) const;
  // XX001 that names the file if one of the checkpoint is missing or has another size. Their
  // content is not read.
  absl::Status CheckFiles(const v1::CheckpointManifest& manifest) const;
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
  absl::StatusOr<FileSystem*> OwnFolder() const;
  absl::StatusOr<v1::CheckpointManifest> Read(FileSystem& file_system,
                                              const std::string& name) const;

  const std::string checkpoint_dir_;
  const std::string token_;
};

}  // namespace millrace
