#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "coordinator/epoch/job_epochs.h"
#include "coordinator/job/restart_policy.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

// What the scans of one attempt may read in each epoch while a row is sought that ends processes
// (RestartPolicy). One epoch is under way at a time, and what it has read is durable before the
// next one begins: what ends a process meanwhile is in the rows that it may read, or is no row.
//
// The first epoch reads nothing. A process that ends before it is published has not read a row, and
// with its acknowledgements the scans say what they read next. Pure.
class ScanTurns {
 public:
  // So many epochs read nothing because no scan, or none with one of the `suspects`, has said what
  // it reads next; then it is not waited for any more.
  static constexpr int kAwaitEpochsMax = 10;

  // `suspects`: splits that were read when processes ended; their turns come first. `rows_read`:
  // where the attempt goes on.
  ScanTurns(std::set<SplitKey> suspects, uint64_t rows_read);

  // Takes over what the task's scans read next.
  void OnAck(const v1::EpochAck& ack);
  // True if the next epoch reads rows, unless something has to be made durable first.
  bool reads_next(const RestartPolicy::ReadLimit& limit) const;
  // The last epoch that was to read rows has read some, or there was none yet.
  bool has_input() const { return has_input_; }
  // The next epoch need not wait: there may be as much again.
  bool next_at_once(const RestartPolicy::ReadLimit& limit) const;

  // kNothing: what was read is not durable yet, or is in no split.
  enum class Read : uint8_t { kRows, kNothing };
  // An epoch begins; what it allows.
  v1::ScanAllowance Begin(const RestartPolicy::ReadLimit& limit, Read read);
  // It is published, and the attempt has read `rows_read`.
  void OnPublished(uint64_t rows_read);
  // What was published is durable.
  void OnDurable() { reading_.clear(); }
  // Something beside these splits is read meanwhile.
  void OnOtherRows() { reading_.clear(); }

  // The splits of which rows have been read that are not durable, with the position before that.
  // Splits that are begun in the epoch are missing, unless scans read in turns.
  const PositionMap& reading() const { return reading_; }

 private:
  struct Task {
    uint32_t scan_id = 0;
    uint32_t task_index = 0;
    friend auto operator<=>(const Task&, const Task&) = default;
  };
  using OpenSplits = std::map<Task, v1::SplitPosition>;

  // The task that reads next, in turns; the end if none can, or one is awaited.
  OpenSplits::const_iterator NextTurn() const;

  std::set<SplitKey> suspects_;
  uint64_t rows_read_;
  // By the newest acknowledgements; only tasks that have a split open.
  OpenSplits open_;
  std::optional<Task> last_turn_;
  bool begun_ = false;
  int awaited_epochs_ = 0;
  // Of the newest epoch.
  uint64_t rows_max_ = 0;
  uint64_t num_rows_ = 0;
  PositionMap reading_;
  bool has_input_ = true;
  // Since one has read something.
  size_t turns_in_vain_ = 0;
};

}  // namespace millrace
