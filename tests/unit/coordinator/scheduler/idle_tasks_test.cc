#include "coordinator/scheduler/idle_tasks.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

constexpr int64_t kEnded = INT64_MAX;

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

TEST(IdleTasksTest, ATaskWhoseInputHasEndedSaysNothingOfTheOthers) {
  EXPECT_EQ(TimeForIdleTasks({{0, false, kEnded}, {1, true, 10}, {2, true, 20}}), 20);
  EXPECT_EQ(TimeForIdleTasks({{0, false, kEnded}, {1, true, std::nullopt}}), std::nullopt);
  EXPECT_EQ(TimeForIdleTasks({{0, true, kEnded}, {1, false, 30}}), 30);
}

TEST(IdleTasksTest, AnIdleScanFollowsTheScansThatItMeets) {
  const std::vector<TaskTime> idle = {{0, true, std::nullopt}, {1, true, 10}};
  EXPECT_EQ(TimeForIdleScan(idle, {{0, false, 70}, {1, true, 5}, {2, false, 50}}), 50);
  // One that has not begun holds back; what the scan has seen itself it keeps.
  EXPECT_EQ(TimeForIdleScan(idle, {{0, false, std::nullopt}, {1, false, 70}}), 10);
  EXPECT_EQ(TimeForIdleScan(idle, {{0, false, 5}}), 10);
  EXPECT_EQ(TimeForIdleScan(idle, {}), 10);
}

TEST(IdleTasksTest, AScanWithAnActiveTaskFollowsNobody) {
  EXPECT_EQ(TimeForIdleScan({{0, false, 20}, {1, true, 10}}, {{0, false, 70}}), 20);
  EXPECT_EQ(TimeForIdleScan({{0, false, std::nullopt}, {1, true, 10}}, {{0, false, 70}}),
            std::nullopt);
}

TEST(IdleTasksTest, WhenAllScansAreIdleTheLargestCounts) {
  EXPECT_EQ(TimeForIdleScan({{0, true, 10}}, {{0, true, 70}, {1, true, std::nullopt}}), 70);
  EXPECT_EQ(TimeForIdleScan({{0, true, std::nullopt}}, {{0, true, std::nullopt}}), std::nullopt);
}

TEST(IdleTasksTest, AScanThatHasEndedMovesNobodyToTheEndOfTime) {
  EXPECT_EQ(TimeForIdleScan({{0, true, std::nullopt}}, {{0, false, kEnded}}), std::nullopt);
  EXPECT_EQ(TimeForIdleScan({{0, true, 10}, {1, false, kEnded}}, {{0, false, kEnded}}), 10);
}

}  // namespace
}  // namespace millrace
