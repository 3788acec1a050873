#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "common/types/batch.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/data.grpc.pb.h"
#include "worker/service/attempt_manager.h"
#include "worker/service/worker.h"

namespace millrace {

// Two workers of this process, joined by gRPC over loopback, and a coordinator made of a few lines:
// it collects what workers say, and hands out splits of scans.
class WorkerCluster {
 public:
  static constexpr uint32_t kNumWorkers = 2;
  static constexpr uint64_t kJob = 7;

  explicit WorkerCluster(uint32_t slots = 2);
  ~WorkerCluster();

  // Deploys and starts an attempt; task i of each fragment runs on worker 1 + i % 2. The error of a
  // deployment that failed.
  absl::Status Run(const v1::PhysicalPlan& plan, uint32_t attempt = 1, uint64_t job = kJob);
  // Sent to all workers.
  void Send(const v1::CoordinatorMessage& message);
  void Cancel(uint32_t attempt);
  // A barrier of job kJob, attempt 1; the final one is a checkpoint too.
  void InjectBarrier(uint64_t epoch, bool final = false);
  // What the tasks say about an epoch, once `count` have acknowledged it.
  std::vector<v1::EpochAck> WaitForAcks(uint64_t epoch, size_t count);

  // Splits of a scan, handed out one at a time; a scan waits until it has been given some.
  void SetSplits(uint32_t scan_id, std::vector<v1::Split> splits);

  // What all workers have said so far, of one kind, after waiting until `count` are there (or for
  // ten seconds).
  std::vector<v1::WorkerMessage> WaitFor(v1::WorkerMessage::MessageCase kind, size_t count);
  // Updates of tasks that have ended.
  std::vector<v1::TaskUpdate> WaitForEndedTasks(size_t count);

  // Waits until the condition holds, or for thirty seconds.
  static void WaitUntil(const std::function<bool()>& condition);

  // Reads a root task's result. The rows as RowsOf of text_batch.h gives them.
  absl::StatusOr<std::vector<std::string>> FetchRows(uint32_t fragment, uint32_t task,
                                                     uint32_t attempt = 1, uint64_t job = kJob);
  Worker& worker(uint32_t id) { return *workers_[id - 1]; }
  // Returns once the worker is gone; split requests that it has sent are dropped.
  void StopWorker(uint32_t id);
  // What a worker tells of its tasks now.
  std::vector<v1::TaskProgress> TasksOf(uint32_t id);

 private:
  class Outbox;

  void OnMessage(uint32_t worker, v1::WorkerMessage message);
  void AnswerSplits();

  std::string folder_;
  std::vector<std::unique_ptr<Worker>> workers_;
  // Held while a worker is spoken to from the answering thread, and while one is taken away.
  Mutex workers_mutex_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<v1::WorkerMessage> messages_ ABSL_GUARDED_BY(mutex_);
  std::map<uint32_t, std::deque<v1::Split>> splits_ ABSL_GUARDED_BY(mutex_);
  // Answered by a thread of its own, as a coordinator would.
  std::deque<std::pair<uint32_t, v1::SplitRequest>> requests_ ABSL_GUARDED_BY(mutex_);
  std::set<uint32_t> cancelled_attempts_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread answers_;
};

}  // namespace millrace
