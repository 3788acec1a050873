#pragma once

#include "absl/status/status.h"
#include "coordinator/epoch/checkpoint_files.h"
#include "coordinator/job/job_files.h"
#include "coordinator/job/script_jobs.h"
#include "coordinator/service/cluster_parts.h"

namespace millrace {

// Completes or undoes what a crash has left half done: objects that were being created or dropped,
// segments that no table version holds. Before anything else runs.
absl::Status RepairCatalog(ClusterParts& parts);

// Removes the checkpoints and files of jobs that are gone, and what their sinks have staged. What
// cannot be removed is logged and tried again at the next start. Before anything else runs.
void RemoveOrphanedJobFiles(const ClusterParts& parts, const CheckpointFiles& checkpoints,
                            const JobFiles& files);

// Takes up the streaming jobs, then the scripts, of an earlier process. Cancelled jobs that still
// have a file are cleaned up in the background.
absl::Status RecoverJobs(ClusterParts& parts, const JobFiles& files, ScriptJobs& scripts);

}  // namespace millrace
