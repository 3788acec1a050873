#pragma once

#include <cstdint>
#include <optional>

namespace millrace {

// How often a batch statement whose attempts are lost with their workers is tried again: as long as
// attempts get on. One that has seen a tenth more rows than every one before it counts from the
// beginning; after kFruitlessMax others in a row the reason may be the statement itself. Input that
// ends bounds the sum. Pure.
class AttemptBudget {
 public:
  static constexpr uint32_t kFruitlessMax = 5;
  static constexpr int64_t kFirstPauseMicros = 100'000;

  // An attempt was lost after its tasks had seen `rows`. Returns how long to wait before the next
  // one; absent: there is none.
  std::optional<int64_t> Spend(uint64_t rows);

 private:
  uint64_t most_rows_ = 0;
  uint32_t fruitless_ = 0;
};

}  // namespace millrace
