#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// Runs statements: parse and bind, plan, run, commit. Thread-safe; each call belongs to one
// statement and blocks its thread until the statement has ended.
class StatementExecutor {
 public:
  explicit StatementExecutor(ClusterParts parts) : parts_(std::move(parts)) {}

  // One statement. Positions in errors count from the beginning of `text`. SET changes the
  // context's settings.
  absl::StatusOr<StatementResult> Execute(absl::string_view text, StatementContext& context);

  const ClusterParts& parts() const { return parts_; }

 private:
  class Run;

  ClusterParts parts_;
};

}  // namespace millrace
