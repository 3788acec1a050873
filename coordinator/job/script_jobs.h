#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "coordinator/job/cancellation.h"
#include "coordinator/job/job_store.h"
#include "coordinator/job/statement_threads.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/metadata/id_allocator.h"

namespace millrace {

// What one statement of a script has left.
struct ScriptStepResult {
  uint64_t rows = 0;
  std::string stored_at;
  // The streaming job that it has created; 0 = none.
  uint64_t stream_job_id = 0;
  // Settings that it has changed; absent = the default again.
  std::vector<std::pair<std::string, std::optional<std::string>>> settings;
};

// Runs single statements; the statement executor, seen from a script.
class ScriptStepRunner {
 public:
  virtual ~ScriptStepRunner() = default;
  virtual absl::StatusOr<std::vector<std::string>> Split(const std::string& script) = 0;
  // `on_job` hears of the job behind the statement as soon as it has one.
  virtual absl::StatusOr<ScriptStepResult> RunStep(const v1::JobRecord& job, uint32_t index,
                                                   const std::string& statement,
                                                   Cancellation& cancellation,
                                                   const std::function<void(uint64_t)>& on_job) = 0;
};

// Scripts that run in the background, statement by statement. What is done is recorded after each
// statement, so that a restarted process goes on with the first one that is not. A script lasts as
// long as the streams that it has created. Thread-safe.
class ScriptJobs {
 public:
  struct Parts {
    JobStore& store;
    StreamJobs& streams;
    IdAllocator& job_ids;
    ScriptStepRunner& runner;
    StatementThreads& threads;
    const Clock& clock;
  };
  explicit ScriptJobs(Parts parts) : parts_(parts) {}

  // `request` holds name, text, request id, settings and working directory. Returns once the job is
  // recorded; with the id of an earlier request, the job of that one.
  absl::StatusOr<v1::JobRecord> Submit(v1::JobRecord request);
  // Goes on with a script of an earlier process.
  absl::Status Recover(const v1::JobRecord& record);
  // Ends the statement that runs, drains the streams, and returns when both are done.
  absl::Status Stop(uint64_t job_id, Cancellation& waiter);
  absl::Status Cancel(uint64_t job_id);
  // Tells all scripts to end, without recording it: they go on after a restart.
  void Shutdown();

 private:
  struct Script {
    Cancellation cancellation;
    // What the job's state becomes when it is cancelled; absent: nothing is recorded.
    std::optional<v1::JobState> end_state;
  };

  absl::Status Launch(uint64_t job_id);
  void Run(uint64_t job_id, std::shared_ptr<Script> script);
  absl::Status RunSteps(uint64_t job_id, Script& script);
  absl::Status RunOneStep(uint64_t job_id, uint32_t index, const std::string& statement,
                          Script& script);
  absl::Status WaitForStreams(uint64_t job_id, Script& script);
  absl::Status UpdateStep(uint64_t job_id, uint32_t index,
                          const std::function<void(v1::JobRecord&, v1::StepStatus&)>& change);
  void RecordEnd(uint64_t job_id, const absl::Status& status, const Script& script);
  std::shared_ptr<Script> Find(uint64_t job_id);
  std::vector<uint64_t> StreamsOf(uint64_t job_id) const;
  absl::Status Interrupt(uint64_t job_id, v1::JobState end_state);

  const Parts parts_;
  Mutex mutex_;
  CondVar ended_;
  std::map<uint64_t, std::shared_ptr<Script>> scripts_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
