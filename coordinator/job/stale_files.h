#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/storage/staged_commit.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
}  // namespace v1

// Where the plan's sinks stage files that get other names when they are committed.
std::vector<std::string> StagingFolders(const v1::PhysicalPlan& plan);

// Removes the files that attempts of the job before `attempt` have staged in the folders of the
// plan's sinks and never committed, segments of stored tables among them: a worker that was lost
// could not do it. What a checkpoint has promised to commit must be committed before. Idempotent.
absl::Status RemoveStaleFiles(const v1::PhysicalPlan& plan, const FileOwner& owner,
                              uint32_t attempt);

}  // namespace millrace
