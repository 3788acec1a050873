#include "worker/runtime/lateness_tracker.h"

#include <arrow/array.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

constexpr int64_t kDayMicros = int64_t{86400} * 1000000;

}  // namespace

int64_t LatenessTracker::Bound(int64_t largest) const {
  return largest < INT64_MIN + delay_micros_ ? INT64_MIN : largest - delay_micros_;
}

std::optional<int64_t> LatenessTracker::watermark_micros() const {
  if (!max_time_.has_value()) return std::nullopt;
  return Bound(*max_time_);
}

template <typename Element, typename IsNull>
int64_t LatenessTracker::SelectRows(int64_t num_rows, Element element, IsNull is_null,
                                    int64_t floor_micros, std::vector<int32_t>* on_time) {
  // Usually no row is late: then the extremes of the batch tell, and this loop has no branches that
  // matter.
  int64_t least = INT64_MAX;
  int64_t largest = INT64_MIN;
  for (int64_t i = 0; i < num_rows; ++i) {
    if (is_null(i)) continue;
    const int64_t time = element(i);
    least = std::min(least, time);
    largest = std::max(largest, time);
  }
  if (least > largest) return 0;
  const int64_t before = max_time_.value_or(INT64_MIN);
  max_time_ = std::max(before, largest);
  if (least >= std::max(Bound(*max_time_), floor_micros)) return 0;
  on_time->clear();
  int64_t running = before;
  for (int64_t i = 0; i < num_rows; ++i) {
    if (!is_null(i)) {
      const int64_t time = element(i);
      const int64_t bound = std::max(Bound(running), floor_micros);
      running = std::max(running, time);
      if (time < bound) continue;
    }
    on_time->push_back(static_cast<int32_t>(i));
  }
  return num_rows - static_cast<int64_t>(on_time->size());
}

absl::StatusOr<int64_t> LatenessTracker::Select(const arrow::Array& times, int64_t floor_micros,
                                                std::vector<int32_t>* on_time) {
  const auto select = [&](auto element) {
    if (times.null_count() == 0) {
      return SelectRows(
          times.length(), element, [](int64_t) { return false; }, floor_micros, on_time);
    }
    return SelectRows(
        times.length(), element, [&](int64_t i) { return times.IsNull(i); }, floor_micros, on_time);
  };
  switch (times.type_id()) {
    case arrow::Type::TIMESTAMP: {
      const int64_t* raw = static_cast<const arrow::TimestampArray&>(times).raw_values();
      return select([raw](int64_t i) { return raw[i]; });
    }
    case arrow::Type::DATE32: {
      const int32_t* raw = static_cast<const arrow::Date32Array&>(times).raw_values();
      return select([raw](int64_t i) { return raw[i] * kDayMicros; });
    }
    default:
      return NotSupported(absl::StrCat("event time of the type ", times.type()->ToString()));
  }
}

}  // namespace millrace
