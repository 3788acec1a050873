#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// A projection over a projection becomes one, unless that would compute something twice or move
// something volatile; a projection that passes all its input's columns on in order goes (the names
// of the inner columns stay).
LogicalPtr MergeProjections(const LogicalPtr& node);

// True if the projection's output is its input, column by column.
bool IsIdentity(const LogicalProject& project);

}  // namespace millrace
