#pragma once

#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/planner/rules/cardinality.h"

namespace millrace {

// Orders the inner joins of three and more relations: again and again the two that give the fewest
// rows together are joined, those with a condition between them first. Equal estimates keep the
// order of the statement. The output's columns stay as they were.
LogicalPtr OrderJoins(const LogicalPtr& node, const CardinalityEstimator& estimator);

}  // namespace millrace
