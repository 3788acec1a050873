#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// Moves LIMIT towards the rows: below projections, so that it meets the sort and only rows that are
// kept are computed; one LIMIT over another becomes one; each input of a UNION ALL gives no more
// rows than the LIMIT above it needs. LIMIT 0 gives no rows. A sort whose order nobody can see
// (below a join, an aggregation without string_agg, or another sort) goes.
LogicalPtr PushDownLimits(const LogicalPtr& node);

}  // namespace millrace
