#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

struct SettingSpec;

// SHOW, DESCRIBE and SET: what the coordinator answers from its own memory. One object for one
// statement.
class ShowStatements {
 public:
  ShowStatements(ClusterParts& parts, StatementContext& context, const StatementMoment& moment)
      : parts_(parts), context_(context), moment_(moment) {}

  absl::StatusOr<StatementResult> Show(const BoundShow& statement);
  absl::StatusOr<StatementResult> Describe(const BoundDescribe& statement);
  // The context's settings change at once; the result tells the client.
  absl::StatusOr<StatementResult> Set(const BoundSet& statement);

 private:
  absl::StatusOr<StatementResult> ShowSetting(const std::string& name);
  std::string ValueOf(const SettingSpec& setting) const;

  ClusterParts& parts_;
  StatementContext& context_;
  const StatementMoment& moment_;
};

}  // namespace millrace
