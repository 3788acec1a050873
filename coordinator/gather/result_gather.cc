#include "coordinator/gather/result_gather.h"

#include <utility>

#include "common/net/rpc_status.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "millrace/v1/data.grpc.pb.h"

namespace millrace {

// One FetchResult call. A chunk is read only after the one before it was taken.
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
    StartRead(&chunk_);
    StartCall();
  }

  // After OnChunk: gives the chunk away and asks for the next one.
  bool TakeChunk(v1::ResultChunk* chunk) {
    chunk->Swap(&chunk_);
    const bool first = first_;
    first_ = false;
    StartRead(&chunk_);
    return first;
  }

  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (ok) gather_.OnChunk(this);
  }

  void OnDone(const grpc::Status& status) override {
    gather_.OnReaderDone(FromGrpcStatus(status));
  }

 private:
  ResultGather& gather_;
  std::unique_ptr<v1::DataService::Stub> stub_;
  grpc::ClientContext context_;
  v1::FetchResultRequest request_;
  v1::ResultChunk chunk_;
  bool first_ = true;
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
  Cancel();
  MutexLock lock(mutex_);
  while (num_open_ > 0) changed_.Wait(mutex_);
}

void ResultGather::Cancel() {
  for (const auto& reader : readers_) reader->Cancel();
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
