#include "common/base/failpoint.h"

#if defined(MILLRACE_FAILPOINTS) && MILLRACE_FAILPOINTS

#include <signal.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/mutex.h"
#include "common/base/status.h"

namespace millrace {
namespace {

struct Failpoint {
  std::string action;
  // 0 = every hit; n = the n-th hit only.
  int only_hit = 0;
  int num_hits = 0;
};

class FailpointTable {
 public:
  FailpointTable() {
    const char* env = std::getenv("MILLRACE_FAILPOINTS");
    if (env == nullptr) return;
    for (absl::string_view entry : absl::StrSplit(env, ';', absl::SkipEmpty())) {
      std::vector<std::string> parts = absl::StrSplit(entry, absl::MaxSplits('=', 1));
      if (parts.size() == 2) Set(parts[0], parts[1]);
    }
  }

  void Set(absl::string_view name, absl::string_view action) {
    MutexLock lock(mutex_);
    Failpoint point;
    std::vector<std::string> parts = absl::StrSplit(action, absl::MaxSplits('*', 1));
    if (parts.size() == 2 && absl::SimpleAtoi(parts[0], &point.only_hit)) {
      point.action = parts[1];
    } else {
      point.action = std::string(action);
    }
    points_[std::string(name)] = point;
  }

  void Clear(absl::string_view name) {
    MutexLock lock(mutex_);
    points_.erase(std::string(name));
  }

  // The action to take now; empty = none.
  std::string Hit(absl::string_view name) {
    MutexLock lock(mutex_);
    auto it = points_.find(std::string(name));
    if (it == points_.end()) return "";
    ++it->second.num_hits;
    if (it->second.only_hit != 0 && it->second.num_hits != it->second.only_hit) return "";
    return it->second.action;
  }

  // The same where hits are not counted, but are numbers: those of [first, last].
  std::string HitAt(absl::string_view name, uint64_t first, uint64_t last) {
    MutexLock lock(mutex_);
    const auto it = points_.find(std::string(name));
    if (it == points_.end()) return "";
    const auto number = static_cast<uint64_t>(it->second.only_hit);
    return first <= number && number <= last ? it->second.action : "";
  }

 private:
  Mutex mutex_;
  std::map<std::string, Failpoint> points_ ABSL_GUARDED_BY(mutex_);
};

// Process-wide by nature: a failpoint is a fault of the process. Test builds only.
FailpointTable& Table() {
  static FailpointTable* const table = new FailpointTable();
  return *table;
}

}  // namespace

absl::Status HitFailpoint(absl::string_view name) {
  const std::string action = Table().Hit(name);
  if (action == "error") {
    return MakeError(SqlState::kIoError, absl::StrCat("failpoint ", name, " was hit"));
  }
  if (action == "abort") std::_Exit(137);
  if (action == "stop") raise(SIGSTOP);
  return absl::OkStatus();
}

void HitFailpointAt(absl::string_view name, uint64_t first, uint64_t last) {
  if (Table().HitAt(name, first, last) == "abort") std::_Exit(137);
}

bool FailpointHeld(absl::string_view name) { return Table().Hit(name) == "hold"; }

void EnableFailpoint(absl::string_view name, absl::string_view action) {
  Table().Set(name, action);
}

void DisableFailpoint(absl::string_view name) { Table().Clear(name); }

}  // namespace millrace

#endif  // MILLRACE_FAILPOINTS
