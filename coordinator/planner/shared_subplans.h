#pragma once

#include <set>
#include <vector>

#include "coordinator/logical_plan/logical_plan.h"

namespace millrace {

// An optimised query of a streaming job, and whether its windows are given out when they close.
struct SharingQuery {
  LogicalPtr query;
  bool emit_on_window_close = false;
};

// The queries of one job with their equal parts made one.
struct SharedQueries {
  // As they were given, but equal subtrees are the same node.
  std::vector<LogicalPtr> queries;
  // Nodes that more than one place reads; each is computed once. All belong to `queries`.
  std::set<const LogicalNode*> shared;
};

// Finds what the queries of one streaming job have in common. Scans of the same object become one
// scan of all columns that some of them need, which keeps the conditions that all of them have; the
// others move above it. After that equal subtrees are shared, unless something volatile occurs in
// them. Aggregations and what lies above them are equal only under the same emission.
SharedQueries ShareSubplans(const std::vector<SharingQuery>& queries);

}  // namespace millrace
