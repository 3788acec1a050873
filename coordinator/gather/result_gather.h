#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "coordinator/gather/worker_channels.h"

namespace millrace {

namespace v1 {
class ResultChunk;
}  // namespace v1

// One task whose rows go to the client.
struct ResultTask {
  uint64_t job_id = 0;
  uint32_t attempt = 0;
  uint32_t fragment = 0;
  uint32_t task_index = 0;
  std::string worker_address;
};

// Reads the results of all root tasks of an attempt at once, so that none of them holds up another,
// and gives them out in the order in which they come; an ordered result has one root task. Of each
// task at most one chunk waits here: a reader that stands still stops the tasks (I7). Used by one
// thread.
class ResultGather {
 public:
  enum class Progress { kChunk, kEnd, kNothingYet };

  // Begins to read. The channels are used by this call only.
  ResultGather(WorkerChannels& channels, const std::vector<ResultTask>& tasks);
  // Cancels what still runs and waits for it.
  ~ResultGather();
  ResultGather(const ResultGather&) = delete;
  ResultGather& operator=(const ResultGather&) = delete;

  // The next chunk of any task; each task's schema message comes as its first chunk, and only the
  // first of all tasks is given out. The error is that of the first task that failed.
  absl::StatusOr<Progress> Next(std::chrono::milliseconds timeout, v1::ResultChunk* chunk);

 private:
  class TaskReader;

  // Called by readers.
  void OnChunk(TaskReader* reader);
  void OnReaderDone(absl::Status status);

  Mutex mutex_;
  CondVar changed_;
  std::deque<TaskReader*> ready_ ABSL_GUARDED_BY(mutex_);
  size_t num_open_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  bool schema_given_ = false;
  std::vector<std::unique_ptr<TaskReader>> readers_;
};

}  // namespace millrace
