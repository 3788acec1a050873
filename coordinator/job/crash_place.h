#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/epoch/job_epochs.h"
#include "coordinator/epoch/task_key.h"
#include "coordinator/scheduler/split_pool.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
}  // namespace v1

// Where in the input a row is that ends every process that works on it, for people.

// Somewhere behind the positions: "and read the same place of the input: …".
std::string RangeBehind(const PositionMap& positions);

// The next row of a split, `at` its position: "and read row 7 of file …", or the message of a
// partition. `scans`: the job's splits as it was created with; `positions`: of all splits, which
// tell how many rows the other parts of the same file have.
std::string NextRow(const v1::PhysicalPlan& plan, const std::vector<ScanSplits>& scans,
                    const PositionMap::value_type& at, const PositionMap& positions);

// Processes that ran `tasks` have ended `num_crashes` times at `place`.
absl::Status CrashError(const std::set<TaskKey>& tasks, int num_crashes, absl::string_view place);

}  // namespace millrace
