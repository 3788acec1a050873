#pragma once

#include <cstdint>
#include <string>

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
  // Durable when it returns. The name is relative to checkpoint.dir: what a JobRecord points to.
  absl::StatusOr<std::string> WriteManifest(const v1::CheckpointManifest& manifest) const;
  absl::StatusOr<v1::CheckpointManifest> ReadManifest(const std::string& name) const;
  // Removes everything of the job that the manifest (which is `name`) does not hold. No checkpoint
  // of the job may be under way.
  absl::Status RemoveOlder(const v1::CheckpointManifest& manifest, const std::string& name) const;
  // Removes the job's folder.
  absl::Status RemoveAll(uint64_t job_id) const;

 private:
  const std::string checkpoint_dir_;
};

}  // namespace millrace
