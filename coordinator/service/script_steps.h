#pragma once

#include <functional>
#include <string>
#include <vector>

#include "coordinator/job/script_jobs.h"
#include "coordinator/service/statement_executor.h"

namespace millrace {

// Runs the statements of background scripts with the statement executor. Rows of a SELECT are
// counted and dropped.
class ScriptSteps final : public ScriptStepRunner {
 public:
  explicit ScriptSteps(StatementExecutor& executor) : executor_(executor) {}

  absl::StatusOr<std::vector<std::string>> Split(const std::string& script) override;
  absl::StatusOr<ScriptStepResult> RunStep(const v1::JobRecord& job, uint32_t index,
                                           const std::string& statement, Cancellation& cancellation,
                                           const std::function<void(uint64_t)>& on_job) override;

 private:
  StatementExecutor& executor_;
};

}  // namespace millrace
