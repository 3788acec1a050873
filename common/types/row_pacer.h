#pragma once

#include <algorithm>
#include <cstdint>

#include "common/types/batch.h"

namespace millrace {

// How many rows to work on at once, so that what is made of them has about kMaxBatchBytes: learns
// from what came of the rows before.
class RowPacer {
 public:
  // Begins with `rows`.
  explicit RowPacer(int64_t rows) : rows_(std::max<int64_t>(1, rows)) {}

  // How many of the `rest` rows that are left; at least one if there is one.
  int64_t Next(int64_t rest) const { return std::min(rest, rows_); }

  // `rows` rows have given `bytes`.
  void Made(int64_t rows, int64_t bytes) {
    // A little less than the whole, so that rows that are a little longer still fit.
    const double fitting =
        0.75 * kMaxBatchBytes / static_cast<double>(std::max<int64_t>(1, bytes)) * rows;
    if (bytes > kMaxBatchBytes) {
      rows_ = std::max<int64_t>(1, static_cast<int64_t>(fitting));
    } else if (rows_ < kRowsMax) {
      // Short rows do not say that those behind them are short.
      const auto more = static_cast<int64_t>(std::min<double>(fitting, kRowsMax));
      rows_ = std::clamp(more, rows_, 4 * rows_);
    }
  }

  // `rows` rows, more than one, would give too much.
  void Refused(int64_t rows) { rows_ = std::max<int64_t>(1, rows / 16); }

 private:
  static constexpr int64_t kRowsMax = int64_t{1} << 30;

  int64_t rows_;
};

}  // namespace millrace
