#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// Drops columns, aggregates and OVER calls that nobody uses, as far down as possible: scans read
// what is needed only. A node keeps at least one column, so that no batch is without columns. The
// root's columns all stay.
LogicalPtr PruneColumns(const LogicalPtr& node);

}  // namespace millrace
