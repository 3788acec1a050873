#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/storage/file_system.h"
#include "coordinator/job/attempt_runs.h"
#include "coordinator/scheduler/split_enumerator.h"

namespace millrace {

// Looks for new files of the definitions with follow = true that running jobs read, and gives their
// splits to the jobs. Used by one thread, which it blocks on the disk.
//
// A file to which rows can be appended is taken as soon as it is seen. Any other is taken once its
// size and modification time were the same at two looks.
class FileWatch {
 public:
  FileWatch(AttemptRuns& runs, const SplitEnumerator& splits, const Clock& clock)
      : runs_(runs), splits_(splits), clock_(clock) {}

  // Looks where it is time to.
  void Tick();

 private:
  struct Look {
    uint32_t attempt = 0;
    int64_t next_micros = 0;
    std::set<std::string> taken;
    // Size and modification time at the last look.
    std::map<std::string, std::pair<uint64_t, int64_t>> unsettled;
  };

  absl::Status LookFor(const FollowedScan& scan, Look& look);

  AttemptRuns& runs_;
  const SplitEnumerator& splits_;
  const Clock& clock_;
  // By job and scan.
  std::map<std::pair<uint64_t, uint32_t>, Look> looks_;
};

}  // namespace millrace
