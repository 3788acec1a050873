#include "coordinator/job/scan_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Read = ScanTurns::Read;

constexpr RestartPolicy::ReadLimit kBatches{100, false};
constexpr RestartPolicy::ReadLimit kTurns{1, true};

// Task `task` of scan 4 reads `split` next, or has none open.
v1::EpochAck Ack(uint32_t task, std::optional<uint64_t> split, uint64_t rows = 0) {
  v1::EpochAck ack;
  ack.set_task_index(task);
  v1::ScanPositions* open = ack.add_scans();
  open->set_scan_id(4);
  if (split.has_value()) {
    open->add_positions()->set_split_id(*split);
    open->mutable_positions(0)->set_rows(rows);
  }
  v1::ScanPositions* others = ack.add_scans();
  others->set_scan_id(4);
  others->add_positions()->set_split_id(99);
  return ack;
}

std::vector<SplitKey> Reading(const ScanTurns& turns) {
  std::vector<SplitKey> keys;
  for (const auto& [key, position] : turns.reading()) keys.push_back(key);
  return keys;
}

// The first epoch, after which the tasks say what they read next.
void BeginWith(ScanTurns& turns, const RestartPolicy::ReadLimit& limit,
               const std::vector<v1::EpochAck>& acks) {
  EXPECT_FALSE(turns.reads_next(limit));
  const v1::ScanAllowance first = turns.Begin(limit, Read::kRows);
  EXPECT_EQ(first.rows_max(), 0);
  EXPECT_THAT(turns.reading(), IsEmpty());
  for (const v1::EpochAck& ack : acks) turns.OnAck(ack);
  turns.OnPublished(0);
}

TEST(ScanTurnsTest, AllTasksReadUntilTheirRowsAreDurable) {
  ScanTurns turns({}, 0);
  BeginWith(turns, kBatches, {Ack(0, 7), Ack(1, 8)});
  EXPECT_TRUE(turns.next_at_once(kBatches));
  const v1::ScanAllowance allowance = turns.Begin(kBatches, Read::kRows);
  EXPECT_EQ(allowance.rows_max(), 100);
  EXPECT_FALSE(allowance.has_only());
  EXPECT_THAT(Reading(turns), ElementsAre(SplitKey{4, 7}, SplitKey{4, 8}));
  turns.OnPublished(130);
  EXPECT_THAT(Reading(turns), ElementsAre(SplitKey{4, 7}, SplitKey{4, 8}));
  EXPECT_EQ(turns.Begin(kBatches, Read::kNothing).rows_max(), 0);
  EXPECT_THAT(Reading(turns), ElementsAre(SplitKey{4, 7}, SplitKey{4, 8}));
  turns.OnDurable();
  EXPECT_THAT(turns.reading(), IsEmpty());
}

TEST(ScanTurnsTest, NextEpochWaitsOnceThereIsLessThanAllowed) {
  ScanTurns turns({}, 0);
  BeginWith(turns, kBatches, {Ack(0, 7)});
  turns.Begin(kBatches, Read::kRows);
  turns.OnPublished(100);
  EXPECT_TRUE(turns.next_at_once(kBatches));
  turns.Begin(kBatches, Read::kRows);
  turns.OnPublished(199);
  EXPECT_FALSE(turns.next_at_once(kBatches));
  EXPECT_TRUE(turns.has_input());
  turns.Begin(kBatches, Read::kRows);
  turns.OnPublished(199);
  EXPECT_FALSE(turns.has_input());
  // It has read nothing.
  EXPECT_THAT(turns.reading(), IsEmpty());
}

TEST(ScanTurnsTest, TasksTakeTurnsAndTheOneThatReadsIsKnown) {
  ScanTurns turns({}, 0);
  BeginWith(turns, kTurns, {Ack(0, 7, 20), Ack(1, 8, 30), Ack(2, std::nullopt)});
  uint64_t rows = 0;
  std::vector<uint32_t> tasks;
  for (int i = 0; i < 4; ++i) {
    const v1::ScanAllowance allowance = turns.Begin(kTurns, Read::kRows);
    EXPECT_EQ(allowance.rows_max(), 1);
    ASSERT_TRUE(allowance.has_only());
    EXPECT_EQ(allowance.only().scan_id(), 4);
    tasks.push_back(allowance.only().task_index());
    ASSERT_EQ(turns.reading().size(), 1);
    const auto& [key, position] = *turns.reading().begin();
    EXPECT_EQ(key.second, tasks.back() == 0 ? 7 : 8);
    EXPECT_EQ(position.rows(), (tasks.back() == 0 ? 20 : 30) + i / 2);
    turns.OnAck(Ack(0, 7, 20 + (i + 2) / 2));
    turns.OnAck(Ack(1, 8, 30 + (i + 1) / 2));
    turns.OnPublished(++rows);
    turns.OnDurable();
  }
  EXPECT_THAT(tasks, ElementsAre(0, 1, 0, 1));
}

TEST(ScanTurnsTest, SuspectsComeFirstAndAreAwaited) {
  ScanTurns turns({{4, 8}}, 0);
  BeginWith(turns, kTurns, {Ack(0, 7)});
  EXPECT_FALSE(turns.next_at_once(kTurns));
  EXPECT_EQ(turns.Begin(kTurns, Read::kRows).rows_max(), 0);
  turns.OnAck(Ack(1, 8));
  turns.OnPublished(0);
  EXPECT_TRUE(turns.next_at_once(kTurns));
  EXPECT_EQ(turns.Begin(kTurns, Read::kRows).only().task_index(), 1);
  turns.OnPublished(1);
  EXPECT_EQ(turns.Begin(kTurns, Read::kRows).only().task_index(), 0);
}

TEST(ScanTurnsTest, SuspectThatNobodyReadsIsNotAwaitedForEver) {
  ScanTurns turns({{4, 8}}, 0);
  BeginWith(turns, kTurns, {Ack(0, 7)});
  int epochs = 0;
  while (turns.Begin(kTurns, Read::kRows).rows_max() == 0) {
    turns.OnPublished(0);
    ASSERT_LE(++epochs, ScanTurns::kAwaitEpochsMax);
  }
  EXPECT_THAT(Reading(turns), ElementsAre(SplitKey{4, 7}));
}

TEST(ScanTurnsTest, ATaskBetweenTwoSplitsSaysFirstWhatItReads) {
  ScanTurns turns({}, 0);
  BeginWith(turns, kTurns, {Ack(0, 7)});
  turns.Begin(kTurns, Read::kRows);
  turns.OnAck(Ack(0, std::nullopt));
  turns.OnPublished(1);
  EXPECT_EQ(turns.Begin(kTurns, Read::kRows).rows_max(), 0);
  turns.OnAck(Ack(0, 9));
  turns.OnPublished(1);
  turns.Begin(kTurns, Read::kRows);
  EXPECT_THAT(Reading(turns), ElementsAre(SplitKey{4, 9}));
}

TEST(ScanTurnsTest, ARoundWithoutRowsIsFollowedByAPause) {
  ScanTurns turns({}, 0);
  BeginWith(turns, kTurns, {Ack(0, 7), Ack(1, 8)});
  turns.Begin(kTurns, Read::kRows);
  turns.OnPublished(0);
  EXPECT_TRUE(turns.next_at_once(kTurns));
  turns.Begin(kTurns, Read::kRows);
  turns.OnPublished(0);
  EXPECT_FALSE(turns.next_at_once(kTurns));
}

TEST(ScanTurnsTest, RowsOfTablesLeaveNoSplitAlone) {
  ScanTurns turns({}, 0);
  BeginWith(turns, kTurns, {Ack(0, 7)});
  turns.Begin(kTurns, Read::kRows);
  turns.OnOtherRows();
  EXPECT_THAT(turns.reading(), IsEmpty());
}

}  // namespace
}  // namespace millrace
