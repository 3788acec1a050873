#include "coordinator/job/attempt_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::Optional;

TEST(AttemptBudgetTest, AttemptsThatGetNowhereEndAfterSomeWithGrowingPauses) {
  AttemptBudget budget;
  int64_t pause = AttemptBudget::kFirstPauseMicros;
  for (uint32_t i = 0; i < AttemptBudget::kFruitlessMax; ++i, pause *= 2) {
    EXPECT_THAT(budget.Spend(0), Optional(pause));
  }
  EXPECT_EQ(budget.Spend(0), std::nullopt);
}

TEST(AttemptBudgetTest, EveryAttemptThatGetsFartherBeginsTheCountAnew) {
  AttemptBudget budget;
  uint64_t rows = 1000;
  for (int loss = 0; loss < 50; ++loss, rows += rows / 5) {
    EXPECT_THAT(budget.Spend(rows), Optional(AttemptBudget::kFirstPauseMicros));
  }
}

TEST(AttemptBudgetTest, AboutTheSamePlaceAgainIsNoProgress) {
  AttemptBudget budget;
  EXPECT_THAT(budget.Spend(1000), Optional(AttemptBudget::kFirstPauseMicros));
  for (uint32_t i = 1; i < AttemptBudget::kFruitlessMax; ++i) {
    EXPECT_THAT(budget.Spend(1000 + i), Optional(AttemptBudget::kFirstPauseMicros << i));
  }
  EXPECT_EQ(budget.Spend(1100), std::nullopt);
}

}  // namespace
}  // namespace millrace
