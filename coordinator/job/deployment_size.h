#pragma once

#include <cstddef>
#include <optional>

#include "absl/status/status.h"

namespace millrace {

namespace v1 {
class CheckpointManifest;
class DeployAttempt;
class PhysicalPlan;
}  // namespace v1

// A deployment goes to a worker in one message, and a message beyond its limit would cost the
// worker's connection.

// 54000 if the plan and where a stream goes on cannot be sent.
absl::Status CheckDeploymentSize(const v1::PhysicalPlan& plan,
                                 const std::optional<v1::CheckpointManifest>& restore);
// 54000 if the plan's tasks have more channels to each other than so many workers can keep.
absl::Status CheckChannels(const v1::PhysicalPlan& plan, size_t num_workers);
// Whether more splits may travel with the deployment; tasks ask for the others.
bool MoreSplitsFit(const v1::DeployAttempt& deploy);

}  // namespace millrace
