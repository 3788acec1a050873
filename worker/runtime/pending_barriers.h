#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/check.h"
#include "worker/operators/operator.h"
#include "worker/runtime/scan_mailbox.h"

namespace millrace {

// The barriers that a scan has been told of and has not passed on, and what they let it read before
// that.
class PendingBarriers {
 public:
  // `waits`: rows are read only as far as the next barrier allows it, until one without an
  // allowance is passed on.
  explicit PendingBarriers(bool waits) : waits_(waits) {}

  bool empty() const { return pending_.empty(); }
  void Add(const Barrier& barrier, std::optional<ReadAllowance> allowance) {
    pending_.push_back({barrier, allowance});
  }
  // Not if there are none.
  Barrier Pop() {
    MR_CHECK(!empty());
    const Pending next = pending_.front();
    pending_.pop_front();
    if (!next.allowance.has_value()) waits_ = false;
    return next.barrier;
  }

  // Rows are counted; else any number may be read, and barriers pass at once.
  bool waits() const { return waits_; }
  // Rows that may be read before the next barrier passes; 0 = it passes.
  uint64_t RowsAllowed(bool split_is_open) const {
    if (!waits_ || empty()) return 0;
    const std::optional<ReadAllowance>& allowance = pending_.front().allowance;
    if (!allowance.has_value() || (allowance->open_split_only && !split_is_open)) return 0;
    return allowance->rows_max;
  }
  // While some are allowed.
  void Spend(uint64_t num_rows) {
    uint64_t& left = pending_.front().allowance->rows_max;
    left -= std::min(left, num_rows);
  }

 private:
  struct Pending {
    Barrier barrier;
    std::optional<ReadAllowance> allowance;
  };

  bool waits_;
  std::deque<Pending> pending_;
};

}  // namespace millrace
