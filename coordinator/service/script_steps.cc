#include "coordinator/service/script_steps.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/sql/parser.h"

namespace millrace {
namespace {

// Clients do not choose such ids.
std::string RequestOf(const v1::JobRecord& job) { return absl::StrCat("\x01job-", job.id()); }

}  // namespace

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
  const std::string request = RequestOf(job);
  MR_RETURN_IF_ERROR(requests_.Begin(request, job.sql()));
  absl::StatusOr<StatementResult> result = RunOnce(job, index, statement, cancellation, on_job);
  requests_.End(request);
  MR_RETURN_IF_ERROR(result.status());
  ScriptStepResult step;
  step.rows = result->rows;
  step.stored_at = std::move(result->stored_at);
  step.stream_job_id = result->stream_job_id;
  step.settings = std::move(result->settings);
  return step;
}

absl::StatusOr<StatementResult> ScriptSteps::RunOnce(const v1::JobRecord& job, uint32_t index,
                                                     const std::string& statement,
                                                     Cancellation& cancellation,
                                                     const std::function<void(uint64_t)>& on_job) {
  const std::string request = RequestOf(job);
  if (std::optional<StatementResult> done = requests_.Find(request, index)) return *std::move(done);
  NullResultSink nowhere;
  StatementContext context{{job.settings().begin(), job.settings().end()},
                           job.working_directory(),
                           cancellation,
                           nowhere,
                           job.id(),
                           index,
                           on_job};
  context.record_of = [this, &request, index](const StatementResult& done) {
    return requests_.RecordOf(request, index, done);
  };
  MR_ASSIGN_OR_RETURN(StatementResult result, executor_.Execute(statement, context));
  MR_RETURN_IF_ERROR(requests_.Done(request, index, result));
  return result;
}

}  // namespace millrace
