#pragma once

#include <algorithm>
#include <cstdint>

namespace millrace {

// Spreads rows evenly over time: `rows_per_second`, in portions of about 20 ms. Time is passed in.
class RateLimiter {
 public:
  // `rows_per_second` 0 = no limit.
  RateLimiter(double rows_per_second, int64_t now_micros)
      : rows_per_second_(rows_per_second), last_micros_(now_micros) {}

  bool limited() const { return rows_per_second_ > 0; }

  // From now on; what has been saved up stays. A limit stays a limit.
  void SetRate(double rows_per_second, int64_t now_micros) {
    if (!limited() || rows_per_second <= 0 || rows_per_second == rows_per_second_) return;
    Available(now_micros);
    rows_per_second_ = rows_per_second;
  }

  // Rows that may pass now.
  int64_t Available(int64_t now_micros) {
    const double elapsed_s = static_cast<double>(now_micros - last_micros_) * 1e-6;
    last_micros_ = now_micros;
    // A stall is made up for as far as it is shorter than this; so a busy machine keeps the rate.
    const double tokens_max = std::max(1.0, rows_per_second_ * kSavedSecondsMax);
    tokens_ = std::min(tokens_max, tokens_ + elapsed_s * rows_per_second_);
    return static_cast<int64_t>(tokens_);
  }
  // Rows that have passed; may be more than were available, then the next ones wait longer.
  void Take(int64_t rows) { tokens_ -= static_cast<double>(rows); }
  // When a portion of rows will be available.
  int64_t NextMicros(int64_t now_micros) const {
    const double portion = std::max(1.0, rows_per_second_ * 0.02);
    const double wait_s = (portion - tokens_) / rows_per_second_;
    return now_micros + std::max<int64_t>(1000, static_cast<int64_t>(wait_s * 1e6) + 1);
  }

 private:
  static constexpr double kSavedSecondsMax = 1.0;

  double rows_per_second_;
  int64_t last_micros_;
  double tokens_ = 0;
};

}  // namespace millrace
