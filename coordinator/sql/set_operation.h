#pragma once

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

enum class SetOperation : uint8_t { kIntersect, kExcept };

// INTERSECT and EXCEPT [ALL] of two plans with the same types. NULLs are equal to each other.
absl::StatusOr<LogicalPtr> CombineSets(SetOperation operation, bool all, const LogicalPtr& left,
                                       const LogicalPtr& right);

}  // namespace millrace
