#include "worker/runtime/task.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/status.pb.h"
#include "worker/state/task_state_store.h"

namespace millrace {
namespace {

// Long enough to keep a chain's data in the caches, short enough for a hundred tasks to take turns.
constexpr int64_t kStepMicros = 5000;

}  // namespace

struct Task::Snapshot {
  int state = v1::TASK_STATE_DEPLOYING;
  uint64_t rows_in = 0;
  uint64_t rows_out = 0;
  SentBytes sent;
  uint64_t busy_micros = 0;
  Watermark watermark;
  uint64_t epoch = 0;
  DroppedRows dropped;
  std::vector<OperatorStats> operators;
  // By operator: what the newest epoch touched.
  std::vector<uint64_t> epoch_rows_touched;
  std::vector<SentCounts> exchanges_out;
  std::vector<ReceivedCounts> exchanges_in;
  std::vector<ScanTime> scans;
  uint64_t output_busy_micros = 0;
  std::string waiting_for;
  absl::Status error;
};

Task::Task(ActorPool& pool, const Clock& clock, TaskListener& listener)
    : Actor(pool), clock_(clock), listener_(listener), snapshot_(std::make_unique<Snapshot>()) {}

Task::~Task() {
  if (driver_ != nullptr) CloseAll(CloseReason::kAborted).IgnoreError();
}

void Task::Init(Options options) {
  MR_CHECK(driver_ == nullptr);
  identity_ = options.identity;
  chain_ = std::move(options.chain);
  state_store_ = std::move(options.state);
  staged_files_ = std::make_unique<std::vector<v1::StagedFile>>();
  driver_ = std::make_unique<ChainDriver>(chain_, identity_.streaming, clock_,
                                          [this](const Barrier& barrier) { PassBarrier(barrier); });
  contexts_.assign(chain_.operators.size(), options.context);
  if (options.context.memory != nullptr) {
    memory_ = std::make_unique<MemoryBudget>(*options.context.memory);
  }
  for (size_t i = 0; i < contexts_.size(); ++i) {
    contexts_[i].node_id = chain_.operators[i].node_id;
    contexts_[i].counters = driver_->counters(i);
    contexts_[i].memory = memory_.get();
    contexts_[i].state = state_store_.get();
    contexts_[i].staged_files = staged_files_.get();
    contexts_[i].wake = [this] { Wake(); };
  }
}

void Task::Start() {
  started_ = true;
  Wake();
}

void Task::Cancel() {
  cancelled_.store(true, std::memory_order_relaxed);
  Wake();
}

absl::Status Task::OpenOperators() {
  operators_opened_ = true;
  for (size_t i = 0; i < contexts_.size(); ++i) {
    MR_RETURN_IF_ERROR(chain_.operators[i].op->Open(contexts_[i]));
  }
  return absl::OkStatus();
}

absl::Status Task::OpenRest() {
  if (!operators_opened_) MR_RETURN_IF_ERROR(OpenOperators());
  if (std::exchange(inputs_opened_, true)) return absl::OkStatus();
  for (ChainInput& input : chain_.inputs) MR_RETURN_IF_ERROR(input.input->Open());
  return absl::OkStatus();
}

Task::StepResult Task::Step() {
  if (done_) return StepResult::kDone;
  if (cancelled_.load(std::memory_order_relaxed)) return End(absl::OkStatus(), true);
  // A channel to a worker that is gone wakes its task before the task is started.
  if (!started_) return StepResult::kIdle;
  const int64_t begin_micros = clock_.MonotonicMicros();
  if (absl::Status status = OpenRest(); !status.ok()) return End(std::move(status), false);
  absl::StatusOr<DriveResult> result = driver_->Run(begin_micros + kStepMicros, cancelled_);
  busy_micros_ += static_cast<uint64_t>(clock_.MonotonicMicros() - begin_micros);
  if (!result.ok()) return End(std::move(result).status(), false);
  if (*result == DriveResult::kFinished) return End(absl::OkStatus(), false);
  const bool idle = *result == DriveResult::kIdle;
  Publish(idle ? driver_->waiting_for() : absl::string_view(), v1::TASK_STATE_RUNNING);
  return idle ? StepResult::kIdle : StepResult::kReady;
}

void Task::PassBarrier(const Barrier& barrier) {
  epoch_ = barrier.epoch;
  v1::EpochAck ack;
  ack.set_job_id(identity_.job_id);
  ack.set_attempt(identity_.attempt);
  ack.set_epoch(barrier.epoch);
  ack.set_fragment(identity_.fragment);
  ack.set_task_index(identity_.task_index);
  ack.set_ended(true);
  for (ChainInput& input : chain_.inputs) input.input->FillAck(barrier.epoch, &ack);
  CountEpoch(&ack);
  if (driver_->watermark().micros != Watermark::kMinWatermark) {
    ack.set_has_watermark(true);
    ack.set_watermark_micros(driver_->watermark().micros);
  }
  for (v1::StagedFile& file : *staged_files_) *ack.add_staged_files() = std::move(file);
  staged_files_->clear();
  // A test keeps the epoch from being published.
  if (FailpointHeld("epoch.hold_ack")) return;
  listener_.OnEpochProcessed(ack, barrier.checkpoint || barrier.final);
}

void Task::CountEpoch(v1::EpochAck* ack) {
  const std::vector<OperatorStats> operators = driver_->operator_stats();
  counted_.resize(operators.size());
  uint64_t rows_touched = 0;
  uint64_t view_rows_changed = 0;
  for (size_t i = 0; i < operators.size(); ++i) {
    const OperatorCounters& now = operators[i].counters;
    CountedOperator& counted = counted_[i];
    counted.epoch_rows_touched = now.rows_touched - counted.rows_touched;
    counted.rows_touched = now.rows_touched;
    rows_touched += counted.epoch_rows_touched;
    view_rows_changed += now.view_rows_changed - counted.view_rows_changed;
    counted.view_rows_changed = now.view_rows_changed;
  }
  ack->set_rows_touched(rows_touched);
  ack->set_view_rows_changed(view_rows_changed);
}

Task::StepResult Task::End(absl::Status status, bool cancelled) {
  done_ = true;
  const bool finished = status.ok() && !cancelled;
  TaskOutcome outcome;
  if (finished && !identity_.streaming) {
    for (ChainInput& input : chain_.inputs) input.input->TakeKeptRows(&outcome.kept_rows);
  }
  absl::Status closed = CloseAll(finished ? CloseReason::kFinished : CloseReason::kAborted);
  if (finished && !closed.ok()) status = std::move(closed);
  const int state = cancelled     ? v1::TASK_STATE_CANCELLED
                    : status.ok() ? v1::TASK_STATE_FINISHED
                                  : v1::TASK_STATE_FAILED;
  error_ = state == v1::TASK_STATE_FAILED ? status : absl::OkStatus();
  Publish("", state);
  outcome.cancelled = cancelled;
  if (status.ok() && !cancelled) outcome.staged_files = std::move(*staged_files_);
  outcome.status = std::move(status);
  v1::TaskProgress progress;
  FillProgress(&progress);
  // What the chain's parts borrow may be gone once the listener knows.
  driver_.reset();
  chain_ = Chain();
  contexts_.clear();
  state_store_.reset();
  listener_.OnTaskDone(progress, std::move(outcome));
  return StepResult::kDone;
}

absl::Status Task::CloseAll(CloseReason reason) {
  absl::Status first;
  for (ChainInput& input : chain_.inputs) input.input->Close(reason);
  if (operators_opened_) {
    for (ChainOperator& op : chain_.operators) first.Update(op.op->Close());
  }
  for (auto& output : chain_.outputs) output->Close(reason);
  return first;
}

void Task::Publish(absl::string_view waiting_for, int state) {
  std::vector<OperatorStats> operators = driver_->operator_stats();
  MutexLock lock(mutex_);
  Snapshot& to = *snapshot_;
  to.state = state;
  to.rows_in = driver_->rows_in();
  to.rows_out = driver_->rows_out();
  to.sent = {};
  to.exchanges_out.clear();
  for (const auto& output : chain_.outputs) {
    const SentBytes sent = output->sent_bytes();
    to.sent.local += sent.local;
    to.sent.remote += sent.remote;
    if (auto counts = output->sent()) to.exchanges_out.push_back(*counts);
  }
  to.exchanges_in.clear();
  to.busy_micros = busy_micros_;
  to.watermark = driver_->watermark();
  to.epoch = epoch_;
  to.dropped = {};
  to.scans.clear();
  for (const ChainInput& input : chain_.inputs) {
    const DroppedRows dropped = input.input->dropped_rows();
    to.dropped.late += dropped.late;
    to.dropped.bad += dropped.bad;
    if (auto counts = input.input->received()) to.exchanges_in.push_back(*counts);
    if (auto time = input.input->scan_time()) to.scans.push_back(*time);
  }
  to.operators = std::move(operators);
  to.epoch_rows_touched.assign(to.operators.size(), 0);
  for (size_t i = 0; i < counted_.size(); ++i) {
    to.epoch_rows_touched[i] = counted_[i].epoch_rows_touched;
  }
  to.output_busy_micros = driver_->output_busy_micros();
  to.error = error_;
  to.waiting_for.assign(waiting_for.data(), waiting_for.size());
}

void Task::FillOperators(const Snapshot& from, v1::TaskProgress* out) {
  uint64_t late = from.dropped.late;
  uint64_t state_rows = 0;
  uint64_t rows_touched = 0;
  uint64_t epoch_rows_touched = 0;
  for (size_t i = 0; i < from.operators.size(); ++i) {
    const OperatorStats& stats = from.operators[i];
    v1::OperatorProgress* op = out->add_operators();
    op->set_node_id(stats.node_id);
    op->set_rows_in(stats.counters.rows_in);
    op->set_rows_out(stats.counters.rows_out);
    op->set_busy_micros(stats.busy_micros);
    op->set_rows_touched(stats.counters.rows_touched);
    op->set_epoch_rows_touched(from.epoch_rows_touched[i]);
    op->set_state_rows(stats.counters.state_rows);
    late += stats.counters.late_rows;
    state_rows += stats.counters.state_rows;
    rows_touched += stats.counters.rows_touched;
    epoch_rows_touched += from.epoch_rows_touched[i];
  }
  out->set_late_rows(late);
  out->set_state_rows(state_rows);
  out->set_rows_touched(rows_touched);
  out->set_epoch_rows_touched(epoch_rows_touched);
}

void Task::FillExchanges(const Snapshot& from, v1::TaskProgress* out) {
  for (const SentCounts& sent : from.exchanges_out) {
    v1::ExchangeProgress* exchange = out->add_exchanges();
    exchange->set_exchange_id(sent.exchange);
    exchange->set_local_bytes_out(sent.bytes.local);
    exchange->set_remote_bytes_out(sent.bytes.remote);
    exchange->set_rows_out(sent.rows);
    exchange->set_busy_micros(from.output_busy_micros / from.exchanges_out.size());
  }
  uint64_t local_bytes = 0;
  uint64_t remote_bytes = 0;
  for (const ReceivedCounts& received : from.exchanges_in) {
    v1::ExchangeProgress* exchange = out->add_exchanges();
    exchange->set_exchange_id(received.exchange);
    exchange->set_local_bytes_in(received.local_bytes);
    exchange->set_remote_bytes_in(received.remote_bytes);
    exchange->set_rows_in(received.rows);
    local_bytes += received.local_bytes;
    remote_bytes += received.remote_bytes;
  }
  out->set_local_bytes_in(local_bytes);
  out->set_remote_bytes_in(remote_bytes);
}

void Task::FillScans(const Snapshot& from, v1::TaskProgress* out) {
  for (const ScanTime& time : from.scans) {
    v1::ScanProgress* scan = out->add_scans();
    scan->set_scan_id(time.scan_id);
    scan->set_idle(time.idle);
    if (time.watermark_micros == Watermark::kMinWatermark) continue;
    scan->set_watermark_micros(time.watermark_micros);
  }
}

void Task::FillProgress(v1::TaskProgress* out) const {
  out->set_job_id(identity_.job_id);
  out->set_attempt(identity_.attempt);
  out->set_fragment(identity_.fragment);
  out->set_task_index(identity_.task_index);
  out->set_worker_id(identity_.worker_id);
  MutexLock lock(mutex_);
  const Snapshot& from = *snapshot_;
  out->set_state(static_cast<v1::TaskState>(from.state));
  if (memory_ != nullptr) out->set_state_bytes(static_cast<uint64_t>(memory_->used()));
  out->set_rows_in(from.rows_in);
  out->set_rows_out(from.rows_out);
  out->set_local_bytes_out(from.sent.local);
  out->set_remote_bytes_out(from.sent.remote);
  out->set_busy_micros(from.busy_micros);
  if (from.watermark.micros != Watermark::kMinWatermark) {
    out->set_has_watermark(true);
    out->set_watermark_micros(from.watermark.micros);
  }
  out->set_epoch(from.epoch);
  FillOperators(from, out);
  FillExchanges(from, out);
  FillScans(from, out);
  out->set_bad_rows(from.dropped.bad);
  if (!from.error.ok()) ToProto(from.error, out->mutable_error());
  out->set_waiting_for(from.waiting_for);
}

}  // namespace millrace
