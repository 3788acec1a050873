#include "coordinator/scheduler/spread_plan.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

v1::PhysicalPlan Planned() {
  v1::PhysicalPlan plan;
  plan.set_streaming(true);
  plan.set_num_shards(8);
  for (const uint32_t parallelism : {2, 1, 2}) plan.add_fragments()->set_parallelism(parallelism);
  return plan;
}

std::vector<uint32_t> Widths(const v1::PhysicalPlan& plan) {
  std::vector<uint32_t> widths;
  for (const v1::Fragment& fragment : plan.fragments()) widths.push_back(fragment.parallelism());
  return widths;
}

TEST(SpreadPlanTest, FragmentsThatCanHaveSeveralTasksGetAsManyAsAreAskedFor) {
  EXPECT_THAT(Widths(SpreadPlan(Planned(), 5)), ElementsAre(5, 1, 5));
  EXPECT_THAT(Widths(SpreadPlan(Planned(), 1)), ElementsAre(1, 1, 1));
}

TEST(SpreadPlanTest, ATaskOwnsAtLeastOneShard) {
  EXPECT_THAT(Widths(SpreadPlan(Planned(), 50)), ElementsAre(8, 1, 8));
  EXPECT_THAT(Widths(SpreadPlan(Planned(), 0)), ElementsAre(1, 1, 1));
}

TEST(SpreadPlanTest, ParallelismIsThatOfTheWidestFragment) {
  EXPECT_EQ(ParallelismOf(SpreadPlan(Planned(), 5)), 5);
  EXPECT_EQ(ParallelismOf(SpreadPlan(Planned(), 1)), 1);
}

}  // namespace
}  // namespace millrace
