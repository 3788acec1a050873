#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/types/span.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/flat_vector.h"

namespace millrace {

// A sum of floats with the rounding error of every addition kept beside it (Neumaier), so that the
// order of rows hardly shows, and what was added can be taken back.
struct CompensatedSum {
  double sum = 0;
  double error = 0;

  void Add(double value) {
    const double total = sum + value;
    // The larger one loses no digits in the addition.
    error += std::abs(sum) >= std::abs(value) ? (sum - total) + value : (value - total) + sum;
    sum = total;
  }
  double value() const { return sum + error; }
};

// How many values of a group were not finite; they are counted apart because NaN − NaN is not 0.
struct NonFinite {
  int64_t nan = 0;
  int64_t positive = 0;
  int64_t negative = 0;

  void Add(double value, int64_t weight) {
    (std::isnan(value) ? nan : value > 0 ? positive : negative) += weight;
  }
  bool any() const { return (nan | positive | negative) != 0; }
  // The sum of the values that are counted here.
  double sum() const {
    if (nan != 0 || (positive != 0 && negative != 0)) return std::nan("");
    return positive != 0 ? HUGE_VAL : -HUGE_VAL;
  }
};

// NonFinite by group id; empty until the first such value occurs.
class NonFiniteCounts {
 public:
  NonFinite Of(uint32_t group) const {
    return group < counts_.size() ? counts_[group] : NonFinite{};
  }
  void Add(uint32_t group, double value, int64_t weight) {
    Reach(group);
    counts_[group].Add(value, weight);
  }
  // Adds an encoded column (see common/plan/partial_columns.h).
  void Merge(uint32_t group, std::string_view encoded) {
    if (encoded.size() != sizeof(NonFinite)) return;
    NonFinite other;
    std::memcpy(&other, encoded.data(), sizeof(other));
    Reach(group);
    counts_[group].nan += other.nan;
    counts_[group].positive += other.positive;
    counts_[group].negative += other.negative;
  }
  void AppendEncoded(uint32_t group, TextOutput* out) const {
    const NonFinite counts = Of(group);
    if (!counts.any()) return out->AppendNull();
    out->Append({reinterpret_cast<const char*>(&counts), sizeof(counts)});
  }
  void Retain(absl::Span<const uint32_t> survivors) {
    FlatVector<NonFinite> kept;
    if (!counts_.empty()) {
      for (const uint32_t group : survivors) kept.PushBack(Of(group));
    }
    counts_.swap(kept);
  }
  int64_t bytes() const { return counts_.bytes(); }

 private:
  void Reach(uint32_t group) {
    if (group >= counts_.size()) counts_.Resize(int64_t{group} + 1, NonFinite{});
  }
  FlatVector<NonFinite> counts_;
};

}  // namespace millrace
