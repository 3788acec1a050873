#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types/batch.h"

namespace millrace {

namespace v1 {
class Split;
class SplitPosition;
}  // namespace v1

// How much one Poll may return.
struct PollBudget {
  int64_t rows_max = kTargetBatchRows;
  int64_t bytes_max = kMaxBatchBytes;
};

// kRows: `batch` holds rows, or none if a Poll has found none in its share of work. kIdle: nothing
// now, ask later (unbounded input). kEnd: the split is used up; `batch` may hold the last rows.
enum class PollResult { kRows, kIdle, kEnd };

// A row that did not parse and was left out (bad_rows = 'keep').
struct BadRow {
  std::string path;
  // Byte of the (uncompressed) text where the row begins.
  uint64_t position = 0;
  // 1-based line of the file where the row begins; 0 = unknown.
  uint64_t line = 0;
  // The row as it stands in the file, shortened if it is long.
  std::string text;
  std::string reason;
};

// Input that grows: how often to look, and after how long without rows a split does not hold back
// the watermark.
struct FollowPolicy {
  int64_t interval_micros = 1'000'000;
  int64_t idle_timeout_micros = 30'000'000;
};

// Reads splits of one scan, one after another, in one task. Called only from the task's thread.
// Order: Open, Poll … until kEnd, Open of the next split, …, Close. Output columns follow the
// scan's projection.
class Source {
 public:
  virtual ~Source() = default;
  // Begins a split, at `split.resume` if it is set: the rows before that position do not come
  // again.
  virtual absl::Status Open(const v1::Split& split) = 0;
  virtual absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) = 0;
  // Where a reader that has all rows given out so far would go on. Valid after Open.
  virtual v1::SplitPosition Position() const = 0;
  // Rows that did not parse and were left out (bad_rows = 'skip' | 'keep').
  virtual uint64_t bad_rows() const { return 0; }
  // The rows kept since the last call, oldest first. A source keeps so many as its log allows over
  // its whole life; further ones are only counted.
  virtual std::vector<BadRow> TakeBadRows() { return {}; }
  // For splits that follow a file, and partitions of topics.
  virtual FollowPolicy follow_policy() const { return {}; }
  // False after kIdle: the input could not be reached, so that nobody knows whether there is more.
  virtual bool caught_up() const { return true; }
  // What a source that is idle waits for, for people. Valid until the next call.
  virtual absl::string_view waiting_for() const { return "input"; }
  virtual absl::Status Close() = 0;
};

}  // namespace millrace
