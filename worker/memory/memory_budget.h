#pragma once

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace millrace {

// Bytes that somebody may hold in this process: a query, a part of it whose share is counted apart,
// all queries and views of the worker together, or its views alone. Thread-safe; operators reserve
// in steps of at least 64 KiB, not per row.
class MemoryBudget {
 public:
  // Whose limit it is. What views hold always finds room in the budget that theirs is a part of: a
  // stream must not fail because of queries that come and go. The queries feel it.
  enum class Of : uint8_t { kQuery, kWorker, kViews };

  explicit MemoryBudget(int64_t bytes_max, Of of = Of::kQuery) : bytes_max_(bytes_max), of_(of) {}
  // A part of `whole` with a limit of its own; `whole` outlives it, null: there is none.
  MemoryBudget(int64_t bytes_max, MemoryBudget* whole) : whole_(whole), bytes_max_(bytes_max) {}
  // A part of `whole`, which outlives it and has the limit.
  explicit MemoryBudget(MemoryBudget& whole, Of of = Of::kQuery)
      : whole_(&whole), bytes_max_(whole.bytes_max()), of_(of) {}
  ~MemoryBudget() {
    if (whole_ != nullptr && used() != 0) whole_->Release(used());
  }
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // Adds `bytes` (may be negative) to what is held. 53200 with the limit and `who` if it would
  // exceed the budget, or one that it is a part of; then nothing is added.
  absl::Status Reserve(int64_t bytes, absl::string_view who);
  void Release(int64_t bytes) { Add(-bytes); }

  int64_t used() const { return used_.load(std::memory_order_relaxed); }
  int64_t bytes_max() const { return bytes_max_; }

 private:
  // Without regard to the limits.
  void Add(int64_t bytes) {
    used_.fetch_add(bytes, std::memory_order_relaxed);
    if (whole_ != nullptr) whole_->Add(bytes);
  }
  absl::Status Exceeded(int64_t bytes, absl::string_view who) const;

  MemoryBudget* const whole_ = nullptr;
  const int64_t bytes_max_;
  const Of of_ = Of::kQuery;
  std::atomic<int64_t> used_{0};
};

// One operator's share of the budget: follows a size and gives all back at destruction.
class MemoryReservation {
 public:
  MemoryReservation(MemoryBudget& budget, absl::string_view who) : budget_(budget), who_(who) {}
  ~MemoryReservation() { budget_.Release(held_); }
  MemoryReservation(const MemoryReservation&) = delete;
  MemoryReservation& operator=(const MemoryReservation&) = delete;

  // Tells how much the owner holds now; asks the budget only when it moved by 64 KiB or more.
  absl::Status Update(int64_t bytes_now);
  int64_t held() const { return held_; }

 private:
  static constexpr int64_t kStepBytes = 64 << 10;
  MemoryBudget& budget_;
  const absl::string_view who_;
  int64_t held_ = 0;
};

}  // namespace millrace
