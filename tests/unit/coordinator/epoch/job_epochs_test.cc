#include "coordinator/epoch/job_epochs.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Fragment 0: two source tasks. Fragment 1: two sink tasks.
class JobEpochsTest : public ::testing::Test {
 protected:
  JobEpochsTest() : JobEpochsTest(PublishedEpoch()) {}
  explicit JobEpochsTest(PublishedEpoch restored) : epochs_(Tasks(), std::move(restored)) {}

  static JobEpochs::Tasks Tasks() {
    JobEpochs::Tasks tasks;
    tasks.all = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    tasks.sources = {{0, 0}, {0, 1}};
    tasks.sinks = {{1, 0}, {1, 1}};
    return tasks;
  }

  static v1::EpochAck Ack(uint64_t epoch, TaskKey task) {
    v1::EpochAck ack;
    ack.set_epoch(epoch);
    ack.set_fragment(task.fragment);
    ack.set_task_index(task.task_index);
    return ack;
  }

  static v1::EpochAck SourceAck(uint64_t epoch, uint32_t task, uint64_t rows, bool ended = false) {
    v1::EpochAck ack = Ack(epoch, {0, task});
    ack.set_ended(ended);
    v1::ScanPositions* scan = ack.add_scans();
    scan->set_scan_id(7);
    v1::SplitPosition* position = scan->add_positions();
    position->set_split_id(task);
    position->set_rows(rows);
    return ack;
  }

  std::vector<uint64_t> Send(const v1::EpochAck& ack) {
    std::vector<uint64_t> published;
    for (const auto& epoch : epochs_.Acknowledge(ack)) published.push_back(epoch.epoch);
    return published;
  }

  // Acknowledges the epoch by all tasks but the last one, then by that one.
  std::vector<uint64_t> AckAll(uint64_t epoch, uint64_t rows = 0, bool ended = false) {
    Send(SourceAck(epoch, 0, rows, ended));
    Send(SourceAck(epoch, 1, rows, ended));
    Send(Ack(epoch, {1, 0}));
    return Send(Ack(epoch, {1, 1}));
  }

  void Run(uint64_t epoch, uint64_t rows = 0) {
    epochs_.Start(epoch, EpochKind::kPlain);
    EXPECT_THAT(AckAll(epoch, rows), ElementsAre(epoch));
  }

  JobEpochs epochs_;
};

TEST_F(JobEpochsTest, PublishesOnlyAfterEveryTask) {
  epochs_.Start(5, EpochKind::kPlain);
  EXPECT_THAT(Send(Ack(5, {0, 0})), IsEmpty());
  EXPECT_THAT(Send(Ack(5, {0, 1})), IsEmpty());
  EXPECT_THAT(Send(Ack(5, {1, 0})), IsEmpty());
  EXPECT_EQ(epochs_.newest_published(), 0);
  EXPECT_THAT(epochs_.Awaited(), ElementsAre(TaskKey{1, 1}));
  EXPECT_THAT(Send(Ack(5, {1, 1})), ElementsAre(5));
  EXPECT_EQ(epochs_.newest_published(), 5);
}

TEST_F(JobEpochsTest, RepeatedAndStrangeAcknowledgementsDoNotCount) {
  epochs_.Start(5, EpochKind::kPlain);
  for (int i = 0; i < 4; ++i) EXPECT_THAT(Send(Ack(5, {0, 0})), IsEmpty());
  EXPECT_THAT(Send(Ack(4, {0, 1})), IsEmpty());
  EXPECT_THAT(Send(Ack(5, {9, 9})), IsEmpty());
  EXPECT_EQ(epochs_.Awaited().size(), 3);
}

TEST_F(JobEpochsTest, AtMostTwoEpochsAreInFlight) {
  epochs_.Start(1, EpochKind::kPlain);
  EXPECT_TRUE(epochs_.CanStart());
  epochs_.Start(2, EpochKind::kPlain);
  EXPECT_FALSE(epochs_.CanStart());
  AckAll(1);
  EXPECT_TRUE(epochs_.CanStart());
}

TEST_F(JobEpochsTest, EpochsArePublishedInOrder) {
  epochs_.Start(1, EpochKind::kPlain);
  epochs_.Start(2, EpochKind::kPlain);
  EXPECT_THAT(AckAll(2, 20), IsEmpty());
  EXPECT_THAT(AckAll(1, 10), ElementsAre(1, 2));
  EXPECT_EQ(RowsRead(epochs_.published()[0].positions), 20);
  EXPECT_EQ(RowsRead(epochs_.published()[1].positions), 40);
}

TEST_F(JobEpochsTest, FinalEpochIsTheLast) {
  epochs_.Start(1, EpochKind::kFinal);
  EXPECT_FALSE(epochs_.CanStart());
  AckAll(1);
  EXPECT_FALSE(epochs_.CanStart());
}

TEST_F(JobEpochsTest, SourcesHaveEndedWhenAllSayItAtTheSameEpoch) {
  epochs_.Start(1, EpochKind::kPlain);
  Send(SourceAck(1, 0, 5, true));
  Send(SourceAck(1, 1, 5, false));
  Send(Ack(1, {1, 0}));
  Send(Ack(1, {1, 1}));
  EXPECT_FALSE(epochs_.sources_ended());
  epochs_.Start(2, EpochKind::kPlain);
  AckAll(2, 5, true);
  EXPECT_TRUE(epochs_.sources_ended());
}

TEST_F(JobEpochsTest, PositionsOfSplitsThatAreNotReportedAgainAreKept) {
  Run(1, 10);
  epochs_.Start(2, EpochKind::kPlain);
  Send(SourceAck(2, 0, 15));
  for (TaskKey task : {TaskKey{0, 1}, TaskKey{1, 0}, TaskKey{1, 1}}) Send(Ack(2, task));
  EXPECT_EQ(RowsRead(epochs_.At(2)->positions), 25);
  EXPECT_EQ(RowsRead(epochs_.At(1)->positions), 20);
}

TEST_F(JobEpochsTest, KeepsFourEpochsAndMoreOnlyWhereAReaderNeedsThem) {
  for (uint64_t epoch = 1; epoch <= 10; ++epoch) Run(epoch);
  epochs_.Retain(3);
  EXPECT_EQ(epochs_.oldest_readable(), 3);
  epochs_.Retain(UINT64_MAX);
  EXPECT_EQ(epochs_.oldest_readable(), 7);
  EXPECT_EQ(epochs_.At(6), nullptr);
  EXPECT_EQ(epochs_.At(99)->epoch, 10);
}

TEST_F(JobEpochsTest, RetentionHasABound) {
  for (uint64_t epoch = 1; epoch <= 100; ++epoch) Run(epoch);
  epochs_.Retain(0);
  EXPECT_EQ(epochs_.published().size(), JobEpochs::kKeptMax);
}

TEST_F(JobEpochsTest, SkippedEpochsCountAsCompleteWhileNothingIsInFlight) {
  epochs_.Skip(1);
  EXPECT_EQ(epochs_.complete_through(), 0);
  Run(2);
  epochs_.Skip(8);
  EXPECT_EQ(epochs_.complete_through(), 8);
  epochs_.Start(9, EpochKind::kPlain);
  epochs_.Skip(10);
  EXPECT_EQ(epochs_.complete_through(), 8);
}

TEST_F(JobEpochsTest, QuietEpochsAreNoticed) {
  Run(1, 10);
  EXPECT_TRUE(epochs_.newest_had_input());
  Run(2, 10);
  EXPECT_FALSE(epochs_.newest_had_input());
  Run(3, 11);
  EXPECT_TRUE(epochs_.newest_had_input());
}

TEST_F(JobEpochsTest, WatermarkIsTheLeastOfTheSinksAndNeedsAllOfThem) {
  const auto with_watermark = [](v1::EpochAck ack, int64_t micros) {
    ack.set_has_watermark(true);
    ack.set_watermark_micros(micros);
    return ack;
  };
  epochs_.Start(1, EpochKind::kPlain);
  Send(with_watermark(Ack(1, {0, 0}), 5));
  Send(Ack(1, {0, 1}));
  Send(with_watermark(Ack(1, {1, 0}), 30));
  Send(with_watermark(Ack(1, {1, 1}), 20));
  EXPECT_EQ(epochs_.At(1)->watermark_micros, 20);
  epochs_.Start(2, EpochKind::kPlain);
  for (TaskKey task : {TaskKey{0, 0}, TaskKey{0, 1}, TaskKey{1, 0}}) {
    Send(with_watermark(Ack(2, task), 40));
  }
  Send(Ack(2, {1, 1}));
  EXPECT_FALSE(epochs_.At(2)->watermark_micros.has_value());
}

TEST(JobEpochsRestoreTest, PositionsOfTheCheckpointAreTheBeginning) {
  PublishedEpoch restored;
  restored.epoch = 40;
  restored.positions[{7, 0}].set_rows(100);
  JobEpochs::Tasks tasks;
  tasks.all = {{0, 0}};
  tasks.sources = {{0, 0}};
  tasks.sinks = {{0, 0}};
  JobEpochs epochs(tasks, restored);
  EXPECT_EQ(epochs.newest_published(), 0);
  epochs.Start(41, EpochKind::kPlain);
  v1::EpochAck ack;
  ack.set_epoch(41);
  ASSERT_EQ(epochs.Acknowledge(ack).size(), 1);
  EXPECT_EQ(RowsRead(epochs.At(41)->positions), 100);
}

}  // namespace
}  // namespace millrace
