#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/bounded_runner.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// CREATE TABLE AS, INSERT and COPY over input that ends: run the query into a sink, then commit
// what the tasks have staged. A failed statement leaves nothing. One object for one statement.
class WriteStatements {
 public:
  WriteStatements(ClusterParts& parts, StatementContext& context, const StatementMoment& moment)
      : parts_(parts), context_(context), moment_(moment) {}

  absl::StatusOr<StatementResult> CreateTableAs(const BoundCreateTableAs& statement);
  absl::StatusOr<StatementResult> Insert(const v1::CatalogObject& target, const LogicalPtr& plan,
                                         std::string tag);
  absl::StatusOr<StatementResult> CopyTo(const BoundCopyTo& statement);

 private:
  absl::StatusOr<BoundedResult> RunInto(const LogicalPtr& plan, PlanTarget target);
  // Runs and commits.
  absl::StatusOr<StatementResult> RunIntoFiles(const LogicalPtr& plan, FileSinkTarget target,
                                               std::string tag);
  absl::StatusOr<StatementResult> InsertIntoTable(const v1::CatalogObject& target,
                                                  const LogicalPtr& plan, std::string tag);
  absl::StatusOr<StatementResult> InsertIntoFiles(const v1::CatalogObject& target,
                                                  const LogicalPtr& plan, std::string tag);

  ClusterParts& parts_;
  StatementContext& context_;
  const StatementMoment& moment_;
};

// The sink of an outside table for a query with these output columns. 42809 for tables that cannot
// be written, 42501 if `policy` does not (or no longer) let statements write to its path.
absl::StatusOr<FileSinkTarget> FileTarget(const PathPolicy& policy, const v1::CatalogObject& target,
                                          const Schema& output);
// What is given to a table without columns at its first INSERT.
absl::Status KeepColumns(Catalog& catalog, const v1::CatalogObject& target, const Schema& output);

}  // namespace millrace
