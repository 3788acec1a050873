#pragma once

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// Takes away what cannot give rows because an input has none.
LogicalPtr RemoveEmptyInputs(const LogicalPtr& node);

}  // namespace millrace
