#include "coordinator/sql/query_environment.h"

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/sql/statement_limits.h"

namespace millrace {

absl::Status DepthGuard::Check() const {
  if (session_.depth <= kMaxNesting) return absl::OkStatus();
  return MakeError(SqlState::kStatementTooComplex,
                   absl::StrCat("the statement is nested more than ", kMaxNesting,
                                " levels deep, with the views that it names"));
}

absl::Status CountOperator(BindSession& session, size_t num_columns, int32_t position) {
  ++session.num_operators;
  session.num_columns += static_cast<int64_t>(num_columns);
  if (session.num_operators > kMaxOperators) {
    return WithPosition(
        MakeError(SqlState::kStatementTooComplex,
                  absl::StrCat("the statement has more than ", kMaxOperators,
                               " SELECTs, items in FROM and window functions, with those of the "
                               "views that it names")),
        position);
  }
  if (session.num_columns > kMaxPlanColumns) {
    return WithPosition(MakeError(SqlState::kStatementTooComplex,
                                  absl::StrCat("the plan of the statement has more than ",
                                               kMaxPlanColumns, " columns in all")),
                        position);
  }
  return absl::OkStatus();
}

absl::Status CountSharedPlan(BindSession& session, int64_t num_nodes, int32_t position) {
  session.shared_plan_nodes += num_nodes;
  if (session.shared_plan_nodes <= kMaxPlanNodes) return absl::OkStatus();
  return WithPosition(
      MakeError(
          SqlState::kStatementTooComplex,
          absl::StrCat("the statement has more than ", kMaxPlanNodes,
                       " plan nodes, with every WITH query and view counted where it is named")),
      position);
}

int64_t NumNodes(const LogicalNode& node) {
  int64_t count = 1;
  for (const LogicalPtr& input : node.inputs) count += NumNodes(*input);
  return count;
}

}  // namespace millrace
