#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types/batch.h"

namespace millrace {

namespace v1 {
class StagedFile;
}  // namespace v1

// What a sink is asked to be ready for.
enum class SinkCall : uint8_t { kWrite, kPrepare };

// Takes rows of one task. Nothing is visible outside before the coordinator has committed what
// Prepare returned, unless the connector promises less. Called only from the task's thread.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual absl::Status Open() = 0;
  // Asked before each Write and Prepare. False: what was written is still under way, ask again
  // later. A sink that keeps nothing under way is always ready.
  virtual absl::StatusOr<bool> Ready(SinkCall) { return true; }
  virtual absl::Status Write(const Batch& batch) = 0;
  // Makes everything written so far durable under staged names, and returns what has to be
  // committed (maybe nothing). Later writes belong to the next epoch. Bounded jobs call it once,
  // with epoch 0.
  virtual absl::StatusOr<std::vector<v1::StagedFile>> Prepare(uint64_t epoch) = 0;
  // What a sink that is not ready waits for, for people. Valid until the next call.
  virtual absl::string_view waiting_for() const { return "sink"; }
  // Drops everything that was not prepared.
  virtual absl::Status Abort() = 0;
  virtual absl::Status Close() = 0;
};

}  // namespace millrace
