#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/service/cluster_parts.h"
#include "coordinator/service/query_planning.h"
#include "coordinator/service/statement_context.h"

namespace millrace {

// The relation in which a definition keeps its late rows: the option late_into.
std::optional<std::string> LateInto(const v1::CatalogObject& definition);

// That relation; null if it is not there.
CatalogObjectPtr LateRowsView(const v1::CatalogObject& definition, const CatalogSnapshot& catalog);

// 22023 if the definition has the option late_into, but no late rows.
absl::Status CheckLateInto(const v1::CatalogObject& definition);

// Creates the relation: a materialized view, with a job of its own, over the late rows of the
// definition. That is CREATING and carries the number of the job; it becomes READY together with
// the relation, in a transaction with what `also` gives, or else neither does. Lateness depends on
// the order within a split only, so these are the rows that every other job over the definition
// leaves out. The view's epochs and checkpoints keep each row once.
absl::Status CreateLateRowsView(const CatalogObjectPtr& definition, ClusterParts& parts,
                                StatementContext& context, const StatementMoment& moment,
                                const std::function<std::vector<MetadataWrite>()>& also);

}  // namespace millrace
