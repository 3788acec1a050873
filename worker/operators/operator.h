#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/expr/evaluator.h"
#include "common/types/batch.h"
#include "worker/operators/operator_context.h"

namespace millrace {

// Which of an operator's inputs a message came from.
using InputIndex = int;

// Event time: every row with an earlier time has been seen. Microseconds.
struct Watermark {
  int64_t micros = kMinWatermark;
  static constexpr int64_t kMinWatermark = INT64_MIN;
  // Input that has ended stands here.
  static constexpr int64_t kMaxWatermark = INT64_MAX;
};

// Separates the rows of one epoch from those of the next.
struct Barrier {
  uint64_t epoch = 0;
  // State is written to the state store at this barrier.
  bool checkpoint = false;
  // The last one of the job.
  bool final = false;
};

// Where an operator puts its output. Valid during the call it was passed to.
class Emitter {
 public:
  virtual ~Emitter() = default;
  // Passes a batch on; empty batches are dropped. Always takes it, also when full.
  virtual void Emit(Batch batch) = 0;
  // True when the next operator has not yet taken what was emitted: stop, return kMore, and go on
  // in Resume.
  virtual bool full() const = 0;
};

// kDone: the input is used up. kMore: the output is full, or enough was done for one step; Resume
// comes before any other input. kWaiting: something outside is pending, for which the
// operator has asked to be woken (OperatorContext::wake_in); the runtime calls Resume when the task
// has been woken.
enum class Progress { kDone, kMore, kWaiting };

// One link of a task's chain. Called only from the task's thread, so it holds no lock and never
// blocks. Order: Open, then any mix of the Process calls, then Close. After a failed call only
// Close follows.
class Operator {
 public:
  virtual ~Operator() = default;
  virtual absl::Status Open(OperatorContext& context) = 0;
  virtual absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) = 0;
  // The least watermark over all channels of all inputs; the runtime combines them and passes them
  // on after this.
  virtual absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) = 0;
  // Every effect of what came before `barrier` is emitted or handed to the state store when this is
  // done, none of what came after. The runtime passes the barrier on after this.
  virtual absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) = 0;
  // Input `input` has ended (bounded). Emits what is still held once all inputs have. This is where
  // batch and stream meet.
  virtual absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) = 0;
  // Goes on after kMore or kWaiting.
  virtual absl::StatusOr<Progress> Resume(Emitter& out) = 0;
  virtual absl::Status Close() = 0;
  // Inputs that the runtime may feed now, as a bit set; a join that builds first closes its probe
  // side. None: the operator wants no more rows (LIMIT reached). Bounded jobs then drop the rest of
  // its inputs and call ProcessEnd for each.
  virtual uint32_t open_inputs() const { return ~uint32_t{0}; }
  // What an operator that said kWaiting waits for, for people. Valid until the next call.
  virtual absl::string_view waiting_for() const { return "state"; }
};

// Base of operators that keep nothing between batches: filter, project, union, window table
// functions. One that makes more of a batch than fits into one (kMaxBatchBytes) gives it out in
// parts, in Resume.
class StatelessOperator : public Operator {
 public:
  absl::Status Open(OperatorContext&) override { return absl::OkStatus(); }
  absl::StatusOr<Progress> ProcessWatermark(Watermark, Emitter&) final { return Progress::kDone; }
  absl::StatusOr<Progress> ProcessBarrier(const Barrier&, Emitter&) final {
    return Progress::kDone;
  }
  absl::StatusOr<Progress> ProcessEnd(InputIndex, Emitter&) override { return Progress::kDone; }
  absl::StatusOr<Progress> Resume(Emitter&) override { return Progress::kDone; }
  absl::Status Close() override { return absl::OkStatus(); }
};

}  // namespace millrace
