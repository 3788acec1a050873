#pragma once

#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/planner/rules/cardinality.h"

namespace millrace {

// What the logical rules need to know of the job.
struct OptimizeOptions {
  bool streaming = false;
  StatisticsSource statistics;
};

// The logical rewrites, in their order. The output's columns and types stay; their names may be
// lost.
LogicalPtr OptimizeLogical(const LogicalPtr& query, const OptimizeOptions& options);

}  // namespace millrace
