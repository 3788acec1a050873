#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace {

// What one job offers to readers of its views.
struct JobCutOffer {
  uint64_t job_id = 0;
  // Still publishes; a job at its end stands at its last epoch for all later ones.
  bool running = true;
  uint64_t complete_through = 0;
  // Published epochs that are kept, ascending.
  std::vector<uint64_t> readable;
};

// One moment over several jobs.
struct Cut {
  // The number that all views are read at.
  uint64_t epoch = 0;
  // By job: its newest published epoch that is not above `epoch`.
  std::map<uint64_t, uint64_t> epoch_of_job;
};

// The newest cut that all jobs have published, or the one at `as_of`. 55000 (retry safe) while a
// job has published nothing that all can be read at; 22023 if the epoch asked for is not kept any
// more or not yet there. Pure.
absl::StatusOr<Cut> ChooseCut(const std::vector<JobCutOffer>& jobs, std::optional<uint64_t> as_of);

}  // namespace millrace
