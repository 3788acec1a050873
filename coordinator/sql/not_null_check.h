#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// The rows for `table`, all of its columns in order, with a check of each NOT NULL column. A
// constant NULL is refused at once (23502, at its place); the others fail the statement when they
// come. `position` is that of errors without a place of their own.
absl::StatusOr<LogicalPtr> WithNotNullChecks(LogicalPtr plan, const v1::CatalogObject& table,
                                             int32_t position);

}  // namespace millrace
