#include "worker/operators/sink_operator.h"

#include <arrow/array.h>
#include <arrow/buffer.h>

#include <iterator>
#include <vector>

#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"
#include "worker/kernels/row_bytes.h"

namespace millrace {
namespace {

// How often a sink that was not ready is asked again.
constexpr int64_t kRetryMicros = 2'000;

}  // namespace

SinkOperator::~SinkOperator() = default;

absl::Status SinkOperator::Open(OperatorContext& context) {
  MR_CHECK(context.staged_files != nullptr);
  context_ = &context;
  return sink_->Open();
}

absl::StatusOr<Progress> SinkOperator::ProcessBatch(InputIndex, Batch batch, Emitter& out) {
  if (batch.weights() != nullptr) {
    return MakeError(SqlState::kFeatureNotSupported,
                     "a file cannot take changes of rows that were written before",
                     "add EMIT ON WINDOW CLOSE to the query");
  }
  pending_ = std::move(batch);
  return Advance(out);
}

absl::StatusOr<Progress> SinkOperator::Advance(Emitter& out) {
  const bool writes = std::holds_alternative<Batch>(pending_);
  MR_ASSIGN_OR_RETURN(const bool ready,
                      sink_->Ready(writes ? SinkCall::kWrite : SinkCall::kPrepare));
  if (!ready) {
    context_->wake_in(kRetryMicros);
    return Progress::kWaiting;
  }
  if (writes) {
    const Batch batch = std::move(std::get<Batch>(pending_));
    const int64_t rest = batch.num_rows();
    const int64_t n = RowsWithinBatch(batch, 0, rest);
    prepared_all_ = false;
    rows_ += n;
    MR_RETURN_IF_ERROR(sink_->Write(n == rest ? batch : batch.Slice(0, n)));
    if (n < rest) {
      pending_ = batch.Slice(n, rest - n);
      return Progress::kMore;
    }
  } else if (const auto* barrier = std::get_if<Barrier>(&pending_)) {
    MR_RETURN_IF_ERROR(Prepare(barrier->epoch));
  } else if (std::holds_alternative<End>(pending_)) {
    MR_RETURN_IF_ERROR(Prepare(/*epoch=*/0));
    EmitCount(out);
  }
  pending_ = std::monostate();
  return Progress::kDone;
}

absl::StatusOr<Progress> SinkOperator::ProcessWatermark(Watermark, Emitter&) {
  return Progress::kDone;
}

absl::Status SinkOperator::Prepare(uint64_t epoch) {
  MR_ASSIGN_OR_RETURN(std::vector<v1::StagedFile> files, sink_->Prepare(epoch));
  prepared_all_ = true;
  auto& staged = *context_->staged_files;
  staged.insert(staged.end(), std::make_move_iterator(files.begin()),
                std::make_move_iterator(files.end()));
  return absl::OkStatus();
}

absl::StatusOr<Progress> SinkOperator::ProcessBarrier(const Barrier& barrier, Emitter& out) {
  // Files become visible at durable epochs only, so they are cut there only.
  if (!barrier.checkpoint && !barrier.final) return Progress::kDone;
  pending_ = barrier;
  return Advance(out);
}

absl::StatusOr<Progress> SinkOperator::ProcessEnd(InputIndex, Emitter& out) {
  if (streaming_) return Progress::kDone;
  pending_ = End();
  return Advance(out);
}

void SinkOperator::EmitCount(Emitter& out) const {
  std::vector<int64_t> count = {rows_};
  out.Emit(Batch(
      {std::make_shared<arrow::Int64Array>(1, arrow::Buffer::FromVector(std::move(count)))}, 1));
}

absl::StatusOr<Progress> SinkOperator::Resume(Emitter& out) { return Advance(out); }

absl::Status SinkOperator::Close() {
  // What was prepared belongs to the coordinator; the rest never existed.
  absl::Status aborted = prepared_all_ ? absl::OkStatus() : sink_->Abort();
  absl::Status closed = sink_->Close();
  return aborted.ok() ? closed : aborted;
}

}  // namespace millrace
