#include "worker/runtime/chain_driver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/row_bytes.h"

namespace millrace {
namespace {

// What kernels that cannot fail have noted in the call that has just been made, or is being made.
absl::Status TextFitted() {
  if (!TakeTextOverflow()) return absl::OkStatus();
  return MakeError(SqlState::kProgramLimitExceeded,
                   "rows that are worked on together have more than 2 GiB of text in one column");
}

}  // namespace

// Puts what an operator emits into its target's queue.
class ChainEmitter final : public Emitter {
 public:
  ChainEmitter(ChainDriver& driver, ChainDriver::Node& node) : driver_(driver), node_(node) {}

  void Emit(Batch batch) override {
    if (batch.num_rows() == 0) return;
    node_.stats.counters.rows_out += static_cast<uint64_t>(batch.num_rows());
    driver_.emit_status_.Update(TextFitted());
    if (!driver_.emit_status_.ok()) return;
    driver_.emit_status_ = driver_.Forward(node_.target, std::move(batch));
  }
  bool full() const override { return driver_.TargetFull(node_.target); }

 private:
  ChainDriver& driver_;
  ChainDriver::Node& node_;
};

ChainDriver::ChainDriver(Chain& chain, bool streaming, const Clock& clock,
                         BarrierCallback on_barrier)
    : chain_(chain),
      streaming_(streaming),
      clock_(clock),
      on_barrier_(std::move(on_barrier)),
      nodes_(chain.operators.size()),
      input_done_(chain.inputs.size(), false),
      input_stats_(chain.inputs.size()) {
  for (size_t i = 0; i < input_stats_.size(); ++i) {
    input_stats_[i].node_id = chain.inputs[i].node_id;
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const ChainOperator& op = chain.operators[i];
    Node& node = nodes_[i];
    MR_CHECK(op.num_inputs > 0 && op.num_inputs <= ChainOperator::kInputsMax);
    MR_CHECK(op.target.index == ChainTarget::kOutputs || op.target.index > static_cast<int>(i));
    node.op = op.op.get();
    node.target = op.target;
    node.queues.resize(static_cast<size_t>(op.num_inputs));
    node.watermarks.assign(static_cast<size_t>(op.num_inputs), Watermark::kMinWatermark);
    node.stats.node_id = op.node_id;
  }
}

absl::StatusOr<DriveResult> ChainDriver::Run(int64_t deadline_micros,
                                             const std::atomic<bool>& stop) {
  if (!started_) {
    started_ = true;
    // LIMIT 0 wants nothing from the beginning.
    for (size_t i = 0; i < nodes_.size(); ++i) DropInputsIfUnwanted(static_cast<int>(i));
  }
  // What an error has left behind, of whichever task this thread worked on before.
  TakeTextOverflow();
  // Whatever a waiting operator waits for may have woken the task.
  for (Node& node : nodes_) node.waiting = false;
  while (true) {
    MR_RETURN_IF_ERROR(PumpOutputs());
    if (output_ended_) return OutputsDrained() ? DriveResult::kFinished : DriveResult::kIdle;
    if (OutputsClosed()) {
      for (size_t i = 0; i < chain_.inputs.size(); ++i) {
        chain_.inputs[i].input->Close(CloseReason::kFinished);
        input_done_[i] = true;
      }
      return DriveResult::kFinished;
    }
    MR_ASSIGN_OR_RETURN(bool progress, RunOneOperator());
    if (!progress) {
      MR_ASSIGN_OR_RETURN(progress, PollInputs());
    }
    if (!progress) {
      for (auto& output : chain_.outputs) MR_RETURN_IF_ERROR(output->FlushPartial());
      return DriveResult::kIdle;
    }
    if (stop.load(std::memory_order_relaxed)) return DriveResult::kReady;
    if (clock_.MonotonicMicros() >= deadline_micros) return DriveResult::kReady;
  }
}

bool ChainDriver::TargetFull(const ChainTarget& target) const {
  if (target.index != ChainTarget::kOutputs) {
    return !nodes_[target.index].queues[target.input].empty();
  }
  return !waiting_.empty() || OutputsFull();
}

bool ChainDriver::OutputsFull() const {
  return std::any_of(chain_.outputs.begin(), chain_.outputs.end(),
                     [](const auto& output) { return output->full(); });
}

bool ChainDriver::TargetOpen(ChainTarget target) const {
  while (target.index != ChainTarget::kOutputs) {
    const Node& node = nodes_[target.index];
    const uint32_t bit = uint32_t{1} << target.input;
    if (!streaming_ && (node.dropping_input || (node.op->open_inputs() & bit) == 0)) return false;
    target = node.target;
  }
  return true;
}

absl::StatusOr<bool> ChainDriver::RunOneOperator() {
  for (int i = static_cast<int>(nodes_.size()) - 1; i >= 0; --i) {
    Node& node = nodes_[i];
    if (node.finished || node.waiting || TargetFull(node.target)) continue;
    if (node.suspended) {
      MR_RETURN_IF_ERROR(Finish(i, Call(i, [&](Emitter& out) { return node.op->Resume(out); })));
      return true;
    }
    MR_ASSIGN_OR_RETURN(const bool progress, ProcessQueued(i));
    if (progress) return true;
  }
  return false;
}

absl::StatusOr<bool> ChainDriver::ProcessQueued(int index) {
  Node& node = nodes_[index];
  const uint32_t open = streaming_ || node.dropping_input ? ~uint32_t{0} : node.op->open_inputs();
  const size_t num_inputs = node.queues.size();
  // In turn, so that no input of a union or a symmetric join starves.
  for (size_t k = 0; k < num_inputs; ++k) {
    const size_t input = (node.next_input + k) % num_inputs;
    if ((open >> input & 1) == 0 || node.queues[input].empty()) continue;
    MR_ASSIGN_OR_RETURN(const bool progress, ProcessFront(index, input));
    if (!progress) continue;
    node.next_input = (input + 1) % num_inputs;
    return true;
  }
  return false;
}

absl::StatusOr<bool> ChainDriver::ProcessFront(int index, size_t input) {
  Node& node = nodes_[index];
  if (std::holds_alternative<Barrier>(node.queues[input].front())) {
    if (!BarrierAligned(node)) return false;
    MR_RETURN_IF_ERROR(ProcessBarrier(index));
    return true;
  }
  StreamMessage message = std::move(node.queues[input].front());
  node.queues[input].pop_front();
  if (auto* batch = std::get_if<Batch>(&message)) {
    node.stats.counters.rows_in += static_cast<uint64_t>(batch->num_rows());
    MR_RETURN_IF_ERROR(Finish(index, Call(index, [&](Emitter& out) {
                                return node.op->ProcessBatch(static_cast<InputIndex>(input),
                                                             std::move(*batch), out);
                              })));
  } else if (auto* watermark = std::get_if<Watermark>(&message)) {
    if (AdvanceWatermark(node, input, watermark->micros)) {
      const Watermark least{node.watermark};
      node.after = least;
      MR_RETURN_IF_ERROR(Finish(
          index, Call(index, [&](Emitter& out) { return node.op->ProcessWatermark(least, out); })));
    }
  } else {
    MR_RETURN_IF_ERROR(ProcessEnd(index, input));
  }
  return true;
}

bool ChainDriver::BarrierAligned(const Node& node) const {
  for (size_t input = 0; input < node.queues.size(); ++input) {
    if (node.ended_inputs >> input & 1) continue;
    const auto& queue = node.queues[input];
    if (queue.empty() || !std::holds_alternative<Barrier>(queue.front())) return false;
  }
  return true;
}

absl::Status ChainDriver::ProcessBarrier(int index) {
  Node& node = nodes_[index];
  std::optional<Barrier> barrier;
  for (auto& queue : node.queues) {
    if (queue.empty()) continue;
    const Barrier next = std::get<Barrier>(queue.front());
    if (barrier.has_value() && barrier->epoch != next.epoch) {
      return InternalError(absl::StrCat("barrier ", next.epoch, " met barrier ", barrier->epoch));
    }
    barrier = next;
    queue.pop_front();
  }
  node.after = *barrier;
  return Finish(index,
                Call(index, [&](Emitter& out) { return node.op->ProcessBarrier(*barrier, out); }));
}

absl::Status ChainDriver::ProcessEnd(int index, size_t input) {
  Node& node = nodes_[index];
  node.ended_inputs |= uint32_t{1} << input;
  const bool all = node.ended_inputs == AllInputs(node);
  if (streaming_) {
    if (!all) return absl::OkStatus();
    node.finished = true;
    return Forward(node.target, EndOfStream());
  }
  if (all) node.after = EndOfStream();
  return Finish(index, Call(index, [&](Emitter& out) {
                  return node.op->ProcessEnd(static_cast<InputIndex>(input), out);
                }));
}

bool ChainDriver::AdvanceWatermark(Node& node, size_t input, int64_t micros) {
  node.watermarks[input] = std::max(node.watermarks[input], micros);
  const int64_t least = *std::min_element(node.watermarks.begin(), node.watermarks.end());
  if (least <= node.watermark) return false;
  node.watermark = least;
  return true;
}

absl::StatusOr<Progress> ChainDriver::Call(
    int index, const std::function<absl::StatusOr<Progress>(Emitter&)>& call) {
  Node& node = nodes_[index];
  ChainEmitter emitter(*this, node);
  const int64_t begin_micros = clock_.MonotonicMicros();
  const uint64_t output_busy_before = output_busy_micros_;
  absl::StatusOr<Progress> progress = call(emitter);
  const auto micros = static_cast<uint64_t>(clock_.MonotonicMicros() - begin_micros);
  // The root's rows were sent meanwhile.
  node.stats.busy_micros += micros - std::min(micros, output_busy_micros_ - output_busy_before);
  if (!progress.ok()) return progress;
  emit_status_.Update(TextFitted());
  if (!emit_status_.ok()) return emit_status_;
  return progress;
}

absl::Status ChainDriver::Finish(int index, absl::StatusOr<Progress> progress) {
  if (!progress.ok()) return std::move(progress).status();
  Node& node = nodes_[index];
  node.suspended = *progress != Progress::kDone;
  node.waiting = *progress == Progress::kWaiting;
  if (node.suspended) return absl::OkStatus();
  if (node.after.has_value()) {
    StreamMessage after = *std::exchange(node.after, std::nullopt);
    node.finished = std::holds_alternative<EndOfStream>(after);
    MR_RETURN_IF_ERROR(Forward(node.target, std::move(after)));
  }
  DropInputsIfUnwanted(index);
  return absl::OkStatus();
}

void ChainDriver::DropInputsIfUnwanted(int index) {
  Node& node = nodes_[index];
  if (streaming_ || node.finished || node.dropping_input) return;
  if (node.ended_inputs == AllInputs(node)) return;
  if ((node.op->open_inputs() & AllInputs(node)) != 0) return;
  node.dropping_input = true;
  CloseSubtree(index);
  for (size_t input = 0; input < node.queues.size(); ++input) {
    node.queues[input].clear();
    if ((node.ended_inputs >> input & 1) == 0) node.queues[input].push_back(EndOfStream());
  }
}

void ChainDriver::CloseSubtree(int index) {
  for (size_t i = 0; i < chain_.inputs.size(); ++i) {
    if (chain_.inputs[i].target.index != index || input_done_[i]) continue;
    chain_.inputs[i].input->Close(CloseReason::kFinished);
    input_done_[i] = true;
  }
  for (int child = 0; child < index; ++child) {
    if (nodes_[child].target.index != index || nodes_[child].finished) continue;
    nodes_[child].finished = true;
    CloseSubtree(child);
  }
}

absl::StatusOr<bool> ChainDriver::PollInputs() {
  bool progress = false;
  for (size_t k = 0; k < chain_.inputs.size(); ++k) {
    const size_t i = (next_poll_ + k) % chain_.inputs.size();
    ChainInput& input = chain_.inputs[i];
    if (input_done_[i] || TargetFull(input.target) || !TargetOpen(input.target)) continue;
    const int64_t begin_micros = clock_.MonotonicMicros();
    MR_ASSIGN_OR_RETURN(std::optional<StreamMessage> message, input.input->Poll());
    MR_RETURN_IF_ERROR(TextFitted());
    OperatorStats& stats = input_stats_[i];
    stats.busy_micros += static_cast<uint64_t>(clock_.MonotonicMicros() - begin_micros);
    if (!message.has_value()) continue;
    progress = true;
    if (const auto* batch = std::get_if<Batch>(&*message)) {
      stats.counters.rows_out += static_cast<uint64_t>(batch->num_rows());
      if (batch->num_rows() == 0) continue;
    }
    if (std::holds_alternative<EndOfStream>(*message)) input_done_[i] = true;
    MR_RETURN_IF_ERROR(Forward(input.target, *std::move(message)));
  }
  if (!chain_.inputs.empty()) next_poll_ = (next_poll_ + 1) % chain_.inputs.size();
  return progress;
}

absl::Status ChainDriver::Forward(const ChainTarget& target, StreamMessage message) {
  if (target.index == ChainTarget::kOutputs) return ForwardToOutputs(std::move(message));
  nodes_[target.index].queues[target.input].push_back(std::move(message));
  return absl::OkStatus();
}

absl::Status ChainDriver::ForwardToOutputs(StreamMessage message) {
  const auto* batch = std::get_if<Batch>(&message);
  const bool whole =
      batch == nullptr || RowsWithinBatch(*batch, 0, batch->num_rows()) == batch->num_rows();
  if (whole && waiting_.empty()) return SendMessage(std::move(message));
  waiting_.push_back(std::move(message));
  return SendWaiting();
}

absl::Status ChainDriver::SendWaiting() {
  while (!waiting_.empty() && !OutputsFull()) {
    StreamMessage message = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto* batch = std::get_if<Batch>(&message)) {
      const int64_t n = RowsWithinBatch(*batch, 0, batch->num_rows());
      if (n < batch->num_rows()) {
        waiting_.push_front(batch->Slice(n, batch->num_rows() - n));
        message = batch->Slice(0, n);
      }
    }
    MR_RETURN_IF_ERROR(SendMessage(std::move(message)));
  }
  return absl::OkStatus();
}

absl::Status ChainDriver::SendMessage(StreamMessage message) {
  if (output_ended_) return absl::OkStatus();
  MR_RETURN_IF_ERROR(SendToOutputs(message));
  if (const auto* batch = std::get_if<Batch>(&message)) {
    rows_out_ += static_cast<uint64_t>(batch->num_rows());
  } else if (const auto* watermark = std::get_if<Watermark>(&message)) {
    watermark_ = *watermark;
  } else if (const auto* barrier = std::get_if<Barrier>(&message)) {
    on_barrier_(*barrier);
    if (barrier->final) return SendMessage(EndOfStream());
  } else {
    output_ended_ = true;
  }
  return absl::OkStatus();
}

absl::Status ChainDriver::SendToOutputs(const StreamMessage& message) {
  if (chain_.outputs.empty()) return absl::OkStatus();
  const int64_t begin_micros = clock_.MonotonicMicros();
  for (auto& output : chain_.outputs) MR_RETURN_IF_ERROR(output->Send(message));
  output_busy_micros_ += static_cast<uint64_t>(clock_.MonotonicMicros() - begin_micros);
  return absl::OkStatus();
}

absl::Status ChainDriver::PumpOutputs() {
  for (auto& output : chain_.outputs) MR_RETURN_IF_ERROR(output->Pump());
  return SendWaiting();
}

bool ChainDriver::OutputsDrained() const {
  return std::all_of(chain_.outputs.begin(), chain_.outputs.end(),
                     [](const auto& output) { return output->drained(); });
}

bool ChainDriver::OutputsClosed() const {
  return !chain_.outputs.empty() &&
         std::all_of(chain_.outputs.begin(), chain_.outputs.end(),
                     [](const auto& output) { return output->closed(); });
}

std::vector<OperatorStats> ChainDriver::operator_stats() const {
  std::vector<OperatorStats> stats = input_stats_;
  stats.reserve(stats.size() + nodes_.size());
  for (size_t i = 0; i < stats.size(); ++i) {
    OperatorCounters& counters = stats[i].counters;
    counters.rows_in = chain_.inputs[i].input->rows_read().value_or(counters.rows_out);
  }
  for (const Node& node : nodes_) stats.push_back(node.stats);
  return stats;
}

uint64_t ChainDriver::rows_in() const {
  uint64_t rows = 0;
  for (size_t i = 0; i < input_stats_.size(); ++i) {
    rows += chain_.inputs[i].input->rows_read().value_or(input_stats_[i].counters.rows_out);
  }
  return rows;
}

absl::string_view ChainDriver::waiting_for() const {
  for (const Node& node : nodes_) {
    if (node.waiting) return node.op->waiting_for();
  }
  for (const auto& output : chain_.outputs) {
    if (output->full() || (output_ended_ && !output->drained())) return "output";
  }
  for (size_t i = 0; i < chain_.inputs.size(); ++i) {
    if (!input_done_[i] && TargetOpen(chain_.inputs[i].target)) {
      return chain_.inputs[i].input->waiting_for();
    }
  }
  return "input";
}

}  // namespace millrace
