#pragma once

#include "absl/status/status.h"
#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// 0A000 for calls that mean nothing in a stream, at their place: the current time (now(),
// current_date, age(x), …), which would be another one for each row and after each restart; and the
// check that a subquery has one row, which may have two for a moment while an epoch's changes come
// in.
absl::Status CheckStreamCalls(const LogicalNode& query);

}  // namespace millrace
