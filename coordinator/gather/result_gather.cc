#include "coordinator/gather/result_gather.h"

#include <utility>

#include "common/net/rpc_status.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "millrace/v1/data.grpc.pb.h"

namespace millrace {

// One FetchResult call. A chunk is read only after the one before it was taken. Reads are started
// outside of gRPC's callbacks, so a hold keeps the call from being over as long as one may follow.
class ResultGather::TaskReader final : public grpc::ClientReadReactor<v1::ResultChunk> {
 public:
  TaskReader(ResultGather& gather, std::shared_ptr<grpc::Channel> channel, const ResultTask& task)
      : gather_(gather), stub_(v1::DataService::NewStub(std::move(channel))) {
    request_.set_job_id(task.job_id);
    request_.set_attempt(task.attempt);
    request_.set_fragment(task.fragment);
    request_.set_task_index(task.task_index);
  }

  void Begin() {
    stub_->async()->FetchResult(&context_, &request_, this);
    AddHold();
    StartRead(&chunk_);
    StartCall();
  }

  // After OnChunk: gives the chunk away and asks for the next one. True for the task's first chunk.
  bool TakeChunk(v1::ResultChunk* chunk) {
    chunk->Swap(&chunk_);
    const bool first = first_;
    first_ = false;
    {
      MutexLock lock(mutex_);
      reading_ = true;
    }
    StartRead(&chunk_);
    return first;
  }

  // No TakeChunk follows.
  void Cancel() {
    context_.TryCancel();
    MutexLock lock(mutex_);
    cancelled_ = true;
    if (!reading_) Release();
  }

  void OnReadDone(bool ok) override {
    {
      MutexLock lock(mutex_);
      reading_ = false;
      if (!ok || cancelled_) Release();
    }
    if (ok) gather_.OnChunk(this);
  }

  void OnDone(const grpc::Status& status) override { gather_.OnReaderDone(FromGrpcStatus(status)); }

 private:
  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!held_) return;
    held_ = false;
    RemoveHold();
  }

  ResultGather& gather_;
  std::unique_ptr<v1::DataService::Stub> stub_;
  grpc::ClientContext context_;
  v1::FetchResultRequest request_;
  v1::ResultChunk chunk_;
  bool first_ = true;

  Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool held_ ABSL_GUARDED_BY(mutex_) = true;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

ResultGather::ResultGather(WorkerChannels& channels, const std::vector<ResultTask>& tasks) {
  {
    MutexLock lock(mutex_);
    num_open_ = tasks.size();
  }
  for (const ResultTask& task : tasks) {
    readers_.push_back(
        std::make_unique<TaskReader>(*this, channels.Get(task.worker_address), task));
  }
  for (const auto& reader : readers_) reader->Begin();
}

ResultGather::~ResultGather() {
  for (const auto& reader : readers_) reader->Cancel();
  MutexLock lock(mutex_);
  while (num_open_ > 0) changed_.Wait(mutex_);
}

void ResultGather::OnChunk(TaskReader* reader) {
  MutexLock lock(mutex_);
  ready_.push_back(reader);
  changed_.NotifyAll();
}

void ResultGather::OnReaderDone(absl::Status status) {
  MutexLock lock(mutex_);
  if (error_.ok()) error_ = std::move(status);
  --num_open_;
  changed_.NotifyAll();
}

absl::StatusOr<ResultGather::Progress> ResultGather::Next(std::chrono::milliseconds timeout,
                                                          v1::ResultChunk* chunk) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    TaskReader* reader = nullptr;
    {
      MutexLock lock(mutex_);
      while (ready_.empty() && error_.ok() && num_open_ > 0) {
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return Progress::kNothingYet;
        changed_.WaitFor(mutex_, left);
      }
      if (ready_.empty()) {
        if (!error_.ok()) return error_;
        return Progress::kEnd;
      }
      reader = ready_.front();
      ready_.pop_front();
    }
    const bool schema = reader->TakeChunk(chunk);
    if (chunk->has_error()) return FromProto(chunk->error());
    if (schema && schema_given_) continue;
    schema_given_ = schema_given_ || schema;
    return Progress::kChunk;
  }
}

}  // namespace millrace
