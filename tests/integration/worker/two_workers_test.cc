#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/worker/datagen_plans.h"
#include "tests/integration/worker/worker_cluster.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(TwoWorkersTest, CountsOverAHashExchange) {
  WorkerCluster cluster;
  cluster.SetSplits(1, DatagenSplits(10, 20'000));
  ASSERT_OK(cluster.Run(TwoFragments(100, true)));
  auto first = cluster.FetchRows(1, 0);
  auto second = cluster.FetchRows(1, 1);
  ASSERT_OK(first);
  ASSERT_OK(second);
  // Every key is in one task only.
  EXPECT_EQ(first->size() + second->size(), 100);
  EXPECT_EQ(SumOfCounts(*first) + SumOfCounts(*second), 200'000);
  const auto ended = cluster.WaitForEndedTasks(6);
  ASSERT_THAT(ended, SizeIs(6));
  uint64_t remote_bytes = 0;
  for (const v1::TaskUpdate& task : ended) {
    EXPECT_EQ(task.progress().state(), v1::TASK_STATE_FINISHED);
    remote_bytes += task.progress().remote_bytes_out();
  }
  EXPECT_GT(remote_bytes, 1'000'000);
}

TEST(TwoWorkersTest, SlowReaderStopsTheSources) {
  WorkerCluster cluster;
  constexpr uint64_t kRows = 8'000'000;
  cluster.SetSplits(1, DatagenSplits(40, kRows / 40));
  ASSERT_OK(cluster.Run(TwoFragments(1000, false)));
  // Nobody reads the results: the queues fill up, one after the other, then everything stands
  // still.
  uint64_t rows_read = 0;
  cluster.WaitUntil([&] {
    int standing_still = 0;
    rows_read = 0;
    for (const uint32_t id : {1, 2}) {
      for (const auto& task : cluster.TasksOf(id)) {
        standing_still += task.waiting_for() == "output";
        if (task.fragment() == 0) rows_read += task.rows_in();
      }
    }
    return standing_still == 6;
  });
  EXPECT_LT(rows_read, kRows / 2);
  std::thread other([&] { EXPECT_TRUE(cluster.FetchRows(1, 1).ok()); });
  auto rows = cluster.FetchRows(1, 0);
  other.join();
  ASSERT_OK(rows);
  EXPECT_GT(rows->size(), kRows / 4);
}

TEST(TwoWorkersTest, LimitStopsTheSources) {
  WorkerCluster cluster;
  constexpr uint64_t kRows = 40'000'000;
  cluster.SetSplits(1, DatagenSplits(4000, kRows / 4000));
  v1::PhysicalPlan plan = TwoFragments(1000, false);
  v1::Fragment& root = *plan.mutable_fragments(1);
  const v1::PlanNode exchange = root.root();
  v1::PlanNode& limit = *root.mutable_root();
  limit.clear_exchange();
  limit.set_id(50);
  limit.mutable_limit()->set_limit(10);
  *limit.add_inputs() = exchange;
  ASSERT_OK(cluster.Run(plan));
  auto first = cluster.FetchRows(1, 0);
  auto second = cluster.FetchRows(1, 1);
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_THAT(*first, SizeIs(10));
  EXPECT_THAT(*second, SizeIs(10));
  uint64_t rows_read = 0;
  for (const v1::TaskUpdate& task : cluster.WaitForEndedTasks(6)) {
    EXPECT_EQ(task.progress().state(), v1::TASK_STATE_FINISHED);
    if (task.progress().fragment() == 0) rows_read += task.progress().rows_in();
  }
  EXPECT_LT(rows_read, kRows / 2);
}

TEST(TwoWorkersTest, SourceEndsWhenItsConsumerWentBeforeTheFirstRow) {
  WorkerCluster cluster;
  v1::PhysicalPlan plan = TwoFragments(1000, false);
  plan.mutable_fragments(0)->set_parallelism(1);
  v1::Fragment& root = *plan.mutable_fragments(1);
  const v1::PlanNode exchange = root.root();
  v1::PlanNode& limit = *root.mutable_root();
  limit.clear_exchange();
  limit.set_id(50);
  limit.mutable_limit()->set_limit(0);
  *limit.add_inputs() = exchange;
  ASSERT_OK(cluster.Run(plan));
  // The roots want nothing. Worker 2 has only a root, so it has forgotten the attempt before the
  // source on worker 1 has its first split.
  EXPECT_OK(cluster.FetchRows(1, 1));
  EXPECT_OK(cluster.FetchRows(1, 0));
  cluster.WaitUntil([&] { return cluster.TasksOf(2).empty(); });
  cluster.SetSplits(1, DatagenSplits(4000, 10'000));
  EXPECT_THAT(cluster.WaitForEndedTasks(3), SizeIs(3));
}

TEST(TwoWorkersTest, CancelsWithinASecond) {
  WorkerCluster cluster;
  cluster.SetSplits(1, DatagenSplits(1000, 10'000'000));
  ASSERT_OK(cluster.Run(TwoFragments(1000, true)));
  cluster.WaitFor(v1::WorkerMessage::kSplitRequest, 4);
  const auto begin = std::chrono::steady_clock::now();
  cluster.Cancel(1);
  EXPECT_THAT(cluster.WaitFor(v1::WorkerMessage::kCancelled, 2), SizeIs(2));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  for (const v1::TaskUpdate& task : cluster.WaitForEndedTasks(6)) {
    EXPECT_EQ(task.progress().state(), v1::TASK_STATE_CANCELLED);
  }
  EXPECT_THAT(cluster.TasksOf(1), IsEmpty());
}

TEST(TwoWorkersTest, ErrorOfATaskReachesTheReaderAndTheCoordinator) {
  WorkerCluster cluster;
  cluster.SetSplits(1, DatagenSplits(4, 1000));
  // A file's split makes the datagen scan fail.
  std::vector<v1::Split> splits = DatagenSplits(3, 1000);
  splits.emplace_back().mutable_file()->set_path("a.csv");
  splits.back().set_id(3);
  cluster.SetSplits(1, splits);
  ASSERT_OK(cluster.Run(TwoFragments(10, true)));
  // One source fails; the roots never see its end, and wait until the attempt is cancelled.
  size_t failed = 0;
  for (const auto& message : cluster.WaitFor(v1::WorkerMessage::kTaskUpdate, 6 + 4)) {
    failed += message.task_update().progress().state() == v1::TASK_STATE_FAILED;
  }
  EXPECT_EQ(failed, 1);
  cluster.Cancel(1);
  EXPECT_THAT(cluster.WaitFor(v1::WorkerMessage::kCancelled, 2), SizeIs(2));
  EXPECT_ERROR(cluster.FetchRows(1, 0), SqlState::kObjectNotInPrerequisiteState, "no result");
}

TEST(TwoWorkersTest, LostWorkerFailsTheTasksThatNeedIt) {
  WorkerCluster cluster;
  cluster.SetSplits(1, DatagenSplits(1000, 10'000'000));
  ASSERT_OK(cluster.Run(TwoFragments(1000, true)));
  cluster.WaitFor(v1::WorkerMessage::kSplitRequest, 4);
  cluster.WaitUntil([&] {
    for (const auto& task : cluster.TasksOf(1)) {
      // A worker that has never sent anything is missed by the coordinator only.
      if (task.fragment() == 1 && task.remote_bytes_in() > 100'000) return true;
    }
    return false;
  });
  cluster.StopWorker(2);
  // On worker 1: two sources that send to worker 2, one root that receives from there.
  std::vector<v1::TaskUpdate> failed;
  cluster.WaitUntil([&] {
    failed.clear();
    for (const auto& message : cluster.WaitFor(v1::WorkerMessage::kTaskUpdate, 6)) {
      const v1::TaskUpdate& update = message.task_update();
      if (update.progress().state() == v1::TASK_STATE_FAILED) failed.push_back(update);
    }
    return failed.size() == 3;
  });
  std::string still_running;
  for (const auto& task : cluster.TasksOf(1)) still_running += task.ShortDebugString() + "\n";
  ASSERT_THAT(failed, SizeIs(3)) << still_running;
  for (const v1::TaskUpdate& task : failed) {
    EXPECT_EQ(task.error().detail().sqlstate(), "08006") << task.error().message();
    EXPECT_THAT(task.error().message(), ::testing::HasSubstr("worker 2"));
  }
}

TEST(TwoWorkersTest, AttemptsDoNotMix) {
  WorkerCluster cluster;
  cluster.SetSplits(1, DatagenSplits(1000, 10'000'000));
  ASSERT_OK(cluster.Run(TwoFragments(1000, true), 1));
  cluster.WaitFor(v1::WorkerMessage::kSplitRequest, 4);
  cluster.Cancel(1);
  cluster.WaitFor(v1::WorkerMessage::kCancelled, 2);
  cluster.SetSplits(1, DatagenSplits(4, 1000));
  ASSERT_OK(cluster.Run(TwoFragments(10, true), 2));
  auto first = cluster.FetchRows(1, 0, 2);
  auto second = cluster.FetchRows(1, 1, 2);
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_EQ(SumOfCounts(*first) + SumOfCounts(*second), 4000);
}

TEST(TwoWorkersTest, PlanThatCannotBeBuiltIsReported) {
  WorkerCluster cluster;
  v1::PhysicalPlan plan = TwoFragments(10, true);
  plan.mutable_fragments(0)->mutable_root()->mutable_scan()->set_connector("nothing");
  EXPECT_FALSE(cluster.Run(plan).ok());
  EXPECT_THAT(cluster.TasksOf(1), IsEmpty());
}

}  // namespace
}  // namespace millrace
