#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "arrow/type_fwd.h"
#include "common/base/mutex.h"
#include "worker/runtime/result_queue.h"

namespace millrace {

// Answers one FetchResult: the schema, then the batches of a result queue as they come. Flow
// control is the stream's: the next batch is taken when the last one has gone. A failed task ends
// the stream with a chunk that holds the error. Keeps itself alive until gRPC is done with it.
class ResultReader final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  // `on_done` is called once, when the result was read or the reader has gone. A queue that
  // somebody has read before is refused.
  static ResultReader* Start(std::shared_ptr<ResultQueue> queue,
                             std::shared_ptr<arrow::Schema> schema, std::function<void()> on_done);
  // Ends the call at once.
  static ResultReader* Refuse(const absl::Status& status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  ResultReader(std::shared_ptr<ResultQueue> queue, std::shared_ptr<arrow::Schema> schema,
               std::function<void()> on_done);
  void WriteNext();
  void FinishOnce(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status StartSchema() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<ResultQueue> queue_;
  const std::shared_ptr<arrow::Schema> schema_;
  const std::function<void()> on_done_;
  Mutex mutex_;
  grpc::ByteBuffer chunk_ ABSL_GUARDED_BY(mutex_);
  // From the beginning: the schema goes first.
  bool writing_ ABSL_GUARDED_BY(mutex_) = true;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // The last chunk is on its way.
  bool last_written_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ResultReader> self_;
};

}  // namespace millrace
