#include "tests/integration/worker/worker_cluster.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "common/net/rpc_status.h"
#include "common/types/arrow_status.h"
#include "tests/support/operators/text_batch.h"

namespace millrace {

namespace {

// gRPC 1.51 shares one completion queue between all callback servers and channels of a process,
// and now and then frees it twice when the last of them goes while its threads are still busy. Real
// processes end then; a process with many clusters in turn keeps a server that never goes.
void KeepCallbackQueue() {
  static const grpc::Server* const kServer = [] {
    static v1::DataService::CallbackService service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    return builder.BuildAndStart().release();
  }();
  EXPECT_NE(kServer, nullptr);
}

}  // namespace

class WorkerCluster::Outbox final : public ControlOutbox {
 public:
  Outbox(WorkerCluster& cluster, uint32_t worker) : cluster_(cluster), worker_(worker) {}
  void Send(v1::WorkerMessage message) override { cluster_.OnMessage(worker_, std::move(message)); }

 private:
  WorkerCluster& cluster_;
  const uint32_t worker_;
};

WorkerCluster::WorkerCluster(uint32_t slots) {
  KeepCallbackQueue();
  char name[] = "/tmp/millrace-workers-XXXXXX";
  folder_ = mkdtemp(name);
  for (uint32_t id = 1; id <= kNumWorkers; ++id) {
    WorkerOptions options;
    options.slots = slots;
    options.data_dir = folder_ + "/w" + std::to_string(id);
    auto worker = Worker::Start(std::move(options));
    EXPECT_TRUE(worker.ok()) << worker.status();
    (*worker)->attempts().Connect(id, std::make_shared<Outbox>(*this, id));
    workers_.push_back(*std::move(worker));
  }
  answers_ = std::thread([this] { AnswerSplits(); });
}

WorkerCluster::~WorkerCluster() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  answers_.join();
  workers_.clear();
  std::filesystem::remove_all(folder_);
}

void WorkerCluster::OnMessage(uint32_t worker, v1::WorkerMessage message) {
  MutexLock lock(mutex_);
  if (message.has_split_request()) requests_.emplace_back(worker, message.split_request());
  messages_.push_back(std::move(message));
  changed_.NotifyAll();
}

void WorkerCluster::AnswerSplits() {
  while (true) {
    uint32_t worker = 0;
    v1::CoordinatorMessage message;
    {
      MutexLock lock(mutex_);
      // A scan without SetSplits waits for it.
      const auto answerable = [&] {
        return std::find_if(requests_.begin(), requests_.end(), [&](const auto& request) {
          return splits_.count(request.second.scan_id()) > 0;
        });
      };
      while (!stopping_ && answerable() == requests_.end()) changed_.Wait(mutex_);
      if (stopping_) return;
      const auto first = answerable();
      worker = first->first;
      const v1::SplitRequest request = std::move(first->second);
      requests_.erase(first);
      // As a coordinator does: an attempt that was cancelled must not take splits of the next one.
      if (cancelled_attempts_.contains(request.attempt())) continue;
      v1::SplitAssignment& answer = *message.mutable_split_assignment();
      answer.set_job_id(request.job_id());
      answer.set_attempt(request.attempt());
      answer.set_scan_id(request.scan_id());
      answer.set_task_index(request.task_index());
      std::deque<v1::Split>& splits = splits_[request.scan_id()];
      const auto readable = [&](const v1::Split& split) {
        return split.worker_id() == 0 || split.worker_id() == worker;
      };
      const auto next = std::find_if(splits.begin(), splits.end(), readable);
      if (next != splits.end()) {
        *answer.add_splits() = *next;
        splits.erase(next);
      }
      answer.set_end(std::none_of(splits.begin(), splits.end(), readable));
    }
    MutexLock lock(workers_mutex_);
    if (workers_[worker - 1] != nullptr) workers_[worker - 1]->attempts().Handle(message);
  }
}

void WorkerCluster::StopWorker(uint32_t id) {
  std::unique_ptr<Worker> worker;
  {
    MutexLock lock(workers_mutex_);
    worker = std::move(workers_[id - 1]);
  }
  // Outside the lock: the worker's last messages must not wait for the answering thread.
  worker.reset();
}

void WorkerCluster::SetSplits(uint32_t scan_id, std::vector<v1::Split> splits) {
  MutexLock lock(mutex_);
  splits_[scan_id] = {splits.begin(), splits.end()};
  changed_.NotifyAll();
}

void WorkerCluster::Send(const v1::CoordinatorMessage& message) {
  for (auto& worker : workers_) {
    if (worker != nullptr) worker->attempts().Handle(message);
  }
}

absl::Status WorkerCluster::Run(const v1::PhysicalPlan& plan, uint32_t attempt, uint64_t job) {
  const size_t deployed_before = [&] {
    MutexLock lock(mutex_);
    return static_cast<size_t>(std::count_if(messages_.begin(), messages_.end(),
                                             [](const auto& m) { return m.has_deployed(); }));
  }();
  v1::CoordinatorMessage message;
  v1::DeployAttempt& deploy = *message.mutable_deploy();
  const std::string checkpoints = folder_ + "/checkpoints";
  std::filesystem::create_directories(checkpoints);
  (*deploy.mutable_settings())["checkpoint_folder"] = checkpoints;
  deploy.set_job_id(job);
  deploy.set_attempt(attempt);
  *deploy.mutable_plan() = plan;
  for (const v1::Fragment& fragment : plan.fragments()) {
    for (uint32_t i = 0; i < fragment.parallelism(); ++i) {
      v1::TaskPlacement* task = deploy.add_placements();
      task->set_fragment(fragment.id());
      task->set_task_index(i);
      task->set_worker_id(1 + i % kNumWorkers);
      const uint32_t first = plan.num_shards() * i / fragment.parallelism();
      task->set_first_shard(first);
      task->set_num_shards(plan.num_shards() * (i + 1) / fragment.parallelism() - first);
    }
  }
  for (uint32_t id = 1; id <= kNumWorkers; ++id) {
    (*deploy.mutable_worker_addresses())[id] = worker(id).data_address();
  }
  Send(message);
  const auto answers = WaitFor(v1::WorkerMessage::kDeployed, deployed_before + kNumWorkers);
  for (const v1::WorkerMessage& answer : answers) {
    if (answer.deployed().has_error()) return FromProto(answer.deployed().error());
  }
  v1::CoordinatorMessage start;
  start.mutable_start()->set_job_id(job);
  start.mutable_start()->set_attempt(attempt);
  Send(start);
  return absl::OkStatus();
}

void WorkerCluster::Cancel(uint32_t attempt) {
  {
    MutexLock lock(mutex_);
    cancelled_attempts_.insert(attempt);
  }
  v1::CoordinatorMessage message;
  message.mutable_cancel()->set_job_id(kJob);
  message.mutable_cancel()->set_attempt(attempt);
  Send(message);
}

void WorkerCluster::InjectBarrier(uint64_t epoch, bool final) {
  v1::CoordinatorMessage message;
  v1::InjectBarrier& inject = *message.mutable_inject_barrier();
  inject.set_job_id(kJob);
  inject.set_attempt(1);
  inject.set_epoch(epoch);
  inject.set_checkpoint(final);
  inject.set_final(final);
  Send(message);
}

std::vector<v1::EpochAck> WorkerCluster::WaitForAcks(uint64_t epoch, size_t count) {
  std::vector<v1::EpochAck> acks;
  WaitUntil([&] {
    acks.clear();
    MutexLock lock(mutex_);
    for (const v1::WorkerMessage& message : messages_) {
      if (message.has_epoch_ack() && message.epoch_ack().epoch() == epoch) {
        acks.push_back(message.epoch_ack());
      }
    }
    return acks.size() >= count;
  });
  return acks;
}

std::vector<v1::WorkerMessage> WorkerCluster::WaitFor(v1::WorkerMessage::MessageCase kind,
                                                      size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  MutexLock lock(mutex_);
  while (true) {
    std::vector<v1::WorkerMessage> found;
    for (const v1::WorkerMessage& message : messages_) {
      if (message.message_case() == kind) found.push_back(message);
    }
    if (found.size() >= count || std::chrono::steady_clock::now() > deadline) {
      EXPECT_GE(found.size(), count);
      return found;
    }
    changed_.WaitFor(mutex_, std::chrono::milliseconds(100));
  }
}

std::vector<v1::TaskUpdate> WorkerCluster::WaitForEndedTasks(size_t count) {
  // Every task says once that it runs and once that it has ended.
  std::vector<v1::TaskUpdate> ended;
  for (const auto& message : WaitFor(v1::WorkerMessage::kTaskUpdate, 2 * count)) {
    if (message.task_update().progress().state() != v1::TASK_STATE_RUNNING) {
      ended.push_back(message.task_update());
    }
  }
  return ended;
}

void WorkerCluster::WaitUntil(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

absl::StatusOr<std::vector<std::string>> WorkerCluster::FetchRows(uint32_t fragment, uint32_t task,
                                                                  uint32_t attempt, uint64_t job) {
  auto stub = v1::DataService::NewStub(grpc::CreateChannel(
      worker(1 + task % kNumWorkers).data_address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::FetchResultRequest request;
  request.set_job_id(job);
  request.set_attempt(attempt);
  request.set_fragment(fragment);
  request.set_task_index(task);
  auto reader = stub->FetchResult(&context, request);
  std::string stream;
  absl::Status error;
  v1::ResultChunk chunk;
  while (reader->Read(&chunk)) {
    if (chunk.has_error()) error = FromProto(chunk.error());
    stream += chunk.ipc_message();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return FromGrpcStatus(status);
  MR_RETURN_IF_ERROR(error);
  arrow::io::BufferReader input(arrow::Buffer::FromString(std::move(stream)));
  MR_ASSIGN_ARROW_OR_RETURN(auto batches, arrow::ipc::RecordBatchStreamReader::Open(&input));
  std::vector<std::string> rows;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    MR_RETURN_IF_ARROW_ERROR(batches->ReadNext(&batch));
    if (batch == nullptr) return rows;
    for (std::string& row : RowsOf(Batch(batch->columns(), batch->num_rows()))) {
      rows.push_back(std::move(row));
    }
  }
}

std::vector<v1::TaskProgress> WorkerCluster::TasksOf(uint32_t id) {
  v1::Heartbeat heartbeat;
  worker(id).attempts().FillHeartbeat(&heartbeat);
  return {heartbeat.tasks().begin(), heartbeat.tasks().end()};
}

}  // namespace millrace
