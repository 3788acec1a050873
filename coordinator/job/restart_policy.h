#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "coordinator/epoch/job_epochs.h"
#include "coordinator/epoch/task_key.h"

namespace millrace {

// What becomes of a streaming job whose attempt has ended with an error. Counts what goes wrong
// between two steps of progress; progress is a checkpoint, because an attempt that shows epochs and
// then always ends before the next checkpoint gets nowhere. Pure.
//
// Lost workers and broken connections alone never make a job fail. But a row can crash the process
// that works on it, which looks like a loss: what tells them apart is that the same task is on the
// lost worker every time, there is input, and it never gets further.
//
// Jobs that share workers lose them together. So the losses that fail a job are those of its own
// turns: once one of them has lost the same task's worker kTrialCrashesMin times, those that were
// lost with it run one after the other (StreamJobs::Tick), and whatever ends a process while only
// one of them runs is its own doing.
//
// Which row it is, is found by narrowing. While attempts end without progress, one epoch at a time
// is read, each is made durable before the next one, and holds no more rows than the level says. A
// loss while such an epoch is under way makes the level higher, until an epoch is one row. A level
// is over after some epochs, which are at least the rows of one epoch of the level before: then a
// job that was only unlucky is as fast as ever.
class RestartPolicy {
 public:
  // Errors that may pass (a disk, a full folder) without progress between them. With the pauses
  // between them that is two minutes: a network disk may be away for so long.
  static constexpr int kErrorsMax = 17;
  // Losses with the same task aboard, without progress between them.
  static constexpr int kCrashesMax = 8;
  // From so many on, it must show that it is not the one: see on_trial(). They may be another job's
  // doing; those that follow count only if they come in its turn.
  static constexpr int kTrialCrashesMin = 3;
  // A turn becomes twice as long so often.
  static constexpr int kLongerTurnsMax = 4;
  // … of which so many, at least, came while nothing but one and the same row was read.
  static constexpr int kRowCrashesMin = 3;
  // Checkpoints with more rows after which a level is over. Twice the rows of an epoch of the level
  // before, because attempts do not read in exactly the same order. In turns: one for each split
  // that is suspected, which come first.
  static constexpr int kLevelCheckpoints = 64;

  // What an epoch holds.
  struct ReadLimit {
    // Of each scan task that reads.
    uint64_t rows_max = 0;
    // Scan tasks read in turns, each in an epoch of its own, and only what it has open.
    bool in_turns = false;
    friend bool operator==(const ReadLimit&, const ReadLimit&) = default;
  };

  enum class Verdict : uint8_t {
    kRestart,
    // Trying again gives the same error, or it has been tried often enough.
    kFail,
    // A worker process ends whenever it gets to this place; see suspects().
    kFailCrash,
    // … and the place is the next row of the split that was read.
    kFailRow,
  };

  // kOver: the attempt has outlived it, and others that have lost workers may have run beside it.
  enum class Turn : uint8_t { kOwn, kOver };

  // `lost_tasks`: those on workers that were lost. `rows_read`: at the attempt's newest epoch.
  // `reading`: the splits that the epoch under way was allowed to read; empty if none was, or the
  // rows that were read are not known.
  Verdict OnAttemptEnded(const absl::Status& cause, const std::set<TaskKey>& lost_tasks,
                         uint64_t rows_read, const std::set<SplitKey>& reading = {},
                         Turn turn = Turn::kOwn);
  // A checkpoint with `rows_read`, more than the attempt began with.
  void OnProgress(uint64_t rows_read);
  // The attempt had nothing left to read, and had read nothing: where it stood, no row ends a
  // process. Called before OnAttemptEnded; what went wrong before does not count any more.
  void OnCaughtUp();
  // A worker was lost on which the job had no task: not all losses are its doing, and those of its
  // turns begin again.
  void OnOtherLoss();

  // Before the next attempt: grows with every attempt that got nowhere.
  int64_t PauseMicros() const;
  // Absent: epochs follow each other as they like.
  std::optional<ReadLimit> limit() const;
  // The tasks that were on a lost worker every time.
  const std::set<TaskKey>& suspects() const { return suspects_; }
  // … and how often that was.
  int crashes() const { return crashes_; }
  // One of the jobs whose tasks were on lost workers may be what ends them, and the others must not
  // fail with it: as long as one is on trial, those that are suspected run one after the other,
  // until each has shown that it gets on, or its turn is over.
  bool on_trial() const { return crashes_ >= kTrialCrashesMin; }
  // It has lost tasks since its last progress, or a row is sought among those that it reads.
  bool suspected() const { return crashes_ > 0 || level_ > 1; }
  // Its turn lasts 2 to the power of this as long as others. It grows with each loss that comes
  // after the turn: what ends a process late must have the time to do so alone.
  int longer_turns() const { return longer_turns_; }
  // What was being read when the level became as it is: the next attempt begins with it.
  const std::set<SplitKey>& suspected_splits() const { return suspected_splits_; }

 private:
  void CountCrash(const std::set<TaskKey>& lost_tasks, Turn turn);
  Verdict NarrowDown(const std::set<TaskKey>& lost_tasks, const std::set<SplitKey>& reading);
  void EndLevel();

  int failures_ = 0;
  int errors_ = 0;
  int crashes_ = 0;
  int longer_turns_ = 0;
  std::set<TaskKey> suspects_;

  // 0 = no limit; else of kLimits[level_ - 1].
  size_t level_ = 0;
  // The level lasts for so many checkpoints that have more than failed_at_rows_.
  int checkpoints_left_ = 0;
  uint64_t failed_at_rows_ = 0;
  // On a lost worker whenever the level grew.
  std::set<TaskKey> level_suspects_;
  std::set<SplitKey> suspected_splits_;
  // Without progress between them, in the last level, with the same split.
  int row_crashes_ = 0;
};

// True for the loss of a worker, of a connection, or of all workers: nobody's fault, and over when
// workers are there again.
bool IsLoss(const absl::Status& cause);

}  // namespace millrace
