#include "worker/operators/sink_operator.h"

#include <arrow/array.h>
#include <arrow/buffer.h>

#include <iterator>
#include <vector>

#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

SinkOperator::~SinkOperator() = default;

absl::Status SinkOperator::Open(OperatorContext& context) {
  MR_CHECK(context.staged_files != nullptr);
  context_ = &context;
  return sink_->Open();
}

absl::StatusOr<Progress> SinkOperator::ProcessBatch(InputIndex, Batch batch, Emitter&) {
  if (batch.weights() != nullptr) {
    return MakeError(SqlState::kFeatureNotSupported,
                     "a file cannot take changes of rows that were written before",
                     "add EMIT ON WINDOW CLOSE to the query");
  }
  prepared_all_ = false;
  rows_ += batch.num_rows();
  MR_RETURN_IF_ERROR(sink_->Write(batch));
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

absl::StatusOr<Progress> SinkOperator::ProcessBarrier(const Barrier& barrier, Emitter&) {
  // Files become visible at durable epochs only, so they are cut there only.
  if (barrier.checkpoint || barrier.final) MR_RETURN_IF_ERROR(Prepare(barrier.epoch));
  return Progress::kDone;
}

absl::StatusOr<Progress> SinkOperator::ProcessEnd(InputIndex, Emitter& out) {
  if (streaming_) return Progress::kDone;
  MR_RETURN_IF_ERROR(Prepare(/*epoch=*/0));
  std::vector<int64_t> count = {rows_};
  out.Emit(Batch(
      {std::make_shared<arrow::Int64Array>(1, arrow::Buffer::FromVector(std::move(count)))}, 1));
  return Progress::kDone;
}

absl::StatusOr<Progress> SinkOperator::Resume(Emitter&) { return Progress::kDone; }

absl::Status SinkOperator::Close() {
  // What was prepared belongs to the coordinator; the rest never existed.
  absl::Status aborted = prepared_all_ ? absl::OkStatus() : sink_->Abort();
  absl::Status closed = sink_->Close();
  return aborted.ok() ? closed : aborted;
}

}  // namespace millrace
