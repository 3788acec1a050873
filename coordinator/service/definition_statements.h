#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/catalog/drop_plan.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// CREATE TABLE, CREATE VIEW and DROP: statements that change the catalog and run no tasks. One
// object for one statement.
class DefinitionStatements {
 public:
  DefinitionStatements(ClusterParts& parts, StatementContext& context,
                       const StatementMoment& moment)
      : parts_(parts), context_(context), moment_(moment) {}

  absl::StatusOr<StatementResult> CreateTable(const BoundCreateTable& statement);
  absl::StatusOr<StatementResult> CreateView(const BoundCreateView& statement);
  absl::StatusOr<StatementResult> Drop(const BoundDrop& statement);

 private:
  absl::StatusOr<v1::CatalogObject> OutsideTable(const BoundCreateTable& statement);
  absl::StatusOr<std::vector<uint64_t>> ResolveDrop(const BoundDrop& statement);
  absl::StatusOr<std::vector<CatalogObjectPtr>> WithTheirJobs(std::vector<uint64_t> ids,
                                                              DropBehavior behavior);
  absl::Status CheckDroppedAlone(const v1::CatalogObject& view,
                                 const std::vector<CatalogObjectPtr>& others);
  absl::Status CheckNotWritten(const std::vector<CatalogObjectPtr>& objects);
  absl::Status RemoveOutside(const v1::CatalogObject& object);

  ClusterParts& parts_;
  StatementContext& context_;
  const StatementMoment& moment_;
};

// Creates the object unless `if_not_exists` and the name is taken: then it says so to the user and
// returns null. `also` is written in the same transaction if the object is ready with it.
absl::StatusOr<CatalogObjectPtr> CreateObject(Catalog& catalog, v1::CatalogObject object,
                                              bool if_not_exists, ResultSink& sink,
                                              const Catalog::Extra& also = {});

// Objects that the plan scans; system views and files without a definition are left out.
std::vector<uint64_t> ObjectsReadBy(const LogicalNode& plan);

}  // namespace millrace
