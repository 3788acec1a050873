#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/value.h"
#include "worker/operators/over_plan.h"

namespace millrace {

// What of a partition's past the calls of an OVER need when later rows come.
struct OverRetention {
  // How a call is computed.
  enum class Way {
    // From the rows kept as history.
    kHistory,
    // From a number or an accumulator that runs over all rows so far.
    kRunning,
  };
  // By call.
  std::vector<Way> ways;
  // Rows kept as history: the last `num_rows`, those not older than `distance` before the watermark
  // (if it is set), the first one, or all of them.
  int64_t num_rows = 0;
  std::vector<Value> distances;
  bool keeps_first = false;
  bool keeps_all = false;

  // 0A000 for calls that look at later rows.
  static absl::StatusOr<OverRetention> Of(const OverPlan& plan);

  bool keeps_history() const {
    return keeps_all || keeps_first || num_rows > 0 || !distances.empty();
  }
  // Rows at or after this time may still be asked for when the watermark stands at `watermark`.
  int64_t OldestTime(int64_t watermark) const;
};

}  // namespace millrace
