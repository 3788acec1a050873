#include "coordinator/scheduler/idle_tasks.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(IdleTasksTest, FollowTheSlowestOfTheOthers) {
  EXPECT_EQ(TimeForIdleTasks({{0, false, 70}, {1, true, 10}, {2, false, 50}}), 50);
  EXPECT_EQ(TimeForIdleTasks({{0, false, 70}, {1, true, std::nullopt}}), 70);
}

TEST(IdleTasksTest, ATaskThatHasNotBegunHoldsAllBack) {
  EXPECT_EQ(TimeForIdleTasks({{0, false, std::nullopt}, {1, true, 10}}), std::nullopt);
}

TEST(IdleTasksTest, WhenAllAreIdleTheLargestCounts) {
  EXPECT_EQ(TimeForIdleTasks({{0, true, 70}, {1, true, 10}, {2, true, std::nullopt}}), 70);
  EXPECT_EQ(TimeForIdleTasks({{0, true, std::nullopt}}), std::nullopt);
  EXPECT_EQ(TimeForIdleTasks({}), std::nullopt);
}

}  // namespace
}  // namespace millrace
