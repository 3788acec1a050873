#pragma once

#include "absl/status/status.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// A cluster that has just started, or has just lost its last worker, gets some time: waits until a
// worker is there. The client is told of a longer wait, and `job get` shows it as the step's error
// while it lasts. 53000 if no worker has come in time. Before planning, because a plan depends on
// the slots that are there.
absl::Status AwaitWorker(const ClusterParts& parts, const StatementContext& context);

}  // namespace millrace
