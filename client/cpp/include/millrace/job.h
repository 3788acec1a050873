#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/error.h"

// What is known of jobs and workers. Times are those of the coordinator's clock; counters come with
// the workers' heartbeats and are up to a second old.

namespace millrace {

using Time = std::chrono::system_clock::time_point;

// Where a job stands. Behind kRunning it is at its end: kStopped can be restarted, the others not,
// apart from kFailed, which can be restarted from its last checkpoint.
enum class JobState : uint8_t { kCreated = 1, kRunning, kFinished, kFailed, kStopped, kCancelled };

// "running".
const char* ToString(JobState state);

enum class StepState : uint8_t { kWaiting = 1, kRunning, kFinished, kFailed, kCancelled };

// One statement of a script.
struct StepStatus {
  // From 0.
  uint32_t index = 0;
  // First line of the statement, shortened.
  std::string title;
  StepState state = StepState::kWaiting;
  // Stored by the step; of a view: those that it holds now.
  uint64_t rows = 0;
  // Read by the step's scans, and how many a second over the last heartbeats.
  uint64_t rows_in = 0;
  double rows_in_per_second = 0;
  // Rows that have reached no result.
  uint64_t late_rows = 0;
  uint64_t bad_rows = 0;
  // Streaming: the newest epoch that can be read (0 = none), and event time, microseconds since
  // 1970 (INT64_MAX = the input has ended).
  uint64_t epoch = 0;
  std::optional<int64_t> watermark_micros;
  // Where the result lies: "table daily", "out/", "view per_minute"; empty = nowhere yet.
  std::string stored_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  // Why it failed, or what a running one waits for.
  std::optional<Error> error;
};

// The newest durable state of a job.
struct CheckpointStatus {
  uint64_t epoch = 0;
  Time created_at;
  std::chrono::microseconds duration{0};
  uint32_t num_files = 0;
  // Of all its files, and of those that it has written itself.
  uint64_t size_bytes = 0;
  uint64_t uploaded_bytes = 0;
};

// A checkpoint that is kept, and its streaming job.
struct JobCheckpoint {
  std::string job_id;
  std::string job_name;
  CheckpointStatus checkpoint;
};

// One attempt that ended, and from where the next one went on.
struct JobRestart {
  uint32_t attempt = 0;
  Time at;
  // 0 = from the beginning.
  uint64_t restored_epoch = 0;
  Error cause;
};

struct JobStatus {
  std::string id;
  std::string name;
  JobState state = JobState::kCreated;
  // Why a failed job failed.
  std::optional<Error> error;
  std::vector<StepStatus> steps;
  Time created_at;
  std::optional<Time> ended_at;
  // When the status was made: ages are differences to it.
  Time now;
  uint32_t attempt = 0;
  // Newest epoch that can be read, and newest that survives the loss of all processes; 0 = none.
  uint64_t published_epoch = 0;
  uint64_t durable_epoch = 0;
  // Rows a second that all scans read, over the last heartbeats.
  double rows_in_per_second = 0;
  std::optional<CheckpointStatus> last_checkpoint;
  // All restarts, and the newest of them, oldest first.
  uint32_t num_restarts = 0;
  std::vector<JobRestart> restarts;
  // On the workers: operators' tables and views in memory, state databases on disk.
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;

  bool at_its_end() const { return state > JobState::kRunning; }
};

enum class WorkerState : uint8_t { kActive = 1, kDraining, kLost };

struct WorkerStatus {
  uint32_t id = 0;
  std::string name;
  WorkerState state = WorkerState::kActive;
  // host:port for other workers.
  std::string data_address;
  std::string version;
  uint32_t slots = 0;
  uint32_t running_tasks = 0;
  // Of the process; then what tasks hold and may hold for rows and state.
  uint64_t rss_bytes = 0;
  uint64_t memory_used_bytes = 0;
  uint64_t memory_bytes_max = 0;
  uint64_t state_disk_bytes = 0;
  uint64_t disk_free_bytes = 0;
  Time joined_at;
  // Why a lost worker was lost.
  std::string lost_reason;
};

}  // namespace millrace
