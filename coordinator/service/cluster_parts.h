#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/net/address_policy.h"
#include "common/storage/path_policy.h"
#include "coordinator/catalog/catalog.h"
#include "coordinator/gather/worker_channels.h"
#include "coordinator/job/attempt_runs.h"
#include "coordinator/job/job_store.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/membership/worker_registry.h"
#include "coordinator/metadata/id_allocator.h"
#include "coordinator/scheduler/split_enumerator.h"
#include "coordinator/service/statement_bad_rows.h"
#include "coordinator/statistics/source_statistics.h"

namespace millrace {

class FileCommits;
class TableUpkeep;

// What statements work with: the owners of the coordinator's state, borrowed for the life of the
// process.
struct ClusterParts {
  const Clock& clock;
  Catalog& catalog;
  JobStore& job_store;
  WorkerRegistry& registry;
  AttemptRuns& runs;
  StreamJobs& streams;
  WorkerChannels& channels;
  IdAllocator& job_ids;
  const SplitEnumerator& splits;
  const PathPolicy& path_policy;
  const AddressPolicy& addresses;
  // Absolute; segments of stored tables lie below.
  std::string data_dir;
  // What its token file holds.
  std::string data_token;
  StreamOptions stream_defaults;
  // Per query and worker; 0 = the worker decides.
  uint64_t query_memory_bytes = 0;
  // How long a statement waits for a worker to be there, or for a view to be readable again.
  int64_t worker_wait_micros = 0;
  // Commits of files that statements write outside.
  FileCommits& file_commits;
  // What bounded statements have left out; may be null.
  BadRowsOfStatements* bad_rows = nullptr;
  // Sizes of sources, for the planner; may be null.
  SourceStatistics* statistics = nullptr;
  // Looks after stored tables; may be null.
  TableUpkeep* upkeep = nullptr;
};

}  // namespace millrace
