#pragma once

#include <cstdint>

namespace millrace {

// How often jobs may make epochs and checkpoints: for the coordinator's settings as for SET, so
// that no default is one that a job could not set.
inline constexpr int64_t kEpochIntervalMicrosMin = 10'000;
inline constexpr int64_t kEpochIntervalMicrosMax = int64_t{60} * 1'000'000;
inline constexpr int64_t kCheckpointIntervalMicrosMin = 100'000;
inline constexpr int64_t kCheckpointIntervalMicrosMax = int64_t{24} * 3'600 * 1'000'000;

}  // namespace millrace
