#pragma once

#include "absl/status/status.h"
#include "coordinator/job/script_jobs.h"
#include "coordinator/service/cluster_parts.h"

namespace millrace {

// Completes or undoes what a crash has left half done: objects that were being created or dropped,
// segments that no table version holds. Before anything else runs.
absl::Status RepairCatalog(ClusterParts& parts);

// Takes up the streaming jobs, then the scripts, of an earlier process.
absl::Status RecoverJobs(ClusterParts& parts, ScriptJobs& scripts);

}  // namespace millrace
