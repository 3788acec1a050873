#include "coordinator/scheduler/placement.h"

#include <map>
#include <set>
#include <vector>

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

v1::PhysicalPlan PlanOf(const std::vector<uint32_t>& widths, uint32_t num_shards = 0) {
  v1::PhysicalPlan plan;
  plan.set_num_shards(num_shards);
  for (uint32_t width : widths) {
    v1::Fragment* fragment = plan.add_fragments();
    fragment->set_id(static_cast<uint32_t>(plan.fragments_size() - 1));
    fragment->set_parallelism(width);
  }
  return plan;
}

std::vector<uint32_t> WorkersOfFragment(const std::vector<v1::TaskPlacement>& placements,
                                        uint32_t fragment) {
  std::vector<uint32_t> workers;
  for (const auto& placement : placements) {
    if (placement.fragment() == fragment) workers.push_back(placement.worker_id());
  }
  return workers;
}

TEST(PlacementTest, TasksGoRoundTheWorkersBySlots) {
  const auto placed = PlaceTasks(PlanOf({4}), {{WorkerId(1), 1}, {WorkerId(2), 3}});
  ASSERT_TRUE(placed.ok());
  EXPECT_THAT(WorkersOfFragment(*placed, 0), ElementsAre(1, 2, 2, 2));
}

TEST(PlacementTest, TwoWorkersBothGetTasksOfEachWideFragment) {
  const auto placed = PlaceTasks(PlanOf({2, 2}), {{WorkerId(1), 4}, {WorkerId(2), 4}});
  ASSERT_TRUE(placed.ok());
  EXPECT_THAT(WorkersOfFragment(*placed, 0), ElementsAre(1, 2));
  EXPECT_THAT(WorkersOfFragment(*placed, 1), ElementsAre(1, 2));
  EXPECT_THAT(WorkersOf(*placed), ElementsAre(WorkerId(1), WorkerId(2)));
}

TEST(PlacementTest, FragmentsOfOneTaskTakeTurns) {
  const auto placed = PlaceTasks(PlanOf({1, 2, 1, 1}), {{WorkerId(1), 2}, {WorkerId(2), 2}});
  ASSERT_TRUE(placed.ok());
  EXPECT_THAT(WorkersOfFragment(*placed, 0), ElementsAre(1));
  EXPECT_THAT(WorkersOfFragment(*placed, 2), ElementsAre(2));
  EXPECT_THAT(WorkersOfFragment(*placed, 3), ElementsAre(1));
}

TEST(PlacementTest, SmallBoundedPlansStayOnOneWorkerEachOnAnother) {
  const std::vector<SlotOffer> offers = {{WorkerId(1), 2}, {WorkerId(2), 2}};
  const v1::PhysicalPlan plan = PlanOf({1, 1});
  EXPECT_THAT(WorkersOf(*PlaceTasks(plan, offers, 6)), ElementsAre(WorkerId(1)));
  EXPECT_THAT(WorkersOf(*PlaceTasks(plan, offers, 7)), ElementsAre(WorkerId(2)));
  v1::PhysicalPlan stream = plan;
  stream.set_streaming(true);
  EXPECT_EQ(WorkersOf(*PlaceTasks(stream, offers, 7)).size(), 2);
}

TEST(PlacementTest, MoreTasksThanSlotsAreFine) {
  const auto placed = PlaceTasks(PlanOf({5}), {{WorkerId(3), 1}, {WorkerId(4), 1}});
  ASSERT_TRUE(placed.ok());
  EXPECT_THAT(WorkersOfFragment(*placed, 0), ElementsAre(3, 4, 3, 4, 3));
}

TEST(PlacementTest, ShardsAreCoveredOnceInOrder) {
  const auto placed = PlaceTasks(PlanOf({3}, 8), {{WorkerId(1), 3}});
  ASSERT_TRUE(placed.ok());
  uint32_t next = 0;
  for (const auto& placement : *placed) {
    EXPECT_EQ(placement.first_shard(), next);
    EXPECT_GE(placement.num_shards(), 2);
    next += placement.num_shards();
  }
  EXPECT_EQ(next, 8);
}

TEST(PlacementTest, WithoutWorkersTheErrorSaysWhatToDo) {
  const auto placed = PlaceTasks(PlanOf({1}), {});
  EXPECT_EQ(GetErrorDetail(placed.status()).state, SqlState::kInsufficientResources);
  EXPECT_EQ(GetErrorDetail(placed.status()).retry, Retry::kSafe);
  EXPECT_FALSE(GetErrorDetail(placed.status()).hint.empty());
}

TEST(PlacementTest, DefaultsFollowTheSlots) {
  EXPECT_EQ(DefaultParallelism({}), 1);
  EXPECT_EQ(DefaultParallelism({{WorkerId(1), 2}, {WorkerId(2), 3}}), 5);
  EXPECT_EQ(DefaultNumShards({{WorkerId(1), 1}}, 1), 8);
  EXPECT_EQ(DefaultNumShards({{WorkerId(1), 100}}, 1), 256);
  EXPECT_EQ(DefaultNumShards({{WorkerId(1), 1}}, 300), 300);
}

}  // namespace
}  // namespace millrace
