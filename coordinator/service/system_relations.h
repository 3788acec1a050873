#pragma once

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/service/cluster_parts.h"

namespace millrace {

// The plan with every scan of a millrace.* view replaced by the rows that the view has now.
absl::StatusOr<LogicalPtr> FillSystemViews(const LogicalPtr& plan, const ClusterParts& parts);

// True if the plan reads a millrace.* view.
bool ReadsSystemView(const LogicalNode& plan);

}  // namespace millrace
