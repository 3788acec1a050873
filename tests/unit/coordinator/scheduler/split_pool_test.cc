#include "coordinator/scheduler/split_pool.h"

#include <vector>

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ScanSplits Splits(size_t count, SplitOrder order = SplitOrder::kAny) {
  ScanSplits splits;
  splits.order = order;
  for (size_t i = 0; i < count; ++i) {
    splits.splits.emplace_back();
    splits.splits.back().set_id(i);
  }
  return splits;
}

std::vector<uint64_t> Ids(const std::vector<v1::Split>& splits) {
  std::vector<uint64_t> ids;
  for (const auto& split : splits) ids.push_back(split.id());
  return ids;
}

const WorkerId kWorker1(1);
const WorkerId kWorker2(2);

TEST(SplitPoolTest, EachSplitGoesOutOnceAndThenTheEnd) {
  SplitPool pool(Splits(3), 2);
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(0));
  EXPECT_THAT(Ids(pool.Request(1, kWorker2).splits), ElementsAre(1));
  const auto last = pool.Request(0, kWorker1);
  EXPECT_THAT(Ids(last.splits), ElementsAre(2));
  EXPECT_TRUE(last.end);
  EXPECT_TRUE(pool.Request(1, kWorker2).end);
  EXPECT_THAT(pool.Request(1, kWorker2).splits, IsEmpty());
}

TEST(SplitPoolTest, EmptyScanEndsAtOnce) {
  SplitPool pool(Splits(0), 2);
  EXPECT_TRUE(pool.Request(0, kWorker1).end);
}

TEST(SplitPoolTest, ManySmallSplitsGoOutInHandfuls) {
  SplitPool pool(Splits(1000), 2);
  EXPECT_EQ(pool.Request(0, kWorker1).splits.size(), 8);
  size_t taken = 8;
  while (pool.num_unassigned() > 4) taken += pool.Request(0, kWorker1).splits.size();
  EXPECT_EQ(pool.Request(1, kWorker1).splits.size(), 1);
  EXPECT_EQ(taken + 1 + pool.num_unassigned(), 1000);
}

TEST(SplitPoolTest, OneAtATimeTheFirstSplitsGoToTheSameTasksWhoeverAsksFirst) {
  ScanSplits splits = Splits(1000);
  splits.one_at_a_time = true;
  SplitPool pool(std::move(splits), 3);
  EXPECT_THAT(Ids(pool.Request(2, kWorker2).splits), ElementsAre(2));
  EXPECT_THAT(Ids(pool.Request(2, kWorker2).splits), ElementsAre(3));
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(0));
  EXPECT_THAT(Ids(pool.Request(1, kWorker1).splits), ElementsAre(1));
}

TEST(SplitPoolTest, OneAtATimeATaskForWhichNothingIsKeptIsAtItsEnd) {
  for (const SplitOrder order : {SplitOrder::kAny, SplitOrder::kEventTime}) {
    ScanSplits splits = Splits(2, order);
    splits.one_at_a_time = true;
    SplitPool pool(std::move(splits), 3);
    const auto none = pool.Request(2, kWorker2);
    EXPECT_THAT(none.splits, IsEmpty());
    EXPECT_TRUE(none.end);
    EXPECT_THAT(Ids(pool.Request(1, kWorker1).splits), ElementsAre(1));
    EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(0));
    EXPECT_TRUE(pool.Request(1, kWorker1).end);
  }
}

TEST(SplitPoolTest, BoundSplitsGoToTheirWorkerOnly) {
  ScanSplits splits = Splits(3);
  splits.splits[0].set_worker_id(2);
  splits.splits[1].set_worker_id(1);
  splits.splits[2].set_worker_id(2);
  SplitPool pool(std::move(splits), 2);
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(1));
  EXPECT_TRUE(pool.Request(0, kWorker1).end);
  EXPECT_THAT(Ids(pool.Request(1, kWorker2).splits), ElementsAre(0));
  EXPECT_THAT(Ids(pool.Request(1, kWorker2).splits), ElementsAre(2));
}

TEST(SplitPoolTest, SplitBoundToAWorkerWithoutATaskIsAnError) {
  ScanSplits splits = Splits(1);
  splits.fragment = 3;
  splits.splits[0].set_worker_id(2);
  const SplitPool pool(std::move(splits), 1);
  v1::TaskPlacement placement;
  placement.set_fragment(3);
  placement.set_worker_id(1);
  EXPECT_EQ(GetErrorDetail(pool.CheckReachable({placement})).state,
            SqlState::kInsufficientResources);
  placement.set_worker_id(2);
  EXPECT_TRUE(pool.CheckReachable({placement}).ok());
}

TEST(SplitPoolTest, EventTimeTellsEveryTaskOnceThatNothingIsLeft) {
  SplitPool pool(Splits(20, SplitOrder::kEventTime), 3);
  for (uint64_t i = 0; i < 19; ++i) {
    EXPECT_THAT(Ids(pool.Request(static_cast<uint32_t>(i % 2), kWorker1).splits), ElementsAre(i));
    EXPECT_THAT(pool.TakeTasksToEnd(), IsEmpty());
  }
  EXPECT_TRUE(pool.Request(1, kWorker1).end);
  EXPECT_THAT(pool.TakeTasksToEnd(), ElementsAre(0, 2));
  EXPECT_THAT(pool.TakeTasksToEnd(), IsEmpty());
}

TEST(SplitPoolTest, ResumeLeavesOutWhatHasEndedAndBeginsWithWhatWasBegun) {
  v1::SplitPosition ended;
  ended.set_split_id(0);
  ended.set_ended(true);
  v1::SplitPosition begun;
  begun.set_split_id(2);
  begun.set_offset(77);
  const ScanSplits left = ResumeSplits(Splits(4), {ended, begun});
  EXPECT_THAT(Ids(left.splits), ElementsAre(2, 1, 3));
  EXPECT_EQ(left.splits[0].resume().offset(), 77);
  EXPECT_FALSE(left.splits[1].has_resume());
}

TEST(SplitPoolTest, TasksWithSplitsShareTheRate) {
  SplitPool pool(Splits(3), 4);
  EXPECT_EQ(pool.news().active_tasks, 3U);
  for (uint32_t task = 0; task < 4; ++task) pool.Request(task, kWorker1);
  EXPECT_EQ(pool.news().active_tasks, 3U);
  pool.Request(1, kWorker1);
  EXPECT_EQ(pool.news().active_tasks, 2U);
  pool.Request(0, kWorker1);
  pool.Request(2, kWorker1);
  EXPECT_EQ(pool.news().active_tasks, 1U);
}

TEST(SplitPoolTest, UnassignedSplitsTellTheirLeastTime) {
  ScanSplits splits = Splits(3, SplitOrder::kEventTime);
  splits.splits[0].set_min_time_micros(10);
  splits.splits[2].set_min_time_micros(-5);
  SplitPool pool(std::move(splits), 2);
  EXPECT_EQ(pool.news().unassigned_min_time_micros, std::nullopt);
  pool.Request(0, kWorker1);
  EXPECT_EQ(pool.news().unassigned_min_time_micros, std::nullopt);
  pool.Request(1, kWorker1);
  EXPECT_EQ(pool.news().unassigned_min_time_micros, -5);
}

std::vector<v1::Split> FilesNamed(const std::vector<std::string>& paths) {
  std::vector<v1::Split> splits;
  for (const std::string& path : paths) {
    splits.emplace_back().mutable_file()->set_path(path);
    splits.back().set_id(splits.size() - 1);
    splits.back().mutable_file()->set_follow(true);
  }
  return splits;
}

TEST(SplitPoolTest, FollowedScansHaveNoEndAndTakeNewFilesOnce) {
  ScanSplits splits;
  splits.follows = true;
  splits.splits = FilesNamed({"a"});
  SplitPool pool(std::move(splits), 2);
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(0));
  EXPECT_FALSE(pool.Request(0, kWorker1).end);
  EXPECT_FALSE(pool.Request(1, kWorker2).end);
  EXPECT_THAT(pool.TakeWaiting(), IsEmpty());
  pool.Add(FilesNamed({"a", "b", "b"}));
  EXPECT_EQ(pool.num_unassigned(), 1U);
  EXPECT_THAT(pool.TakeWaiting(), ElementsAre(std::pair(0U, kWorker1), std::pair(1U, kWorker2)));
  EXPECT_THAT(Ids(pool.Request(1, kWorker2).splits), ElementsAre(1));
}

TEST(SplitPoolTest, OneTaskFollowsFilesWithAnEventTime) {
  ScanSplits splits;
  splits.follows = true;
  splits.order = SplitOrder::kEventTime;
  splits.splits = FilesNamed({"a", "b"});
  SplitPool pool(std::move(splits), 2);
  EXPECT_TRUE(pool.Request(1, kWorker2).end);
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(0));
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(1));
  EXPECT_THAT(pool.TakeTasksToEnd(), IsEmpty());
  EXPECT_EQ(pool.news().unassigned_min_time_micros, INT64_MAX);
}

TEST(SplitPoolTest, ResumeKnowsTheFilesThatAppearedSinceTheStart) {
  ScanSplits splits;
  splits.follows = true;
  splits.splits = FilesNamed({"a"});
  std::vector<v1::SplitPosition> positions(3);
  for (size_t i = 0; i < positions.size(); ++i) positions[i].set_split_id(i);
  positions[0].set_path("a");
  positions[0].set_ended(true);
  positions[1].set_path("b");
  positions[1].set_offset(7);
  positions[1].set_head_bytes(7);
  positions[2].set_path("c.parquet");
  positions[2].set_ended(true);
  splits = ResumeSplits(std::move(splits), positions);
  ASSERT_EQ(splits.splits.size(), 1U);
  EXPECT_TRUE(splits.splits[0].file().follow());
  EXPECT_EQ(splits.splits[0].resume().offset(), 7U);
  SplitPool pool(std::move(splits), 1);
  pool.Add(FilesNamed({"a", "b", "c.parquet", "d"}));
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(1));
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(3));
}

ScanSplits Partitions(int32_t count, bool follows) {
  ScanSplits splits = Splits(static_cast<size_t>(count), SplitOrder::kPartitions);
  splits.follows = follows;
  for (int32_t i = 0; i < count; ++i) {
    splits.splits[static_cast<size_t>(i)].mutable_kafka()->set_topic("clicks");
    splits.splits[static_cast<size_t>(i)].mutable_kafka()->set_partition(i);
  }
  return splits;
}

TEST(SplitPoolTest, PartitionsAreSharedOutEvenlyAtOnce) {
  SplitPool pool(Partitions(5, true), 3);
  EXPECT_FALSE(pool.news().unassigned_min_time_micros.has_value());
  EXPECT_THAT(Ids(pool.Request(1, kWorker2).splits), ElementsAre(1, 4));
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(0, 3));
  const auto last = pool.Request(2, kWorker1);
  EXPECT_THAT(Ids(last.splits), ElementsAre(2));
  EXPECT_FALSE(last.end);
  EXPECT_EQ(pool.news().unassigned_min_time_micros, INT64_MAX);
  EXPECT_EQ(pool.news().active_tasks, 3);
  EXPECT_THAT(pool.Request(1, kWorker2).splits, IsEmpty());
}

TEST(SplitPoolTest, TasksWithoutPartitionsEndAndGetNoneThatAppear) {
  SplitPool pool(Partitions(1, true), 2);
  EXPECT_TRUE(pool.Request(1, kWorker2).end);
  EXPECT_FALSE(pool.Request(0, kWorker1).end);
  const std::vector<v1::Split> all = Partitions(3, true).splits;
  pool.Add(all);
  EXPECT_THAT(pool.TasksToGive(), ElementsAre(0));
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(1, 2));
  pool.Add(all);
  EXPECT_THAT(pool.TasksToGive(), IsEmpty());
}

TEST(SplitPoolTest, ATaskThatHasNotAskedYetGetsNothingUnasked) {
  SplitPool pool(Partitions(1, true), 1);
  pool.Add(Partitions(2, true).splits);
  EXPECT_THAT(pool.TasksToGive(), IsEmpty());
  EXPECT_THAT(Ids(pool.Request(0, kWorker1).splits), ElementsAre(0, 1));
}

TEST(SplitPoolTest, PartitionsWithAnEndEndTheirTasks) {
  SplitPool pool(Partitions(2, false), 2);
  EXPECT_TRUE(pool.Request(0, kWorker1).end);
  EXPECT_TRUE(pool.Request(1, kWorker1).end);
}

TEST(ResumeSplitsTest, PartitionsThatHadAppearedGoOnAtTheirOffset) {
  v1::SplitPosition appeared;
  appeared.set_split_id(7);
  appeared.set_path("clicks/2");
  appeared.set_offset(31);
  const ScanSplits resumed = ResumeSplits(Partitions(2, true), {appeared});
  ASSERT_EQ(resumed.splits.size(), 3);
  EXPECT_EQ(resumed.splits[0].id(), 7);
  EXPECT_EQ(resumed.splits[0].kafka().partition(), 2);
  EXPECT_EQ(resumed.splits[0].resume().offset(), 31);
  EXPECT_EQ(resumed.next_id, 8);
}

TEST(SplitPoolTest, HeldScanGetsNothingAndNoEnd) {
  ScanSplits splits;
  splits.order = SplitOrder::kEventTime;
  splits.held = true;
  SplitPool pool(splits, 2);
  const SplitPool::Answer answer = pool.Request(0, WorkerId(1));
  EXPECT_TRUE(answer.splits.empty());
  EXPECT_FALSE(answer.end);
  EXPECT_TRUE(pool.TakeTasksToEnd().empty());
  EXPECT_FALSE(pool.news().unassigned_min_time_micros.has_value());
}

}  // namespace
}  // namespace millrace
