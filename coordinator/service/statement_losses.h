#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "coordinator/epoch/task_key.h"
#include "coordinator/job/attempt_budget.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
}  // namespace v1

// What is known of an attempt of a bounded statement that was lost.
struct LostAttempt {
  // By all of its tasks.
  uint64_t rows_seen = 0;
  // Those that were lost with their workers, and the files and partitions that those had to read.
  std::set<TaskKey> tasks = {};
  std::set<std::string> reading = {};
};

// How often a bounded statement whose attempts are lost is tried again (AttemptBudget), and what it
// ends with if they get nowhere. A statement that ends the processes that work for it looks like an
// unlucky one; what tells them apart is that a worker with some of its tasks is gone after each
// attempt, but for one that may not have come to begin. Pure.
class StatementLosses {
 public:
  // Returns how long to wait before the next attempt; absent: there is none.
  std::optional<int64_t> Add(const LostAttempt& lost);
  // What the statement ends with then; `last`: what its last attempt has ended with. Names what the
  // workers had in common that were lost.
  absl::Status Error(const absl::Status& last, const v1::PhysicalPlan& plan) const;

 private:
  AttemptBudget budget_;
  uint32_t num_attempts_ = 0;
  // That were lost with workers of theirs, since one got farther than all before.
  uint32_t num_crashes_ = 0;
  std::set<uint32_t> fragments_;
  std::set<std::string> reading_;
};

}  // namespace millrace
