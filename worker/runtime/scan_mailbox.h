#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/mutex.h"
#include "worker/operators/operator.h"
#include "worker/runtime/wakeable.h"

namespace millrace {

namespace v1 {
class Split;
class SplitAssignment;
}  // namespace v1

// What a scan that waits for it may read before it passes a barrier on.
struct ReadAllowance {
  uint64_t rows_max = 0;
  // Only of the split that is open when the barrier's turn comes.
  bool open_split_only = false;
};

// Asks the coordinator for splits. Thread-safe; the answer comes through the scan's mailbox.
class SplitRequester {
 public:
  virtual ~SplitRequester() = default;
  virtual void RequestSplits(uint32_t scan_id, uint32_t task_index,
                             const std::vector<uint64_t>& finished_split_ids) = 0;
};

// What the coordinator tells one scan of one task. Filled by any thread, emptied by the task's,
// which it wakes.
class ScanMailbox {
 public:
  struct Content {
    // Splits to read, in this order.
    std::vector<v1::Split> splits;
    bool no_more_splits = false;
    // Latest lower bound of the times in splits that are not assigned; absent = unknown.
    std::optional<int64_t> unassigned_min_time_micros;
    // How far the scan may go on if all of its splits are idle; kMinWatermark = not told since the
    // last Take.
    int64_t idle_time_micros = Watermark::kMinWatermark;
    // Tasks that share the scan's rate, as last heard; 0 = not heard yet.
    uint32_t active_tasks = 0;
    // True if at least one assignment came since the last Take.
    bool assigned = false;
    std::vector<Barrier> barriers;
    // allowances[i] belongs to barriers[i]; absent: scans that have waited for one wait no longer.
    std::vector<std::optional<ReadAllowance>> allowances;
    // splits_before[i] of `splits` came before barriers[i].
    std::vector<size_t> splits_before;
  };

  ScanMailbox();
  ~ScanMailbox();

  // Before anything is delivered.
  void SetTask(std::weak_ptr<Wakeable> task);

  void Assign(const v1::SplitAssignment& assignment);
  void Inject(const Barrier& barrier, std::optional<ReadAllowance> allowance = std::nullopt);

  // Moves everything that came since the last call into *content (that the caller has emptied).
  void Take(Content* content);

 private:
  void WakeTask();

  Mutex mutex_;
  std::weak_ptr<Wakeable> task_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Content> content_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
