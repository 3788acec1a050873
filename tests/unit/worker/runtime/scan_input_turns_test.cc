#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "millrace/v1/control.pb.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"
#include "worker/runtime/scan_input.h"

// Scans of several partitions that have no end.

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kLookMicros = 5'000;
constexpr int64_t kIdleMicros = 30'000'000;

// Partitions that the test fills; each Poll gives one batch.
class PartitionSource final : public Source {
 public:
  explicit PartitionSource(std::vector<std::deque<Batch>>* partitions) : partitions_(*partitions) {}

  absl::Status Open(const v1::Split& split) override {
    position_ = split.resume();
    position_.set_split_id(split.id());
    return absl::OkStatus();
  }
  absl::StatusOr<PollResult> Poll(const PollBudget&, Batch* batch) override {
    *batch = Batch();
    std::deque<Batch>& partition = partitions_.at(position_.split_id());
    if (partition.empty()) return PollResult::kIdle;
    *batch = std::move(partition.front());
    partition.pop_front();
    position_.set_rows(position_.rows() + static_cast<uint64_t>(batch->num_rows()));
    return PollResult::kRows;
  }
  v1::SplitPosition Position() const override { return position_; }
  FollowPolicy follow_policy() const override { return {kLookMicros, kIdleMicros}; }
  bool caught_up() const override { return reachable; }
  absl::string_view waiting_for() const override { return reachable ? "input" : "broker: gone"; }
  absl::Status Close() override { return absl::OkStatus(); }

  bool reachable = true;

 private:
  std::vector<std::deque<Batch>>& partitions_;
  v1::SplitPosition position_;
};

class ScanTurnsTest : public ::testing::Test {
 protected:
  // Two partitions, with times in microseconds.
  ScanTurnsTest() : partitions_(2) {
    ScanOptions options;
    options.streaming = true;
    options.num_columns = 1;
    options.time_column = 0;
    options.mailbox = mailbox_;
    options.requester = &requester_;
    options.timers = &timers_;
    options.clock = &clock_;
    auto source = std::make_unique<PartitionSource>(&partitions_);
    source_ = source.get();
    options.source = std::move(source);
    input_ = std::make_unique<ScanInput>(std::move(options));
    EXPECT_OK(input_->Open());
    v1::SplitAssignment assignment;
    for (const int id : {0, 1}) {
      assignment.add_splits()->set_id(static_cast<uint64_t>(id));
      assignment.mutable_splits(id)->mutable_kafka()->set_partition(id);
    }
    assignment.set_unassigned_min_time_micros(INT64_MAX);
    mailbox_->Assign(assignment);
  }

  void Fill(size_t partition, const char* times) {
    partitions_[partition].push_back(TextBatch(times, TextSchema("timestamp t")));
  }
  // Polls until there is nothing, while time goes on a little.
  std::vector<std::string> Drain() {
    std::vector<std::string> log = DrainInput(*input_);
    clock_.Advance(100'000);
    return log;
  }
  std::vector<std::string> DrainAfter(int64_t micros) {
    clock_.Advance(micros);
    return Drain();
  }

  // What the coordinator says to a scan that is idle.
  void Tell(int64_t idle_time_micros) {
    v1::SplitAssignment told;
    told.set_unassigned_min_time_micros(INT64_MAX);
    told.set_idle_time_micros(idle_time_micros);
    mailbox_->Assign(told);
  }

  std::vector<std::deque<Batch>> partitions_;
  ManualClock clock_;
  ManualTimers timers_;
  CountingRequester requester_;
  std::shared_ptr<ScanMailbox> mailbox_ = std::make_shared<ScanMailbox>();
  PartitionSource* source_ = nullptr;
  std::unique_ptr<ScanInput> input_;
};

TEST_F(ScanTurnsTest, PartitionsWithRowsTakeTurns) {
  for (const char* times : {"10", "20", "30"}) Fill(0, times);
  for (const char* times : {"11", "21"}) Fill(1, times);
  std::vector<std::string> batches;
  for (const std::string& entry : Drain()) {
    if (entry[0] == 'b') batches.push_back(entry);
  }
  EXPECT_THAT(batches, ElementsAre("b:10", "b:11", "b:20", "b:21", "b:30"));
}

TEST_F(ScanTurnsTest, TheWatermarkIsThatOfTheSlowestPartition) {
  Fill(0, "100");
  Fill(1, "40");
  Drain();
  EXPECT_THAT(DrainAfter(100'000), IsEmpty());
  Fill(1, "70");
  const auto log = DrainAfter(100'000);
  EXPECT_EQ(log.back(), "w:70");
}

TEST_F(ScanTurnsTest, AnIdlePartitionLetsGoAndComesBack) {
  Fill(0, "100");
  EXPECT_THAT(Drain(), testing::Not(testing::Contains("w:100")));
  // Partition 1 has never had anything.
  EXPECT_THAT(DrainAfter(kIdleMicros / 2), IsEmpty());
  Fill(0, "200");
  EXPECT_THAT(DrainAfter(kIdleMicros / 2), testing::Contains("w:200"));
  Fill(1, "250");
  Fill(0, "300");
  EXPECT_THAT(DrainAfter(100'000), testing::Contains("w:250"));
}

TEST_F(ScanTurnsTest, RowsOfAPartitionThatComesBackBehindTheOthersAreLateAndCounted) {
  Fill(1, "10");
  Fill(0, "100");
  Drain();
  DrainAfter(kIdleMicros);
  Fill(0, "200");
  EXPECT_THAT(DrainAfter(100'000), testing::Contains("w:200"));
  Fill(1, "150 | 210 | 199");
  EXPECT_THAT(DrainAfter(100'000), testing::Contains("b:210"));
  EXPECT_EQ(input_->dropped_rows().late, 2);
}

TEST_F(ScanTurnsTest, WhenAllAreIdleTheLargestCountsAndThenThatOfOtherTasks) {
  Fill(0, "100");
  Fill(1, "40");
  Drain();
  EXPECT_THAT(DrainAfter(2 * kIdleMicros), testing::Contains("w:100"));
  EXPECT_EQ(input_->waiting_for(), "idle");
  Tell(170);
  EXPECT_THAT(DrainAfter(100'000), testing::Contains("w:170"));
  // What others have does not hold back a task that goes on.
  Fill(0, "300");
  Fill(1, "310");
  EXPECT_THAT(DrainAfter(100'000), testing::Contains("w:300"));
}

TEST_F(ScanTurnsTest, PartitionsThatNeverHadARowGoOnWithOthers) {
  EXPECT_THAT(Drain(), IsEmpty());
  // Before they are idle it is not for them.
  Tell(170);
  EXPECT_THAT(DrainAfter(kIdleMicros / 2), IsEmpty());
  EXPECT_FALSE(input_->scan_time()->idle);
  EXPECT_THAT(DrainAfter(kIdleMicros), testing::Contains("w:170"));
  EXPECT_EQ(input_->waiting_for(), "idle");
  EXPECT_TRUE(input_->scan_time()->idle);
  EXPECT_EQ(input_->scan_time()->watermark_micros, 170);
  Fill(0, "169 | 200");
  EXPECT_THAT(DrainAfter(100'000), testing::Contains("b:200"));
  EXPECT_EQ(input_->dropped_rows().late, 1);
  EXPECT_FALSE(input_->scan_time()->idle);
}

TEST_F(ScanTurnsTest, FollowedFilesThatAreAllIdleGoOnWithOthers) {
  ScanMailbox::Content partitions;
  mailbox_->Take(&partitions);
  v1::SplitAssignment files;
  for (const int id : {0, 1}) {
    files.add_splits()->set_id(static_cast<uint64_t>(id));
    files.mutable_splits(id)->mutable_file()->set_follow(true);
  }
  files.set_unassigned_min_time_micros(INT64_MAX);
  mailbox_->Assign(files);
  Fill(0, "100");
  Fill(1, "40");
  Drain();
  EXPECT_THAT(DrainAfter(2 * kIdleMicros), testing::Not(testing::Contains("w:100")));
  EXPECT_TRUE(input_->scan_time()->idle);
  Tell(170);
  EXPECT_THAT(DrainAfter(100'000), testing::Contains("w:170"));
  // They hold back again when something comes.
  Fill(1, "160 | 180");
  EXPECT_THAT(DrainAfter(100'000), testing::Contains("w:180"));
  EXPECT_EQ(input_->dropped_rows().late, 1);
  Tell(500);
  EXPECT_THAT(DrainAfter(100'000), IsEmpty());
}

TEST_F(ScanTurnsTest, APartitionThatCannotBeReachedIsNotIdle) {
  Fill(0, "100");
  Drain();
  source_->reachable = false;
  for (int i = 0; i < 10; ++i) EXPECT_THAT(DrainAfter(kIdleMicros), IsEmpty());
  EXPECT_EQ(input_->waiting_for(), "broker: gone");
  source_->reachable = true;
  EXPECT_THAT(DrainAfter(1'000'000), IsEmpty());
  EXPECT_EQ(input_->waiting_for(), "input");
  Fill(0, "101");
  EXPECT_THAT(DrainAfter(kIdleMicros), testing::Contains("w:101"));
}

TEST_F(ScanTurnsTest, APartitionThatNobodyLooksAtIsNotIdle) {
  Fill(0, "100");
  Fill(1, "100");
  Drain();
  // The task stands still for long, and meanwhile rows come in.
  clock_.Advance(10 * kIdleMicros);
  Fill(0, "900");
  Fill(1, "500");
  EXPECT_EQ(Drain().back(), "w:500");
}

}  // namespace
}  // namespace millrace
