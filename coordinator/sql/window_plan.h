#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/sql/select_parts.h"

namespace millrace {

// Adds OVER nodes for window calls whose expressions are over `input`'s row, one node for each
// partition and order; the input's columns keep their positions. Sets *columns to what the
// placeholders kWindowBase + i mean.
absl::StatusOr<LogicalPtr> AddWindowNodes(LogicalPtr input, const std::vector<WindowItem>& windows,
                                          std::vector<ExprPtr>* columns);

}  // namespace millrace
