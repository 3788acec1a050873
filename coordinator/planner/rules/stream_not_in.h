#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// NOT IN as joins that a stream can keep up to date: rows without a match, less all rows if the
// subquery has a NULL, less the rows of a NULL operand if it has any row. What is asked of the
// subquery as a whole is one aggregate, which rarely changes. Joins whose condition is not a single
// equality stay as they are.
LogicalPtr SplitStreamNotIn(const LogicalPtr& node);

}  // namespace millrace
