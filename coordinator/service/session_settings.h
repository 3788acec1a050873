#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace millrace {

// The settings of a session with their types. 0 stands for "not set: the server decides".
struct SessionSettings {
  uint32_t parallelism = 0;
  int64_t epoch_interval_micros = 0;
  int64_t checkpoint_interval_micros = 0;
  uint64_t query_memory_bytes = 0;
  int64_t statement_timeout_micros = 0;
};

// 22023 for values that do not parse or are out of range, 42704 for unknown names: a client may
// send anything.
absl::StatusOr<SessionSettings> ParseSessionSettings(
    const std::map<std::string, std::string>& settings);

}  // namespace millrace
