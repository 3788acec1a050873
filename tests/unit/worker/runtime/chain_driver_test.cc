#include "worker/runtime/chain_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"
#include "worker/kernels/array_output.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Passes rows on, notes what it is told, and can be made to behave like other operators.
class ProbeOperator final : public Operator {
 public:
  absl::Status Open(OperatorContext&) override { return absl::OkStatus(); }
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override {
    calls.push_back(absl::StrCat("batch", input));
    if (fail) return MakeError(SqlState::kDivisionByZero, "division by zero");
    if (overflow) TextOutput(1).Append({"", text_bytes});
    rows += batch.num_rows();
    if (hold) {
      held.push_back(std::move(batch));
      return Progress::kDone;
    }
    // One row at a time, as often as the output takes one.
    pending = std::move(batch);
    next = 0;
    return Resume(out);
  }
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter&) override {
    calls.push_back(absl::StrCat("w", watermark.micros));
    return Progress::kDone;
  }
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter&) override {
    calls.push_back(absl::StrCat("!", barrier.epoch));
    return Progress::kDone;
  }
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override {
    calls.push_back(absl::StrCat("end", input));
    ended |= 1u << input;
    // Operators that hold rows are tested with two inputs.
    if (ended != 3) return Progress::kDone;
    for (Batch& batch : held) out.Emit(std::move(batch));
    held.clear();
    return Progress::kDone;
  }
  absl::StatusOr<Progress> Resume(Emitter& out) override {
    if (state_pending) {
      calls.push_back("wait");
      return Progress::kWaiting;
    }
    while (next < pending.num_rows()) {
      if (out.full()) return Progress::kMore;
      out.Emit(pending.Slice(next++, 1));
    }
    return Progress::kDone;
  }
  absl::Status Close() override { return absl::OkStatus(); }
  uint32_t open_inputs() const override {
    if (rows >= limit) return 0;
    return build_first && (ended & 2) == 0 ? 2 : ~uint32_t{0};
  }

  std::vector<std::string> calls;
  bool fail = false;
  // Makes more text than an array can hold.
  bool overflow = false;
  // Volatile, so that the compiler does not warn of reading behind the text.
  volatile size_t text_bytes = static_cast<size_t>(kTextOutputBytesMax) + 1;
  bool hold = false;
  bool build_first = false;
  // What an operator reads from disk is not there yet.
  bool state_pending = false;
  int64_t limit = INT64_MAX;
  uint32_t ended = 0;
  int64_t rows = 0;
  Batch pending;
  int64_t next = 0;
  std::vector<Batch> held;
};

// inputs[i] → input i of `lower` (if there are two operators) or of the only operator → output.
class ChainDriverTest : public ::testing::Test {
 protected:
  void Build(int num_inputs, bool streaming = false, bool two_operators = false) {
    for (int i = 0; i < num_inputs; ++i) {
      auto input = std::make_unique<ScriptedInput>();
      inputs_.push_back(input.get());
      chain_.inputs.push_back({100u + static_cast<uint32_t>(i), std::move(input), {0, i}});
    }
    AddOperator(num_inputs, two_operators ? ChainTarget{1, 0} : ChainTarget{});
    if (two_operators) AddOperator(1, {});
    auto output = std::make_unique<CollectingOutput>();
    output_ = output.get();
    chain_.outputs.push_back(std::move(output));
    driver_ = std::make_unique<ChainDriver>(
        chain_, streaming, clock_, [this](const Barrier& b) { passed_.push_back(b.epoch); });
  }
  void AddOperator(int num_inputs, ChainTarget target) {
    auto op = std::make_unique<ProbeOperator>();
    ops_.push_back(op.get());
    chain_.operators.push_back(
        {static_cast<uint32_t>(ops_.size()), std::move(op), num_inputs, target});
  }
  CollectingOutput* AddOutput() {
    auto output = std::make_unique<CollectingOutput>();
    CollectingOutput* added = output.get();
    chain_.outputs.push_back(std::move(output));
    return added;
  }
  void Script(int input, std::vector<StreamMessage> messages) {
    for (auto& message : messages) inputs_[input]->script.push_back(std::move(message));
  }
  Batch Rows(std::string_view text) { return TextBatch(text, schema_); }
  absl::StatusOr<DriveResult> Run() { return driver_->Run(INT64_MAX, stop_); }

  const Schema schema_ = TextSchema("int8 k");
  ManualClock clock_;
  std::atomic<bool> stop_{false};
  Chain chain_;
  std::vector<ScriptedInput*> inputs_;
  std::vector<ProbeOperator*> ops_;
  CollectingOutput* output_ = nullptr;
  std::unique_ptr<ChainDriver> driver_;
  std::vector<uint64_t> passed_;
};

TEST_F(ChainDriverTest, RowsWithTextLeftOutGoNowhere) {
  Build(1);
  ops_[0]->overflow = true;
  Script(0, {Rows("1 | 2"), EndOfStream()});
  EXPECT_EQ(GetErrorDetail(Run().status()).state, SqlState::kProgramLimitExceeded);
  EXPECT_THAT(output_->log, IsEmpty());
}

TEST_F(ChainDriverTest, RunsToTheEnd) {
  Build(1, false, true);
  Script(0, {Rows("1 | 2"), Rows("3"), EndOfStream()});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(output_->log, ElementsAre("b:1", "b:2", "b:3", "end"));
  EXPECT_EQ(driver_->rows_in(), 3);
  EXPECT_EQ(driver_->rows_out(), 3);
  const std::vector<OperatorStats> stats = driver_->operator_stats();
  ASSERT_EQ(stats.size(), 3);
  EXPECT_EQ(stats[0].node_id, 100);
  EXPECT_EQ(stats[0].counters.rows_out, 3);
  EXPECT_EQ(stats[2].counters.rows_in, 3);
}

TEST_F(ChainDriverTest, AnOperatorThatWaitsForStateIsAskedOnceARunAndHoldsUpWhatComesBehind) {
  Build(1);
  ops_[0]->state_pending = true;
  Script(0, {Rows("1"), Rows("2"), EndOfStream()});
  for (int run = 0; run < 2; ++run) {
    auto result = Run();
    ASSERT_OK(result);
    EXPECT_EQ(*result, DriveResult::kIdle);
    EXPECT_EQ(driver_->waiting_for(), "state");
  }
  EXPECT_THAT(ops_[0]->calls, ElementsAre("batch0", "wait", "wait"));
  EXPECT_THAT(output_->log, IsEmpty());

  ops_[0]->state_pending = false;
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(output_->log, ElementsAre("b:1", "b:2", "end"));
}

TEST_F(ChainDriverTest, IsIdleWithoutInput) {
  Build(1);
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kIdle);
  EXPECT_EQ(driver_->waiting_for(), "input");
  Script(0, {Rows("1")});
  ASSERT_OK(Run());
  EXPECT_THAT(output_->log, ElementsAre("b:1"));
}

TEST_F(ChainDriverTest, StopsWhenTheOutputIsFullAndResumes) {
  Build(1, false, true);
  output_->room = 2;
  Script(0, {Rows("1 | 2 | 3 | 4 | 5"), EndOfStream()});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kIdle);
  EXPECT_EQ(driver_->waiting_for(), "output");
  EXPECT_THAT(output_->Take(), ElementsAre("b:1", "b:2"));
  output_->room = -1;
  result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(output_->Take(), ElementsAre("b:3", "b:4", "b:5", "end"));
}

TEST_F(ChainDriverTest, PollsNothingWhileRowsWait) {
  Build(1);
  output_->room = 0;
  Script(0, {Rows("1"), Rows("2"), Rows("3")});
  ASSERT_OK(Run());
  EXPECT_EQ(inputs_[0]->script.size(), 2);
}

TEST_F(ChainDriverTest, ReadsTheBuildSideFirst) {
  Build(2);
  ops_[0]->build_first = true;
  Script(0, {Rows("1"), EndOfStream()});
  Script(1, {Rows("7")});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kIdle);
  EXPECT_EQ(inputs_[0]->polls, 0);
  Script(1, {EndOfStream()});
  result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(ops_[0]->calls, ElementsAre("batch1", "end1", "batch0", "end0"));
}

TEST_F(ChainDriverTest, DropsInputThatNobodyWants) {
  Build(1, false, true);
  ops_[1]->limit = 2;
  Script(0, {Rows("1"), Rows("2"), Rows("3"), EndOfStream()});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(output_->log, ElementsAre("b:1", "b:2", "end"));
  EXPECT_EQ(inputs_[0]->closed, CloseReason::kFinished);
  EXPECT_EQ(inputs_[0]->script.size(), 2);
}

TEST_F(ChainDriverTest, WantsNothingFromTheBeginning) {
  Build(1);
  ops_[0]->limit = 0;
  Script(0, {Rows("1"), EndOfStream()});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(output_->log, ElementsAre("end"));
  EXPECT_EQ(inputs_[0]->polls, 0);
}

TEST_F(ChainDriverTest, EndsWhenAllOutputsAreClosed) {
  Build(1);
  output_->is_closed = true;
  Script(0, {Rows("1")});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_EQ(inputs_[0]->closed, CloseReason::kFinished);
}

TEST_F(ChainDriverTest, EveryOutputGetsEverything) {
  Build(1, true);
  CollectingOutput* second = AddOutput();
  Script(0, {Rows("1"), Watermark{5}, Rows("2"), Barrier{.epoch = 3, .final = true}});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(output_->log, ElementsAre("b:1", "w:5", "b:2", "!3", "end"));
  EXPECT_EQ(second->log, output_->log);
  EXPECT_THAT(passed_, ElementsAre(3));
  EXPECT_EQ(driver_->rows_out(), 2);
}

TEST_F(ChainDriverTest, OneFullOutputStopsAll) {
  Build(1, true);
  CollectingOutput* second = AddOutput();
  second->room = 1;
  Script(0, {Rows("1 | 2"), Barrier{1}});
  ASSERT_OK(Run());
  EXPECT_EQ(driver_->waiting_for(), "output");
  EXPECT_THAT(output_->log, ElementsAre("b:1"));
  EXPECT_THAT(passed_, IsEmpty());
  second->room = -1;
  ASSERT_OK(Run());
  EXPECT_THAT(output_->log, ElementsAre("b:1", "b:2", "!1"));
  EXPECT_EQ(second->log, output_->log);
}

TEST_F(ChainDriverTest, EmitsHeldRowsAtTheEndOfAllInputs) {
  Build(2);
  ops_[0]->hold = true;
  Script(0, {Rows("1"), EndOfStream()});
  Script(1, {Rows("2")});
  ASSERT_OK(Run());
  EXPECT_THAT(output_->Take(), IsEmpty());
  Script(1, {EndOfStream()});
  ASSERT_OK(Run());
  EXPECT_THAT(output_->Take(), ElementsAre("b:1", "b:2", "end"));
}

TEST_F(ChainDriverTest, TakesTheLeastWatermark) {
  Build(2, true);
  Script(0, {Watermark{10}, Watermark{30}});
  ASSERT_OK(Run());
  EXPECT_THAT(output_->log, IsEmpty());
  Script(1, {Watermark{20}});
  ASSERT_OK(Run());
  EXPECT_THAT(output_->Take(), ElementsAre("w:20"));
  EXPECT_THAT(ops_[0]->calls, ElementsAre("w20"));
  Script(1, {Watermark{15}, Watermark{Watermark::kMaxWatermark}});
  ASSERT_OK(Run());
  EXPECT_THAT(output_->Take(), ElementsAre("w:30"));
}

TEST_F(ChainDriverTest, AlignsBarriers) {
  Build(2, true);
  Script(0, {Rows("1"), Barrier{1}, Rows("2")});
  Script(1, {Rows("3")});
  ASSERT_OK(Run());
  EXPECT_THAT(output_->Take(), ElementsAre("b:1", "b:3"));
  EXPECT_THAT(passed_, IsEmpty());
  Script(1, {Rows("4"), Barrier{1}});
  ASSERT_OK(Run());
  EXPECT_THAT(output_->Take(), ElementsAre("b:4", "!1", "b:2"));
  EXPECT_THAT(passed_, ElementsAre(1));
}

TEST_F(ChainDriverTest, RefusesBarriersOfDifferentEpochs) {
  Build(2, true);
  Script(0, {Barrier{1}});
  Script(1, {Barrier{2}});
  EXPECT_ERROR(Run(), SqlState::kInternalError, "barrier");
}

TEST_F(ChainDriverTest, FinalBarrierEndsAStreamWithoutEndingOperators) {
  Build(1, true, true);
  Script(0, {Rows("1"), Watermark{Watermark::kMaxWatermark},
             Barrier{.epoch = 9, .checkpoint = true, .final = true}, EndOfStream()});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(output_->log, ElementsAre("b:1", "w:max", "!9", "end"));
  EXPECT_THAT(ops_[1]->calls,
              ElementsAre("batch0", absl::StrCat("w", Watermark::kMaxWatermark), "!9"));
}

TEST_F(ChainDriverTest, ReportsAnOperatorsError) {
  Build(1);
  ops_[0]->fail = true;
  Script(0, {Rows("1")});
  EXPECT_ERROR(Run(), SqlState::kDivisionByZero, "division by zero");
}

TEST_F(ChainDriverTest, StopsWhenTold) {
  Build(1);
  stop_ = true;
  Script(0, {Rows("1"), Rows("2"), Rows("3"), EndOfStream()});
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kReady);
  EXPECT_FALSE(inputs_[0]->script.empty());
}

TEST_F(ChainDriverTest, StopsAtTheDeadline) {
  Build(1);
  Script(0, {Rows("1"), Rows("2"), EndOfStream()});
  auto result = driver_->Run(clock_.MonotonicMicros(), stop_);
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kReady);
}

// Three rows of 9 MB.
TEST_F(ChainDriverTest, ALargeBatchLeavesInPartsAndHoldsUpWhatComesBehind) {
  Build(1);
  ops_[0]->hold = true;
  ops_[0]->ended = 2;
  const Schema schema = TextSchema("text s");
  std::string rows;
  for (const char c : {'a', 'b', 'c'}) {
    absl::StrAppend(&rows, rows.empty() ? "" : " | ", std::string(9 << 20, c));
  }
  Script(0, {TextBatch(rows, schema), EndOfStream()});
  std::vector<size_t> lengths;
  for (int run = 0; run < 3; ++run) {
    output_->room = 1;
    auto result = Run();
    ASSERT_OK(result);
    const std::vector<std::string> log = output_->Take();
    ASSERT_FALSE(log.empty());
    EXPECT_EQ(log[0].substr(0, 3), absl::StrCat("b:", std::string(1, "abc"[run])));
    EXPECT_EQ(log[0].size(), 2 + (9u << 20));
    EXPECT_EQ(driver_->rows_out(), static_cast<uint64_t>(run + 1));
    EXPECT_EQ(driver_->waiting_for(), "output");
  }
  output_->room = -1;
  auto result = Run();
  ASSERT_OK(result);
  EXPECT_EQ(*result, DriveResult::kFinished);
  EXPECT_THAT(output_->log, ElementsAre("end"));
}

}  // namespace
}  // namespace millrace
