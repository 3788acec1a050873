#include "worker/runtime/log_scan_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/expr/function_registry.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogScanInputTest : public ::testing::Test {
 protected:
  LogScanInputTest() {
    options_.mailbox = mailbox_;
    options_.task = task_;
  }

  // Splits of batches: {{"1 | 2", "3"}, {"4"}} are two splits.
  void Create(std::vector<std::vector<const char*>> splits) {
    std::vector<std::vector<Batch>> batches;
    for (const auto& split : splits) {
      auto& added = batches.emplace_back();
      for (const char* text : split) added.push_back(TextBatch(text, TextSchema("int8 k")));
    }
    options_.source = std::make_unique<ListSource>(std::move(batches));
    input_ = std::make_unique<LogScanInput>(std::move(options_));
    ASSERT_OK(input_->Open());
  }
  void Assign(const std::vector<uint64_t>& ids) {
    v1::SplitAssignment assignment;
    for (const uint64_t id : ids) assignment.add_splits()->set_id(id);
    mailbox_->Assign(assignment);
  }
  void Inject(uint64_t epoch, bool final = false) { mailbox_->Inject({epoch, false, final}); }
  std::vector<std::string> Drain() { return DrainInput(*input_); }

  std::shared_ptr<CountingWakeable> task_ = std::make_shared<CountingWakeable>();
  std::shared_ptr<ScanMailbox> mailbox_ = std::make_shared<ScanMailbox>();
  LogScanOptions options_;
  std::unique_ptr<LogScanInput> input_;
};

TEST_F(LogScanInputTest, GivesTheRowsOfTheStartThenLetsTimePass) {
  Create({{"1 | 2", "3"}, {"4"}});
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(input_->waiting_for(), "table");
  Assign({0, 1});
  EXPECT_GT(task_->wakes, 0);
  EXPECT_THAT(Drain(), ElementsAre("b:1,2,3,4", "w:max"));
  EXPECT_EQ(input_->rows_read(), 4);
}

TEST_F(LogScanInputTest, AnEmptyTableHoldsNothingUp) {
  Create({});
  Assign({});
  Inject(1);
  EXPECT_THAT(Drain(), ElementsAre("w:max", "!1"));
}

TEST_F(LogScanInputTest, BarrierWaitsForWhatWasAssignedBeforeItAndForNothingElse) {
  Create({{"1"}, {"2"}, {"3"}, {"4"}});
  Assign({0});
  Inject(1);
  Assign({1, 2});
  Inject(2);
  Inject(3);
  Assign({3});
  EXPECT_THAT(Drain(), ElementsAre("b:1", "w:max", "!1", "b:2,3", "!2", "!3", "b:4"));
}

TEST_F(LogScanInputTest, BarrierThatCameInTheMiddleOfASplitWaitsForItsEnd) {
  Create({{"1", "2"}, {"3"}});
  Assign({0});
  EXPECT_TRUE(input_->Poll().ok());
  Inject(1);
  Assign({1});
  EXPECT_THAT(Drain(), ElementsAre("b:1,2", "w:max", "!1", "b:3"));
}

TEST_F(LogScanInputTest, AcknowledgesAsEndedAndWithoutPositions) {
  Create({{"1"}});
  Assign({0});
  Inject(1);
  Drain();
  v1::EpochAck ack;
  ack.set_ended(true);
  input_->FillAck(1, &ack);
  EXPECT_TRUE(ack.ended());
  EXPECT_EQ(ack.scans_size(), 0);
}

TEST_F(LogScanInputTest, EndsAfterTheFinalBarrier) {
  Create({{"1"}});
  Assign({0});
  Inject(1, /*final=*/true);
  EXPECT_THAT(Drain(), ElementsAre("b:1", "w:max", "!1", "end"));
  EXPECT_THAT(Drain(), IsEmpty());
  input_->Close(CloseReason::kFinished);
  input_->Close(CloseReason::kFinished);
}

TEST_F(LogScanInputTest, Filters) {
  auto filter = BuildOperator(">",
                              {MakeColumn(0, SqlType::Of(TypeId::kInt64)),
                               MakeLiteral(Value{SqlType::Of(TypeId::kInt64), int64_t{2}})},
                              0);
  ASSERT_OK(filter);
  auto evaluator = Evaluator::Create({*filter}, TextSchema("int8 k"), EvalContext());
  ASSERT_OK(evaluator);
  options_.filter = *std::move(evaluator);
  Create({{"1 | 5 | 2", "0", "7"}, {"1"}, {"3"}});
  Assign({0, 1, 2});
  EXPECT_THAT(Drain(), ElementsAre("b:5,7,3", "w:max"));
  EXPECT_EQ(input_->rows_read(), 7);
}

}  // namespace
}  // namespace millrace
