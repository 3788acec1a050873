#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// DISTINCT makes no difference to min, max, bool_and and bool_or, so it goes there. If then every
// aggregate is DISTINCT over the same argument, the aggregation becomes two: the different
// arguments of each group first, which can be done in two phases, then the aggregates over them.
LogicalPtr SplitDistinctAggregates(const LogicalPtr& node);

}  // namespace millrace
