#pragma once

#include <cstdint>

namespace millrace {

// When something that fails again and again is worth a line: the first time, and then once in each
// interval. Not thread-safe.
class LogPace {
 public:
  explicit LogPace(int64_t interval_micros) : interval_micros_(interval_micros) {}

  // True if a line is due, which then counts as written.
  bool Due(int64_t monotonic_micros) {
    if (monotonic_micros < next_micros_) return false;
    next_micros_ = monotonic_micros + interval_micros_;
    return true;
  }
  // It has worked: the next failure is a first one.
  void Reset() { next_micros_ = INT64_MIN; }

 private:
  const int64_t interval_micros_;
  int64_t next_micros_ = INT64_MIN;
};

}  // namespace millrace
