#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// How the statements of a script are run together. `offset` counts from the first statement.
struct RunOptions {
  // A statement that fails does not keep the others of its job from being created.
  bool keep_going = false;
  // What an earlier process or call has done of the same statement; may be empty.
  std::function<std::optional<StatementResult>(size_t offset)> find;
  // As StatementContext::record_of; may be empty.
  std::function<std::vector<MetadataWrite>(size_t offset, const StatementResult&)> record_of;
};

// What has become of the first statements of a script.
struct RunOutcome {
  // One for each statement that is over, in order; at least one.
  std::vector<absl::StatusOr<StatementResult>> results;
  // The statement whose error is the reason why the run, or what was left of it, failed.
  std::optional<size_t> failed;
};

// Runs statements: parse and bind, plan, run, commit. Thread-safe; each call belongs to one
// statement and blocks its thread until the statement has ended.
class StatementExecutor {
 public:
  explicit StatementExecutor(ClusterParts parts) : parts_(std::move(parts)) {}

  // One statement. Positions in errors count from the beginning of `text`. SET changes the
  // context's settings.
  absl::StatusOr<StatementResult> Execute(absl::string_view text, StatementContext& context);

  // The first of `statements`; if it creates a streaming job, then together with those that follow
  // and belong to the same job: further materialized views and streaming INSERTs, and definitions
  // between them. They become one job with a step for each; if one of them fails, none is created,
  // and the others' results say so (definitions stay). `context` is that of the first statement;
  // notices of the others are in their results.
  RunOutcome ExecuteRun(absl::Span<const std::string> statements, StatementContext& context,
                        const RunOptions& options);

  const ClusterParts& parts() const { return parts_; }

 private:
  class Run;
  class Script;

  ClusterParts parts_;
};

}  // namespace millrace
