#include "coordinator/job/attempt_budget.h"

namespace millrace {

std::optional<int64_t> AttemptBudget::Spend(uint64_t rows) {
  if (rows > most_rows_ + most_rows_ / 10) {
    most_rows_ = rows;
    fruitless_ = 0;
  }
  if (++fruitless_ > kFruitlessMax) return std::nullopt;
  return kFirstPauseMicros << (fruitless_ - 1);
}

}  // namespace millrace
