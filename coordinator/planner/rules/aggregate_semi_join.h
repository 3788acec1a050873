#pragma once

#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/planner/rules/cardinality.h"

namespace millrace {

// An aggregation that is joined by its keys with few rows need not aggregate the groups that the
// join drops: its input is first reduced to the keys of these rows by a semi join. This is how a
// correlated subquery (avg of all items of the same part) avoids working for outer rows that do not
// exist. The few rows are computed twice, so they must be cheap: a scan of a table much smaller
// than the aggregation's input, without joins.
LogicalPtr ReduceAggregateInputs(const LogicalPtr& node, const CardinalityEstimator& estimator);

}  // namespace millrace
