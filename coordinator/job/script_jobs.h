#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "coordinator/job/cancellation.h"
#include "coordinator/job/job_store.h"
#include "coordinator/job/statement_threads.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/metadata/id_allocator.h"
#include "millrace/v1/status.pb.h"

namespace millrace {

// What one statement of a script has left.
struct ScriptStepResult {
  uint64_t rows = 0;
  std::string stored_at;
  // The streaming job that it has created, or is a part of; 0 = none.
  uint64_t stream_job_id = 0;
  // Settings that it has changed; absent = the default again.
  std::vector<std::pair<std::string, std::optional<std::string>>> settings;
};

// What has become of the first statements that were left of a script.
struct ScriptRunResult {
  // One for each statement that is over, in order; at least one.
  std::vector<absl::StatusOr<ScriptStepResult>> steps;
  // Which of them has failed.
  std::optional<size_t> failed;
};

// Runs statements; the statement executor, seen from a script.
class ScriptStepRunner {
 public:
  virtual ~ScriptStepRunner() = default;
  virtual absl::StatusOr<std::vector<std::string>> Split(const std::string& script) = 0;
  // Runs the first of `statements`, which is step `index` of the job, and those that become one
  // streaming job with it. `on_job` hears of the job behind them as soon as they have one.
  virtual ScriptRunResult RunSteps(const v1::JobRecord& job, uint32_t index,
                                   absl::Span<const std::string> statements,
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
  // recorded; with the id of an earlier request, the job of that one. Refused, it leaves nothing:
  // 53000 if too many scripts run, 57P03 if the server is shutting down.
  absl::StatusOr<v1::JobRecord> Submit(v1::JobRecord request);
  // Goes on with a script of an earlier process: a live one, or one whose stream was restarted by
  // itself and runs; another one stays as it is. One too many has failed, and can be restarted.
  absl::Status Recover(const v1::JobRecord& record);
  // Ends the statement that runs, drains the streams, and returns when both are done. If that takes
  // too long for `waiter`, the script goes on.
  absl::Status Stop(uint64_t job_id, Cancellation& waiter);
  absl::Status Cancel(uint64_t job_id, Cancellation& waiter);
  // Goes on with a stopped or failed script: its streams that have stopped or failed are restarted
  // from their newest checkpoints (or all from the one that is named), and the script resumes at
  // its first statement that is not committed. A running one is stopped first. The same request
  // does nothing twice. 55000 if the script was cancelled or has finished; refused as Submit.
  absl::StatusOr<RestartAnswer> Restart(const RestartRequest& request, Cancellation& waiter);
  // Restarts a streaming job by itself, as StreamJobs::Restart does. If a script has created it and
  // has nothing left but its streams, the script runs again, too: without an error, and as long as
  // they do. One that has stopped or failed at a statement stays so. Refused as Submit.
  absl::StatusOr<RestartAnswer> RestartStream(const RestartRequest& request, Cancellation& waiter);
  // Tells all scripts to end, without recording it: they go on after a restart.
  void Shutdown();

 private:
  struct Script {
    // Of the statement that runs. Who cancels it records what becomes of the job.
    Cancellation cancellation;
  };

  // Whether one more script may run. Asked before anything is recorded of it: what is recorded as
  // live has a thread, or gets one from the next process.
  absl::StatusOr<StatementThreads::Slot> Admit();
  void Launch(uint64_t job_id, StatementThreads::Slot slot);
  // Goes on with a script that is recorded as live. If there is no thread for it, it has failed.
  absl::Status Resume(uint64_t job_id);
  void Run(uint64_t job_id, std::shared_ptr<Script> script);
  // Records the end of a run. True if the script runs again, because one of its streams does.
  bool GoesOnAfter(uint64_t job_id, const Script& script, const absl::StatusOr<v1::JobState>& end);
  absl::Status RunSteps(uint64_t job_id, Script& script);
  // Runs the next statements; returns the number of the first one that is left.
  absl::StatusOr<uint32_t> RunFrom(uint64_t job_id, uint32_t index,
                                   const std::vector<std::string>& statements, Script& script);
  absl::Status RecordSteps(uint64_t job_id, uint32_t index, const ScriptRunResult& run,
                           const Script& script);
  // It belongs to a stream that an earlier process has created.
  std::optional<v1::StepStatus> StreamOfStep(uint64_t job_id, uint32_t index) const;
  // How the streams have ended: FINISHED or STOPPED, or the first error. Returns when none runs.
  absl::StatusOr<v1::JobState> WaitForStreams(uint64_t job_id, Script& script);
  // The same, of one after the other.
  absl::StatusOr<v1::JobState> WaitForEachStream(uint64_t job_id, Script& script);
  absl::Status UpdateStep(uint64_t job_id, uint32_t index,
                          const std::function<void(v1::JobRecord&, v1::StepStatus&)>& change);
  absl::Status RecordEnd(uint64_t job_id, v1::JobState state, const absl::Status& error);
  std::shared_ptr<Script> Find(uint64_t job_id);
  std::vector<uint64_t> StreamsOf(uint64_t job_id) const;
  // Those that have not ended, or go on again.
  std::set<uint64_t> RunningStreams(uint64_t job_id) const;
  // Ends the statement that runs, and returns when the script's thread is gone.
  absl::Status Interrupt(uint64_t job_id, const absl::Status& reason, Cancellation& waiter);

  // script_restarts.cc
  absl::Status CheckRestart(const v1::JobRecord& record, const RestartRequest& request) const;
  absl::StatusOr<uint64_t> RestartStreams(const RestartRequest& request, Cancellation& waiter);
  // Records which streams of the script run. True if the script runs again for that: the caller
  // gives it a thread.
  absl::StatusOr<bool> FollowStreams(uint64_t job_id);
  // Does so.
  absl::Status ResumeWithStreams(uint64_t job_id);

  const Parts parts_;
  Mutex mutex_;
  CondVar ended_;
  std::map<uint64_t, std::shared_ptr<Script>> scripts_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
