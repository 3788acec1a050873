#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/service/cluster_parts.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

// By id, by its name, or by the name of a view that it keeps. 42704 if there is none.
absl::StatusOr<v1::JobRecord> FindJob(const std::string& job, const ClusterParts& parts);

// The streaming jobs of a job: itself, or those that a script has created, oldest first.
std::vector<v1::JobRecord> StreamsOfJob(const v1::JobRecord& job, const JobStore& store);

}  // namespace millrace
