#include "coordinator/service/find_job.h"

#include <algorithm>
#include <optional>

namespace millrace {

absl::StatusOr<v1::JobRecord> FindJob(const std::string& job, const ClusterParts& parts) {
  absl::StatusOr<v1::JobRecord> found = parts.job_store.Find(job);
  if (found.ok()) return found;
  const CatalogObjectPtr view = parts.catalog.Snapshot()->Find(job);
  if (view == nullptr || view->job_id() == 0) return found;
  const std::optional<v1::JobRecord> record = parts.job_store.Get(view->job_id());
  if (!record.has_value()) return found;
  return *record;
}

std::vector<v1::JobRecord> StreamsOfJob(const v1::JobRecord& job, const JobStore& store) {
  if (job.streaming()) return {job};
  std::vector<v1::JobRecord> streams;
  for (v1::JobRecord& record : store.List()) {
    if (record.streaming() && record.parent_job_id() == job.id()) {
      streams.push_back(std::move(record));
    }
  }
  std::reverse(streams.begin(), streams.end());
  return streams;
}

}  // namespace millrace
