#pragma once

#include <functional>
#include <string>
#include <vector>

#include "coordinator/job/script_jobs.h"
#include "coordinator/service/request_memory.h"
#include "coordinator/service/statement_executor.h"

namespace millrace {

// Runs the statements of background scripts with the statement executor. Rows of a SELECT are
// counted and dropped. A step that was committed, but not recorded as done when the process ended,
// is not run again.
class ScriptSteps final : public ScriptStepRunner {
 public:
  ScriptSteps(StatementExecutor& executor, RequestMemory& requests)
      : executor_(executor), requests_(requests) {}

  absl::StatusOr<std::vector<std::string>> Split(const std::string& script) override;
  ScriptRunResult RunSteps(const v1::JobRecord& job, uint32_t index,
                           absl::Span<const std::string> statements, Cancellation& cancellation,
                           const std::function<void(uint64_t)>& on_job) override;

 private:
  // Runs them, or gives back what the first one did in an earlier process.
  RunOutcome RunOnce(const v1::JobRecord& job, uint32_t index,
                     absl::Span<const std::string> statements, Cancellation& cancellation,
                     const std::function<void(uint64_t)>& on_job);

  StatementExecutor& executor_;
  RequestMemory& requests_;
};

}  // namespace millrace
