#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// Intervals of equal length are equal, however they are written ('1 day' and '24:00:00'), but keys
// are compared byte by byte. So groups, partitions, joins and DISTINCT over intervals go by their
// length; a group shows the least of its intervals, in the order of their parts.
LogicalPtr CompareIntervalKeysByLength(const LogicalPtr& node);

}  // namespace millrace
