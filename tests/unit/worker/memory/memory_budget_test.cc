#include "worker/memory/memory_budget.h"

#include <gtest/gtest.h>

#include "common/base/status.h"

namespace millrace {
namespace {

TEST(MemoryBudgetTest, RefusesWhatExceedsIt) {
  MemoryBudget budget(1 << 20);
  EXPECT_TRUE(budget.Reserve(1 << 20, "sort").ok());
  const absl::Status status = budget.Reserve(1, "sort");
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kOutOfMemory);
  EXPECT_EQ(budget.used(), 1 << 20);
}

TEST(MemoryBudgetTest, GivingBackMakesRoom) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.Reserve(100, "join").ok());
  EXPECT_TRUE(budget.Reserve(-40, "join").ok());
  EXPECT_TRUE(budget.Reserve(40, "join").ok());
}

TEST(MemoryBudgetTest, QueriesShareThatOfAllOfThem) {
  MemoryBudget all(150, MemoryBudget::Of::kWorker);
  MemoryBudget second(100, &all);
  {
    MemoryBudget first(100, &all);
    EXPECT_TRUE(first.Reserve(100, "sort").ok());
    EXPECT_TRUE(second.Reserve(50, "sort").ok());
    const absl::Status status = second.Reserve(1, "sort");
    EXPECT_EQ(GetErrorDetail(status).state, SqlState::kOutOfMemory);
    EXPECT_NE(status.message().find("all queries and views together"), std::string::npos);
    EXPECT_EQ(second.used(), 50);
    // Its own limit is not that of the others.
    EXPECT_FALSE(first.Reserve(1, "sort").ok());
  }
  EXPECT_EQ(all.used(), 50);
  EXPECT_TRUE(second.Reserve(50, "sort").ok());
}

TEST(MemoryBudgetTest, QueriesMakeRoomForViewsButNotViewsForQueries) {
  MemoryBudget all(100, MemoryBudget::Of::kWorker);
  MemoryBudget views(all, MemoryBudget::Of::kViews);
  MemoryBudget query(100, &all);
  ASSERT_TRUE(query.Reserve(60, "sort").ok());
  EXPECT_TRUE(views.Reserve(70, "view").ok());
  EXPECT_EQ(all.used(), 130);
  EXPECT_EQ(GetErrorDetail(query.Reserve(1, "sort")).state, SqlState::kOutOfMemory);
  const absl::Status status = views.Reserve(31, "view");
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kOutOfMemory);
  EXPECT_NE(status.message().find("all views together"), std::string::npos);
  EXPECT_EQ(all.used(), 130);
  views.Release(70);
  EXPECT_EQ(all.used(), 60);
}

TEST(MemoryReservationTest, FollowsASizeInStepsAndGivesAllBack) {
  MemoryBudget budget(1 << 20);
  {
    MemoryReservation reservation(budget, "aggregate");
    EXPECT_TRUE(reservation.Update(1000).ok());
    EXPECT_EQ(budget.used(), 0);
    EXPECT_TRUE(reservation.Update(200 << 10).ok());
    EXPECT_EQ(budget.used(), 200 << 10);
    EXPECT_FALSE(reservation.Update(2 << 20).ok());
    EXPECT_EQ(reservation.held(), 200 << 10);
  }
  EXPECT_EQ(budget.used(), 0);
}

TEST(MemoryBudgetTest, APartCountsApartAndSharesTheLimit) {
  MemoryBudget whole(100);
  MemoryBudget first(whole);
  MemoryBudget second(whole);
  ASSERT_TRUE(first.Reserve(60, "sort").ok());
  EXPECT_FALSE(second.Reserve(60, "join").ok());
  ASSERT_TRUE(second.Reserve(30, "join").ok());
  EXPECT_EQ(first.used(), 60);
  EXPECT_EQ(second.used(), 30);
  EXPECT_EQ(whole.used(), 90);
  first.Release(60);
  EXPECT_EQ(whole.used(), 30);
}

}  // namespace
}  // namespace millrace
