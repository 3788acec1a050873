#pragma once

#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/planner/rules/cardinality.h"

namespace millrace {

// Where few rows on one side of a join need only little of much work on the other side, that side
// is first reduced by a semi join with the few rows:
// - An aggregation that is joined by its keys aggregates only the groups that the join keeps. This
//   is
//   how a correlated subquery (avg of all items of the same part) avoids working for outer rows
//   that
//   do not exist.
// - EXISTS and NOT EXISTS for few rows hold only those rows of the other side in memory that can
//   match. The few rows are computed twice, so they must be cheap: a scan without joins that reads
//   far less than it saves.
LogicalPtr ReduceBySemiJoins(const LogicalPtr& node, const CardinalityEstimator& estimator);

}  // namespace millrace
