#pragma once

#include "absl/status/status.h"
#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// 0A000 for a query that asks for the current time (now(), current_date, age(x), …), at the place
// of the call. In a stream it would have another value for each row, and none after a restart could
// be the same again.
absl::Status RefuseClock(const LogicalNode& query);

}  // namespace millrace
