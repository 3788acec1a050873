#pragma once

#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/planner/rules/cardinality.h"

namespace millrace {

// Puts the side with fewer rows on the right, where a join holds it in memory: of inner and full
// joins, and of left and right ones, which become each other. Semi and anti joins always hold the
// right side. A side of unknown size is taken to be large.
LogicalPtr ChooseBuildSides(const LogicalPtr& node, const CardinalityEstimator& estimator);

}  // namespace millrace
