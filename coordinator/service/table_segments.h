#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/sql_type.h"
#include "coordinator/planner/planner.h"
#include "coordinator/service/bounded_runner.h"
#include "coordinator/service/cluster_parts.h"

// Segments of stored tables on their way from a sink into a version.

namespace millrace {

// Where the segments of a stored table lie.
std::string TableFolder(const std::string& data_dir, uint64_t object_id);
// Removes the folder with all that is in it.
absl::Status RemoveTableFolder(const std::string& data_dir, uint64_t object_id);

// The sink of a stored table; makes its folder.
absl::StatusOr<TableSinkTarget> MakeTableTarget(const ClusterParts& parts, uint64_t object_id,
                                                const Schema& columns);
// What a run into the table's sink has written, durable and under final names. It becomes part of
// the table only by the catalog's compare-and-swap. The segments have no positions yet.
absl::StatusOr<std::vector<v1::TableSegment>> StagedSegments(const ClusterParts& parts,
                                                             const BoundedResult& result);
// Removes the files of a run whose segments no version holds.
void RemoveFiles(const std::vector<v1::StagedFile>& files);

}  // namespace millrace
