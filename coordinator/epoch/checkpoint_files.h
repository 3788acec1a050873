#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace {

namespace v1 {
class CheckpointManifest;
}  // namespace v1

// The manifests of one cluster's checkpoints: files below checkpoint.dir, one for each (job, epoch). Thread-safe; blocks on
// the disk.
class CheckpointFiles {
 public:
  explicit CheckpointFiles(std::string checkpoint_dir);

  // Durable when it returns. The name is relative to checkpoint.dir: what a JobRecord points to.
  absl::StatusOr<std::string> WriteManifest(const v1::CheckpointManifest& manifest) const;
  absl::StatusOr<v1::CheckpointManifest> ReadManifest(const std::string& name) const;
  // Removes the job's manifests other than `keep` (all of them if it is empty). Nothing happens to the workers' files.
  absl::Status RemoveManifests(uint64_t job_id, const std::string& keep) const;

 private:
  const std::string checkpoint_dir_;
};

}  // namespace millrace
