#pragma once

#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "coordinator/epoch/task_key.h"

namespace millrace {

// What becomes of a streaming job whose attempt has ended with an error. Counts what goes wrong
// between two steps of progress; progress is a checkpoint, because an attempt that shows epochs and
// then always ends before the next checkpoint gets nowhere. Pure.
//
// Lost workers and broken connections alone never make a job fail. But a row can crash the process
// that works on it, which looks like a loss: what tells them apart is that the same task is on the
// lost worker every time, there is input, and it never gets further. While attempts end without
// progress, every epoch is made durable, so that this place of the input is known to an epoch.
class RestartPolicy {
 public:
  // Errors that may pass (a disk, a full folder) without progress between them.
  static constexpr int kErrorsMax = 5;
  // Losses with the same task aboard, without progress between them.
  static constexpr int kCrashesMax = 8;

  enum class Verdict : uint8_t {
    kRestart,
    // Trying again gives the same error, or it has been tried often enough.
    kFail,
    // A worker process ends whenever it gets to this place; see suspects().
    kFailCrash,
  };

  // `lost_tasks`: those on workers that were lost. `rows_read`: at the attempt's newest epoch.
  Verdict OnAttemptEnded(const absl::Status& cause, const std::set<TaskKey>& lost_tasks,
                         uint64_t rows_read);
  // A checkpoint with `rows_read`, more than the attempt began with.
  void OnProgress(uint64_t rows_read);
  // The attempt had nothing left to read, and had read nothing: where it stood, no row ends a
  // process. Called before OnAttemptEnded; what went wrong before does not count any more.
  void OnCaughtUp();

  // Before the next attempt: grows with every attempt that got nowhere.
  int64_t PauseMicros() const;
  bool MakesEveryEpochDurable() const { return careful_; }
  // The tasks that were on a lost worker every time.
  const std::set<TaskKey>& suspects() const { return suspects_; }

 private:
  int failures_ = 0;
  int errors_ = 0;
  int crashes_ = 0;
  std::set<TaskKey> suspects_;
  bool careful_ = false;
  // Careful until a checkpoint has more.
  uint64_t failed_at_rows_ = 0;
};

// True for the loss of a worker, of a connection, or of all workers: nobody's fault, and over when
// workers are there again.
bool IsLoss(const absl::Status& cause);

}  // namespace millrace
