#include "worker/service/result_reader.h"

#include <utility>

#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/data.pb.h"
#include "worker/exchange/batch_codec.h"
#include "worker/exchange/frame_codec.h"

namespace millrace {
namespace {

grpc::ByteBuffer EncodeErrorChunk(const absl::Status& status) {
  v1::ResultChunk chunk;
  ToProto(status, chunk.mutable_error());
  const grpc::Slice slice(chunk.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

ResultReader::ResultReader(std::shared_ptr<ResultQueue> queue,
                           std::shared_ptr<arrow::Schema> schema, std::function<void()> on_done)
    : queue_(std::move(queue)), schema_(std::move(schema)), on_done_(std::move(on_done)) {}

ResultReader* ResultReader::Refuse(const absl::Status& status) {
  std::shared_ptr<ResultReader> reader(new ResultReader(nullptr, nullptr, nullptr));
  reader->self_ = reader;
  MutexLock lock(reader->mutex_);
  reader->FinishOnce(status);
  return reader.get();
}

ResultReader* ResultReader::Start(std::shared_ptr<ResultQueue> queue,
                                  std::shared_ptr<arrow::Schema> schema,
                                  std::function<void()> on_done) {
  std::shared_ptr<ResultReader> reader(
      new ResultReader(std::move(queue), std::move(schema), std::move(on_done)));
  const std::weak_ptr<ResultReader> weak = reader;
  const bool first = reader->queue_->Attach([weak] {
    if (auto strong = weak.lock()) strong->WriteNext();
  });
  if (!first) {
    return Refuse(
        MakeError(SqlState::kObjectNotInPrerequisiteState, "the result was read by somebody else"));
  }
  reader->self_ = reader;
  MutexLock lock(reader->mutex_);
  if (absl::Status status = reader->StartSchema(); !status.ok()) reader->FinishOnce(status);
  return reader.get();
}

absl::Status ResultReader::StartSchema() {
  MR_ASSIGN_OR_RETURN(const IpcMessageParts message, EncodeIpcSchema(*schema_));
  chunk_ = EncodeResultChunk(message, 0);
  StartWrite(&chunk_);
  return absl::OkStatus();
}

void ResultReader::WriteNext() {
  MutexLock lock(mutex_);
  if (writing_ || finished_ || last_written_) return;
  ResultQueue::Item item = queue_->Pop();
  absl::Status status;
  if (item.batch.has_value()) {
    auto message = EncodeIpcMessage(*item.batch, schema_);
    if (message.ok()) {
      chunk_ = EncodeResultChunk(*message, static_cast<uint64_t>(item.batch->num_rows()));
      writing_ = true;
      StartWrite(&chunk_);
      return;
    }
    status = message.status();
  } else if (item.end.has_value()) {
    status = *item.end;
  } else {
    return;
  }
  last_written_ = true;
  if (status.ok()) {
    FinishOnce(absl::OkStatus());
    return;
  }
  chunk_ = EncodeErrorChunk(status);
  writing_ = true;
  StartWrite(&chunk_);
}

void ResultReader::OnWriteDone(bool ok) {
  {
    MutexLock lock(mutex_);
    writing_ = false;
    chunk_.Clear();
    if (!ok || last_written_) {
      FinishOnce(absl::OkStatus());
      return;
    }
  }
  WriteNext();
}

void ResultReader::OnCancel() {
  MutexLock lock(mutex_);
  // A write in progress fails and ends the call.
  if (!writing_) FinishOnce(MakeError(SqlState::kQueryCanceled, "the reader has gone"));
}

void ResultReader::FinishOnce(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  Finish(ToGrpcStatus(status));
}

void ResultReader::OnDone() {
  const std::shared_ptr<ResultReader> self = std::move(self_);
  if (queue_ == nullptr) return;
  queue_->Close();
  on_done_();
}

}  // namespace millrace
