#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/scheduler/split_pool.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

struct StreamOptions {
  int64_t epoch_interval_micros = 500'000;
  int64_t checkpoint_interval_micros = 10'000'000;
};

// A streaming job to start. Its JobRecord is in the store already.
struct StreamSpec {
  uint64_t job_id = 0;
  std::string name;
  // As it was planned; fragments that can have several tasks have at least two here.
  std::shared_ptr<const v1::PhysicalPlan> planned;
  // Tasks of those fragments.
  uint32_t parallelism = 1;
  // The same plan with that parallelism; Start fills it in.
  std::shared_ptr<const v1::PhysicalPlan> plan;
  std::vector<ScanSplits> scans;
  std::map<std::string, std::string> settings;
  StreamOptions options;
  uint64_t memory_bytes_max = 0;
};

// What somebody wants of a stopped, failed or running job.
struct RestartRequest {
  uint64_t job_id = 0;
  // Epoch of a checkpoint that is kept; 0 = the newest.
  uint64_t checkpoint_epoch = 0;
  // The same request does nothing twice; empty = none.
  std::string request_id;
};

struct RestartAnswer {
  // The attempt that is started.
  uint32_t attempt = 0;
  // Where it goes on; 0 = from the beginning.
  uint64_t restored_epoch = 0;
};

}  // namespace millrace
