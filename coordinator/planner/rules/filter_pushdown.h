#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// Moves conditions towards the scans: through projections, sorts, unions, to the sides of joins
// that their type allows, below aggregations and OVER where they concern keys only, below window
// functions where they do not concern the window, and into scans. A condition over both sides of an
// inner join becomes part of the join's condition, so cross joins become inner joins. Outer joins
// whose NULL rows a condition rejects become inner (or less outer) ones.
//
// Volatile conditions stay where they are. A condition that may fail on data that a query can guard
// against (Failure::kData) is never evaluated for rows that it would not have met: it is not moved
// below a join, nor past an earlier condition that stays.
LogicalPtr PushDownFilters(const LogicalPtr& node);

}  // namespace millrace
