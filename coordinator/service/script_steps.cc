#include "coordinator/service/script_steps.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/sql/parser.h"

namespace millrace {

absl::StatusOr<std::vector<std::string>> ScriptSteps::Split(const std::string& script) {
  MR_ASSIGN_OR_RETURN(const std::vector<StatementText> texts, SplitStatements(script));
  std::vector<std::string> statements;
  for (const StatementText& text : texts) {
    statements.push_back(script.substr(static_cast<size_t>(text.begin_byte),
                                       static_cast<size_t>(text.end_byte - text.begin_byte)));
  }
  return statements;
}

absl::StatusOr<ScriptStepResult> ScriptSteps::RunStep(const v1::JobRecord& job, uint32_t index,
                                                      const std::string& statement,
                                                      Cancellation& cancellation,
                                                      const std::function<void(uint64_t)>& on_job) {
  NullResultSink nowhere;
  StatementContext context{{job.settings().begin(), job.settings().end()},
                           job.working_directory(),
                           cancellation,
                           nowhere,
                           job.id(),
                           index,
                           on_job};
  MR_ASSIGN_OR_RETURN(StatementResult result, executor_.Execute(statement, context));
  ScriptStepResult step;
  step.rows = result.rows;
  step.stored_at = std::move(result.stored_at);
  step.stream_job_id = result.stream_job_id;
  step.settings = std::move(result.settings);
  return step;
}

}  // namespace millrace
