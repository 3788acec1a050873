#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"
#include "coordinator/service/stream_group.h"

namespace millrace {

// Statements that create streaming jobs or wait for them. One object for one statement.
class StreamStatements {
 public:
  // `text`: the statement, for the job's record.
  StreamStatements(ClusterParts& parts, StatementContext& context, const StatementMoment& moment,
                   std::string text)
      : parts_(parts), context_(context), moment_(moment), text_(std::move(text)) {}

  // Returns when the first epoch is published; what fails before that leaves nothing.
  absl::StatusOr<StatementResult> CreateMaterializedView(const BoundCreateView& statement);
  absl::StatusOr<StatementResult> InsertStream(const BoundInsert& statement);
  absl::StatusOr<StatementResult> Flush();
  // Returns when a recovery cannot take back any more what was waited for: a script's next step
  // builds on it.
  absl::StatusOr<StatementResult> WaitFor(const BoundWaitFor& statement);

 private:
  // Until `done` holds at a durable epoch.
  absl::Status WaitUntilDurable(const BoundWaitFor& statement, const StreamJobs::Condition& done);

  // Starts a group of this statement alone.
  absl::StatusOr<StatementResult> StartAlone(StreamGroup& group,
                                             absl::StatusOr<StatementResult> added);

  ClusterParts& parts_;
  StatementContext& context_;
  const StatementMoment& moment_;
  const std::string text_;
};

}  // namespace millrace
