#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace millrace {

namespace v1 {
class CheckpointManifest;
class PhysicalPlan;
}  // namespace v1

class CheckpointFiles;

// Removes the files that attempts of the job before `attempt` have staged in the folders of the
// plan's sinks and never committed: a worker that was lost could not do it. What a checkpoint has
// promised to commit must be committed before. Idempotent.
absl::Status RemoveStaleFiles(const v1::PhysicalPlan& plan, uint64_t job_id, uint32_t attempt);

// Commits what the checkpoint has promised, and notes that in its manifest: from then on the files
// belong to whoever reads them, and a restart does not ask for them again. Idempotent.
absl::Status CommitPending(const CheckpointFiles& checkpoints,
                           const v1::CheckpointManifest& manifest);

}  // namespace millrace
