#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/epoch/job_epochs.h"
#include "coordinator/epoch/task_key.h"
#include "coordinator/scheduler/split_enumerator.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {

enum class StreamPhase : uint8_t {
  // No attempt runs; one will be started when the time has come and workers are there.
  kWaiting,
  kRunning,
  // All input was processed, or the job was stopped: the workers keep the views' rows and nothing
  // else.
  kServing,
  // The error is final; nothing can be read.
  kFailed,
  kCancelled,
};

// What can be seen of a streaming job.
struct StreamView {
  uint64_t job_id = 0;
  std::string name;
  StreamPhase phase = StreamPhase::kWaiting;
  uint32_t attempt = 0;
  uint64_t durable_epoch = 0;
  std::deque<PublishedEpoch> published;
  // The final epoch is published, and every source had ended: every row of the input is in.
  bool complete = false;
  // Was stopped before that: nothing is read until it is restarted.
  bool stopped = false;
  absl::Status error;
  // Why the job was restarted last, or its final error.
  absl::Status last_error;
  // What has to pass before the next attempt can begin, or checkpoints can be made again; its final
  // error. OK = nothing.
  absl::Status waits_for;
  // Malformed rows kept up to the newest published epoch; never null.
  std::shared_ptr<const std::vector<v1::KeptRow>> kept_rows;
  std::vector<v1::TaskProgress> tasks;
  // As in AttemptTasks.
  std::map<TaskKey, double> scan_rates;
  std::shared_ptr<const v1::PhysicalPlan> plan;
};

// The parts of views that a statement reads, at one cut. While it lives, the epochs of the cut are
// kept.
struct BoundViews {
  std::vector<ViewPartAtEpoch> parts;
  uint64_t epoch = 0;
  std::shared_ptr<void> pin;
};

// A view and AS OF EPOCH (0 = the newest cut).
struct ViewRead {
  uint64_t object_id = 0;
  uint64_t as_of_epoch = 0;
  friend auto operator<=>(const ViewRead&, const ViewRead&) = default;
};

}  // namespace millrace
