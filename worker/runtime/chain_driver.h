#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/clock.h"
#include "worker/operators/operator_context.h"
#include "worker/runtime/chain.h"
#include "worker/runtime/stream_message.h"

namespace millrace {

enum class DriveResult : uint8_t {
  // Time is up; there is more to do.
  kReady,
  // Nothing to do until an input, an output or a timer wakes the task.
  kIdle,
  // All input was processed and all output has been sent.
  kFinished,
};

// What the driver counts of one operator.
struct OperatorStats {
  uint32_t node_id = 0;
  OperatorCounters counters;
  uint64_t busy_micros = 0;
};

// Moves messages through a chain. Every operator has a queue for each input; the driver works from
// the root back to the inputs, so rows leave as early as they can and little waits in between:
// first operators that stopped in the middle, then those with queued input, and only then it polls
// the chain's inputs. An operator whose target has not taken its output is not called.
//
// Watermarks of an operator's inputs are combined by their minimum. A barrier blocks an input of an
// operator until the barrier has come on all of them.
//
// A batch that leaves the chain is cut into parts of about kMaxBatchBytes, because all that an
// output makes of it (text of a dictionary, rows by target, an encoded message) is made at once. A
// part waits until the outputs have taken the one before.
//
// Streaming chains have no end: EndOfStream is not shown to operators; the chain is finished when
// the final barrier has passed it.
class ChainDriver {
 public:
  // Told of every barrier that has passed all operators and was handed to the outputs.
  using BarrierCallback = std::function<void(const Barrier&)>;

  // `chain` outlives the driver.
  ChainDriver(Chain& chain, bool streaming, const Clock& clock, BarrierCallback on_barrier);

  // Where operator i counts, for its context.
  OperatorCounters* counters(size_t operator_index) {
    return &nodes_[operator_index].stats.counters;
  }

  // Works until `deadline_micros` (monotonic) or until `stop` is set; at least one step. After an
  // error only closing the chain's parts is allowed.
  absl::StatusOr<DriveResult> Run(int64_t deadline_micros, const std::atomic<bool>& stop);

  // Rows that the chain's inputs have read, also those that a scan set apart or filtered.
  uint64_t rows_in() const;
  uint64_t rows_out() const { return rows_out_; }
  // Of the chain's output.
  Watermark watermark() const { return watermark_; }
  // First the chain's inputs, then its operators. An input's rows_in are those it has read.
  std::vector<OperatorStats> operator_stats() const;
  // What an idle chain waits for: "input", "split", "rate", "barrier", "output".
  absl::string_view waiting_for() const;
  // Time spent on spreading and sending rows; no part of any operator's time.
  uint64_t output_busy_micros() const { return output_busy_micros_; }

 private:
  friend class ChainEmitter;

  struct Node {
    Operator* op = nullptr;
    ChainTarget target;
    std::vector<std::deque<StreamMessage>> queues;
    std::vector<int64_t> watermarks;
    int64_t watermark = Watermark::kMinWatermark;
    // Inputs whose EndOfStream was processed.
    uint32_t ended_inputs = 0;
    // The operator asked for Resume.
    bool suspended = false;
    // Of a suspended one: it is not resumed before the next Run.
    bool waiting = false;
    // Passed on when the current call is done.
    std::optional<StreamMessage> after;
    // The operator wants no more rows: its queues hold EndOfStream only.
    bool dropping_input = false;
    // EndOfStream was passed on.
    bool finished = false;
    size_t next_input = 0;
    OperatorStats stats;
  };

  uint32_t AllInputs(const Node& node) const { return (uint32_t{1} << node.queues.size()) - 1; }
  bool TargetFull(const ChainTarget& target) const;
  // True if the target, and all operators behind it, take rows from there now.
  bool TargetOpen(ChainTarget target) const;

  absl::StatusOr<bool> RunOneOperator();
  absl::StatusOr<bool> ProcessQueued(int index);
  absl::StatusOr<bool> ProcessFront(int index, size_t input);
  absl::Status ProcessBarrier(int index);
  absl::Status ProcessEnd(int index, size_t input);
  bool BarrierAligned(const Node& node) const;
  // Takes the new watermark of an input; true if the minimum has risen.
  bool AdvanceWatermark(Node& node, size_t input, int64_t micros);
  absl::StatusOr<Progress> Call(int index,
                                const std::function<absl::StatusOr<Progress>(Emitter&)>& call);
  absl::Status Finish(int index, absl::StatusOr<Progress> progress);
  // Lets go of the inputs of an operator that wants no more rows.
  void DropInputsIfUnwanted(int index);
  void CloseSubtree(int index);
  absl::StatusOr<bool> PollInputs();
  absl::Status Forward(const ChainTarget& target, StreamMessage message);
  absl::Status ForwardToOutputs(StreamMessage message);
  // Sends what waits until the outputs are full.
  absl::Status SendWaiting();
  absl::Status SendMessage(StreamMessage message);
  absl::Status SendToOutputs(const StreamMessage& message);
  absl::Status PumpOutputs();
  bool OutputsFull() const;
  bool OutputsDrained() const;
  bool OutputsClosed() const;

  Chain& chain_;
  const bool streaming_;
  const Clock& clock_;
  const BarrierCallback on_barrier_;
  std::vector<Node> nodes_;
  // Per chain input: EndOfStream came, or it was closed.
  std::vector<bool> input_done_;
  std::vector<OperatorStats> input_stats_;
  size_t next_poll_ = 0;
  bool started_ = false;
  bool output_ended_ = false;
  // What is left of a batch that is sent in parts, and what came behind it.
  std::deque<StreamMessage> waiting_;
  // Result of Emitter::Emit, which cannot fail; reported by the call it was made in.
  absl::Status emit_status_;
  uint64_t output_busy_micros_ = 0;
  uint64_t rows_out_ = 0;
  Watermark watermark_;
};

}  // namespace millrace
