#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// A filter that keeps the first rows of each partition: row_number() OVER (PARTITION BY … ORDER BY
// …) <= limit, alone or with further conditions.
struct GroupTopNMatch {
  // The only call of which is row_number().
  const LogicalOver* over = nullptr;
  uint64_t limit = 0;
  // The other conditions, over the OVER's output.
  std::vector<ExprPtr> rest;
};
std::optional<GroupTopNMatch> MatchGroupTopN(const LogicalFilter& filter);

}  // namespace millrace
