#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/types/batch.h"
#include "worker/kernels/window_frame.h"
#include "worker/operators/over_plan.h"
#include "worker/operators/sort_key_reader.h"

namespace millrace {

// The columns that EvaluateOver looks at.
std::vector<bool> ColumnsOfCalls(const OverPlan& plan);

// The rows of whole partitions, in order, with a column for each call of the plan behind their own.
// Columns that no call looks at may be of any type.
absl::StatusOr<Batch> EvaluateOver(const OverPlan& plan, const Batch& rows,
                                   const WindowChunk& chunk, SortKeyReader* reader);

}  // namespace millrace
