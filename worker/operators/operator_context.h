#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/expr/evaluator.h"

namespace millrace {

namespace v1 {
class StagedFile;
}  // namespace v1

class MemoryBudget;
class TaskStateStore;
class ViewStore;

// Counters of one operator. Written by the task's thread; read by others through relaxed copies
// that the runtime makes.
struct OperatorCounters {
  uint64_t rows_in = 0;
  uint64_t rows_out = 0;
  // Stored rows or groups that were read or written on behalf of changes, since the start. What an
  // epoch adds grows with its changes, not with the state (I11; asserted by tests).
  uint64_t rows_touched = 0;
  uint64_t state_rows = 0;
  uint64_t late_rows = 0;
  // Rows of the deltas that a view sink has sealed.
  uint64_t view_rows_changed = 0;
};

// What an operator may use of its task. Everything outlives the operator.
struct OperatorContext {
  JobId job;
  AttemptId attempt;
  uint32_t fragment = 0;
  uint32_t task_index = 0;
  uint32_t parallelism = 1;
  uint32_t node_id = 0;
  EvalContext eval;
  OperatorCounters* counters = nullptr;
  // Bytes that the query may hold in this process; never null.
  MemoryBudget* memory = nullptr;
  // Streaming jobs only, else null.
  TaskStateStore* state = nullptr;
  ViewStore* views = nullptr;
  // Epoch whose state is restored when the operator opens; 0 = the job starts afresh.
  Epoch restored_epoch;
  // Has the runtime call Resume of an operator that waits; thread-safe, until the operator is
  // closed.
  std::function<void()> wake = [] {};
  // Where sinks put the files that wait for a commit; the task takes them along with its next
  // acknowledgement, or at its end. Never null in a task.
  std::vector<v1::StagedFile>* staged_files = nullptr;
  // Wakes the task after so many microseconds, for an operator that waits. Never null in a task.
  std::function<void(int64_t micros)> wake_in;
};

}  // namespace millrace
