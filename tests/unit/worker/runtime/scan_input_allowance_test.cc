#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/expr/function_registry.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"
#include "worker/runtime/scan_input.h"

// Scans that read what the next barrier allows.

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Split i has the rows 100 i, 100 i + 1, … up to its size, in batches as large as they may be.
class NumberSource final : public Source {
 public:
  explicit NumberSource(std::vector<uint64_t> sizes) : sizes_(std::move(sizes)) {}

  absl::Status Open(const v1::Split& split) override {
    position_ = split.resume();
    position_.set_split_id(split.id());
    follows_ = split.has_kafka();
    return absl::OkStatus();
  }
  absl::StatusOr<PollResult> Poll(const PollBudget& budget, Batch* batch) override {
    *batch = Batch();
    const uint64_t left = sizes_.at(position_.split_id()) - position_.rows();
    if (left == 0) return follows_ ? PollResult::kIdle : PollResult::kEnd;
    std::string text;
    for (uint64_t i = 0; i < std::min(left, static_cast<uint64_t>(budget.rows_max)); ++i) {
      absl::StrAppend(&text, text.empty() ? "" : " | ",
                      100 * position_.split_id() + position_.rows());
      position_.set_rows(position_.rows() + 1);
    }
    *batch = TextBatch(text.c_str(), TextSchema("int8 k"));
    return PollResult::kRows;
  }
  v1::SplitPosition Position() const override { return position_; }
  FollowPolicy follow_policy() const override { return {1000, 30'000'000}; }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const std::vector<uint64_t> sizes_;
  v1::SplitPosition position_;
  bool follows_ = false;
};

class ScanAllowanceTest : public ::testing::Test {
 protected:
  ScanAllowanceTest() {
    options_.scan_id = 4;
    options_.streaming = true;
    options_.waits_for_allowance = true;
    options_.mailbox = mailbox_;
    options_.requester = &requester_;
    options_.timers = &timers_;
    options_.clock = &clock_;
    options_.num_columns = 1;
  }
  void Create(std::vector<uint64_t> sizes) {
    options_.source = std::make_unique<NumberSource>(std::move(sizes));
    input_ = std::make_unique<ScanInput>(std::move(options_));
    ASSERT_OK(input_->Open());
  }
  void Assign(const std::vector<uint64_t>& ids, bool end) {
    v1::SplitAssignment assignment;
    for (const uint64_t id : ids) assignment.add_splits()->set_id(id);
    assignment.set_end(end);
    mailbox_->Assign(assignment);
  }
  void AssignPartitions(const std::vector<uint64_t>& ids) {
    v1::SplitAssignment assignment;
    for (const uint64_t id : ids) {
      assignment.add_splits()->set_id(id);
      assignment.mutable_splits()->rbegin()->mutable_kafka();
    }
    mailbox_->Assign(assignment);
  }
  // Polls until there is nothing; the messages as CollectingOutput writes them.
  std::vector<std::string> Drain() {
    std::vector<std::string> log = DrainInput(*input_);
    clock_.Advance(100'000);
    return log;
  }
  std::vector<std::string> DrainWith(ReadAllowance allowance) {
    mailbox_->Inject(Barrier{.epoch = ++epoch_}, allowance);
    return Drain();
  }
  v1::EpochAck Ack() {
    v1::EpochAck ack;
    ack.set_ended(true);
    input_->FillAck(epoch_, &ack);
    return ack;
  }
  // The split that the newest acknowledgement says is open; -1 = none.
  int64_t OpenSplit() {
    const v1::EpochAck ack = Ack();
    EXPECT_EQ(ack.scans_size(), 2);
    if (ack.scans(0).positions().empty()) return -1;
    return static_cast<int64_t>(ack.scans(0).positions(0).split_id());
  }

  ManualClock clock_;
  ManualTimers timers_;
  CountingRequester requester_;
  std::shared_ptr<ScanMailbox> mailbox_ = std::make_shared<ScanMailbox>();
  ScanOptions options_;
  std::unique_ptr<ScanInput> input_;
  uint64_t epoch_ = 0;
};

TEST_F(ScanAllowanceTest, ReadsNothingBeforeItIsAllowed) {
  Create({9});
  Assign({0}, true);
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(input_->waiting_for(), "turn");
  EXPECT_THAT(DrainWith({0}), ElementsAre("!1"));
  const v1::EpochAck ack = Ack();
  ASSERT_EQ(ack.scans_size(), 2);
  ASSERT_EQ(ack.scans(0).positions_size(), 1);
  EXPECT_EQ(ack.scans(0).positions(0).rows(), 0);
  EXPECT_EQ(ack.scans(1).positions_size(), 0);
}

TEST_F(ScanAllowanceTest, ReadsWhatTheBarrierAllowsAndPassesItOn) {
  Create({5, 9});
  Assign({0, 1}, true);
  EXPECT_THAT(DrainWith({3}), ElementsAre("b:0,1,2", "!1"));
  EXPECT_EQ(input_->waiting_for(), "turn");
  EXPECT_THAT(DrainWith({4}), ElementsAre("b:3,4", "b:100,101", "!2"));
  const v1::EpochAck ack = Ack();
  EXPECT_EQ(ack.scans(0).positions(0).split_id(), 1);
  EXPECT_EQ(ack.scans(0).positions(0).rows(), 2);
  ASSERT_EQ(ack.scans(1).positions_size(), 1);
  EXPECT_TRUE(ack.scans(1).positions(0).ended());
}

TEST_F(ScanAllowanceTest, BarriersThatComeTogetherHaveTheirOwnAllowances) {
  Create({9});
  Assign({0}, true);
  mailbox_->Inject(Barrier{.epoch = 1}, ReadAllowance{1});
  mailbox_->Inject(Barrier{.epoch = 2}, ReadAllowance{2});
  EXPECT_THAT(Drain(), ElementsAre("b:0", "!1", "b:1,2", "!2"));
}

TEST_F(ScanAllowanceTest, RowsHeldBackComeBeforeTheBarrier) {
  auto filter = BuildOperator(">",
                              {MakeColumn(0, SqlType::Of(TypeId::kInt64)),
                               MakeLiteral(Value{SqlType::Of(TypeId::kInt64), int64_t{1}})},
                              0);
  ASSERT_OK(filter);
  auto evaluator = Evaluator::Create({*filter}, TextSchema("int8 k"), EvalContext());
  ASSERT_OK(evaluator);
  options_.filter = *std::move(evaluator);
  Create({9});
  Assign({0}, true);
  EXPECT_THAT(DrainWith({2}), ElementsAre("!1"));
  EXPECT_THAT(DrainWith({2}), ElementsAre("b:2,3", "!2"));
}

TEST_F(ScanAllowanceTest, BarrierDoesNotWaitForRowsThatAreNotThere) {
  Create({4, 0});
  AssignPartitions({0, 1});
  EXPECT_THAT(DrainWith({10}), ElementsAre("b:0,1,2,3"));
  // It has asked for more.
  Assign({}, false);
  EXPECT_THAT(Drain(), ElementsAre("!1"));
  EXPECT_THAT(DrainWith({10}), ElementsAre("!2"));
  // A job into which nothing comes is known by that.
  Drain();
  EXPECT_EQ(input_->waiting_for(), "input");
}

TEST_F(ScanAllowanceTest, BarrierDoesNotWaitForTheRate) {
  options_.rows_per_second = 100;
  Create({500});
  Assign({0}, true);
  EXPECT_THAT(DrainWith({50}), ElementsAre("!1"));
  EXPECT_EQ(input_->waiting_for(), "rate");
  EXPECT_THAT(DrainWith({5}), ElementsAre("b:0,1,2,3,4", "!2"));
}

TEST_F(ScanAllowanceTest, BarrierWaitsForTheAnswerToARequest) {
  Create({2, 9});
  EXPECT_THAT(DrainWith({5}), IsEmpty());
  Assign({0}, false);
  EXPECT_THAT(Drain(), ElementsAre("b:0,1"));
  EXPECT_EQ(requester_.requests, 2);
  Assign({1}, false);
  EXPECT_THAT(Drain(), ElementsAre("b:100,101,102", "!1"));
}

TEST_F(ScanAllowanceTest, BarrierDoesNotWaitForSplitsThatDoNotExistYet) {
  Create({2});
  EXPECT_THAT(DrainWith({5}), IsEmpty());
  Assign({}, false);
  EXPECT_THAT(Drain(), ElementsAre("!1"));
}

TEST_F(ScanAllowanceTest, InItsTurnItReadsOnlyWhatItHasOpen) {
  Create({2, 9});
  Assign({0, 1}, true);
  Drain();
  EXPECT_THAT(DrainWith({0}), ElementsAre("!1"));
  EXPECT_EQ(OpenSplit(), 0);
  EXPECT_THAT(DrainWith({5, /*open_split_only=*/true}), ElementsAre("b:0,1", "!2"));
  EXPECT_EQ(OpenSplit(), -1);
  EXPECT_THAT(DrainWith({0, true}), ElementsAre("!3"));
  EXPECT_EQ(OpenSplit(), 1);
  EXPECT_THAT(DrainWith({1, true}), ElementsAre("b:100", "!4"));
}

TEST_F(ScanAllowanceTest, WithoutAnOpenSplitATurnReadsNothing) {
  Create({2});
  mailbox_->Inject(Barrier{.epoch = ++epoch_}, ReadAllowance{5, true});
  Assign({0}, true);
  EXPECT_THAT(Drain(), ElementsAre("!1"));
  EXPECT_EQ(OpenSplit(), -1);
}

TEST_F(ScanAllowanceTest, PartitionsTakeTurnsAcrossEpochs) {
  Create({9, 9});
  AssignPartitions({0, 1});
  Drain();
  std::vector<std::string> batches;
  std::vector<int64_t> open;
  for (int i = 0; i < 3; ++i) {
    DrainWith({0, true});
    open.push_back(OpenSplit());
    batches.push_back(DrainWith({1, true}).front());
    OpenSplit();
  }
  EXPECT_THAT(open, ElementsAre(0, 1, 0));
  EXPECT_THAT(batches, ElementsAre("b:0", "b:100", "b:1"));
}

TEST_F(ScanAllowanceTest, APartitionWithoutRowsInItsTurnIsIdle) {
  Create({1});
  AssignPartitions({0});
  DrainWith({0, true});
  EXPECT_EQ(input_->waiting_for(), "turn");
  EXPECT_THAT(DrainWith({1, true}), ElementsAre("b:0", "!2"));
  Drain();
  EXPECT_EQ(input_->waiting_for(), "turn");
  EXPECT_THAT(DrainWith({1, true}), ElementsAre("!3"));
  Drain();
  EXPECT_EQ(input_->waiting_for(), "input");
}

TEST_F(ScanAllowanceTest, BarrierWithoutAnAllowanceEndsTheWaiting) {
  Create({9});
  Assign({0}, true);
  EXPECT_THAT(DrainWith({2}), ElementsAre("b:0,1", "!1"));
  mailbox_->Inject(Barrier{.epoch = 2});
  EXPECT_THAT(Drain(), ElementsAre("!2", "b:2,3,4,5,6,7,8", "w:max"));
}

TEST_F(ScanAllowanceTest, FinalBarrierPassesAtOnce) {
  Create({9});
  Assign({0}, true);
  Drain();
  mailbox_->Inject(Barrier{.epoch = 1, .checkpoint = true, .final = true});
  EXPECT_THAT(Drain(), ElementsAre("!1", "end"));
}

TEST_F(ScanAllowanceTest, EndsWithinAnAllowance) {
  Create({2});
  Assign({0}, true);
  EXPECT_THAT(DrainWith({5}), ElementsAre("b:0,1", "w:max", "!1"));
  EXPECT_TRUE(Ack().ended());
}

TEST_F(ScanAllowanceTest, AFixedShareDoesNotWait) {
  options_.requester = nullptr;
  Create({2});
  Assign({0}, true);
  EXPECT_THAT(DrainWith({0}), ElementsAre("b:0,1", "w:max", "!1"));
}

}  // namespace
}  // namespace millrace
