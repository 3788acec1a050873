#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "arrow/type_fwd.h"

namespace millrace {

// Tells which rows of a split are late: those whose time lies more than the delay below the largest
// time of the rows before them in the same split. So lateness depends on the order of the rows in
// their split only, but for a split that comes back after it was idle, or that is new: its rows
// before the watermark of the others are late, too. Rows without a time are not late.
class LatenessTracker {
 public:
  explicit LatenessTracker(int64_t delay_micros) : delay_micros_(delay_micros) {}

  // Begins a split, or goes on in one whose largest time so far is known.
  void BeginSplit(std::optional<int64_t> max_time_micros) { max_time_ = max_time_micros; }

  // Takes the next rows' times (timestamps in microseconds, or dates); the number of late ones,
  // with those before `floor_micros`. If there are any, `on_time` gets the indices of the others,
  // ascending; else its content means nothing.
  absl::StatusOr<int64_t> Select(const arrow::Array& times, int64_t floor_micros,
                                 std::vector<int32_t>* on_time);

  // Largest time seen in the split.
  std::optional<int64_t> max_time_micros() const { return max_time_; }
  // max_time − delay; later rows of the split with a smaller time are late.
  std::optional<int64_t> watermark_micros() const;

 private:
  // largest − delay without overflow.
  int64_t Bound(int64_t largest) const;
  // Element(i) is the time of row i in microseconds, IsNull(i) whether it has none.
  template <typename Element, typename IsNull>
  int64_t SelectRows(int64_t num_rows, Element element, IsNull is_null, int64_t floor_micros,
                     std::vector<int32_t>* on_time);

  const int64_t delay_micros_;
  std::optional<int64_t> max_time_;
};

}  // namespace millrace
