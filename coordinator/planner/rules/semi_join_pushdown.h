#pragma once

#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/planner/rules/cardinality.h"

namespace millrace {

// A semi join over an inner join moves to the side that its condition speaks of, if it lets few of
// that side's rows through (the inner join then has less to do) or if that side has far fewer rows
// than come out of the inner join.
LogicalPtr PushDownSemiJoins(const LogicalPtr& node, const CardinalityEstimator& estimator);

}  // namespace millrace
