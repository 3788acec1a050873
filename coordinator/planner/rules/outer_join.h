#pragma once

#include <set>

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// The least outer type that gives the same rows for a join above which rows with NULL in one of the
// `rejected` columns (positions in the join's output) are dropped.
JoinType LeastOuterType(JoinType type, const std::set<int>& rejected, int left_width);

}  // namespace millrace
