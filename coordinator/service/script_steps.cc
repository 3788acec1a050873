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

ScriptRunResult ScriptSteps::RunSteps(const v1::JobRecord& job, uint32_t index,
                                      absl::Span<const std::string> statements,
                                      Cancellation& cancellation,
                                      const std::function<void(uint64_t)>& on_job) {
  ScriptRunResult out;
  const std::string request = RequestOf(job);
  if (const absl::Status begun = requests_.Begin(request, job.sql()); !begun.ok()) {
    out.steps.push_back(begun);
    out.failed = 0;
    return out;
  }
  RunOutcome run = RunOnce(job, index, statements, cancellation, on_job);
  requests_.End(request);
  out.failed = run.failed;
  for (absl::StatusOr<StatementResult>& result : run.results) {
    if (!result.ok()) {
      out.steps.push_back(result.status());
      continue;
    }
    ScriptStepResult step;
    step.rows = result->rows;
    step.stored_at = std::move(result->stored_at);
    step.stream_job_id = result->stream_job_id;
    step.settings = std::move(result->settings);
    out.steps.push_back(std::move(step));
  }
  return out;
}

RunOutcome ScriptSteps::RunOnce(const v1::JobRecord& job, uint32_t index,
                                absl::Span<const std::string> statements,
                                Cancellation& cancellation,
                                const std::function<void(uint64_t)>& on_job) {
  const std::string request = RequestOf(job);
  const auto at = [index](size_t offset) { return index + static_cast<uint32_t>(offset); };
  RunOutcome run;
  if (std::optional<StatementResult> done = requests_.Find(request, index)) {
    run.results.push_back(*std::move(done));
    return run;
  }
  NullResultSink nowhere;
  StatementContext context{{job.settings().begin(), job.settings().end()},
                           job.working_directory(),
                           cancellation,
                           nowhere,
                           job.id(),
                           index,
                           on_job};
  RunOptions options;
  options.find = [&](size_t offset) { return requests_.Find(request, at(offset)); };
  options.record_of = [&](size_t offset, const StatementResult& result) {
    return requests_.RecordOf(request, at(offset), result);
  };
  run = executor_.ExecuteRun(statements, context, options);
  for (size_t i = 0; i < run.results.size(); ++i) {
    if (!run.results[i].ok()) continue;
    const absl::Status recorded = requests_.Done(request, at(i), *run.results[i]);
    if (recorded.ok() || run.failed.has_value()) continue;
    run.results[i] = recorded;
    run.failed = i;
  }
  return run;
}

}  // namespace millrace
