#include "worker/runtime/scan_input.h"

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

class ScanInputTest : public ::testing::Test {
 protected:
  ScanInputTest() {
    options_.scan_id = 4;
    options_.mailbox = mailbox_;
    options_.requester = &requester_;
    options_.timers = &timers_;
    options_.clock = &clock_;
    options_.task = task_;
    options_.num_columns = 1;
  }

  // Splits of batches: {{"1 | 2", "3"}, {"4"}} are two splits.
  void Create(std::vector<std::vector<const char*>> splits, const char* schema = "int8 k") {
    std::vector<std::vector<Batch>> batches;
    for (const auto& split : splits) {
      auto& added = batches.emplace_back();
      for (const char* text : split) added.push_back(TextBatch(text, TextSchema(schema)));
    }
    options_.source = std::make_unique<ListSource>(std::move(batches));
    input_ = std::make_unique<ScanInput>(std::move(options_));
    ASSERT_OK(input_->Open());
  }
  void CreateWithTime(std::vector<std::vector<const char*>> splits, int64_t delay_micros = 0) {
    options_.streaming = true;
    options_.time_column = 0;
    options_.delay_micros = delay_micros;
    Create(std::move(splits), "timestamp t");
  }
  void Assign(std::vector<uint64_t> ids, bool end,
              std::optional<int64_t> unassigned = std::nullopt) {
    v1::SplitAssignment assignment;
    for (const uint64_t id : ids) assignment.add_splits()->set_id(id);
    assignment.set_end(end);
    if (unassigned.has_value()) assignment.set_unassigned_min_time_micros(*unassigned);
    mailbox_->Assign(assignment);
  }
  // Polls until there is nothing; the messages as CollectingOutput writes them.
  std::vector<std::string> Drain() {
    CollectingOutput log;
    while (true) {
      auto message = input_->Poll();
      EXPECT_TRUE(message.ok()) << message.status();
      if (!message.ok() || !message->has_value()) break;
      const auto* batch = std::get_if<Batch>(&**message);
      if (batch != nullptr && batch->num_rows() == 0) continue;
      EXPECT_TRUE(log.Send(**message).ok());
      clock_.Advance(100'000);
    }
    return log.log;
  }
  v1::EpochAck Ack(uint64_t epoch) {
    v1::EpochAck ack;
    ack.set_ended(true);
    input_->FillAck(epoch, &ack);
    return ack;
  }

  ManualClock clock_;
  ManualTimers timers_;
  CountingRequester requester_;
  std::shared_ptr<CountingWakeable> task_ = std::make_shared<CountingWakeable>();
  std::shared_ptr<ScanMailbox> mailbox_ = std::make_shared<ScanMailbox>();
  ScanOptions options_;
  std::unique_ptr<ScanInput> input_;
};

TEST_F(ScanInputTest, AsksForSplitsUntilThereAreNoMore) {
  Create({{"1 | 2", "3"}, {}, {"4"}});
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(input_->waiting_for(), "split");
  EXPECT_EQ(requester_.requests, 1);
  Drain();
  EXPECT_EQ(requester_.requests, 1);
  Assign({0}, false);
  EXPECT_GT(task_->wakes, 0);
  EXPECT_THAT(Drain(), ElementsAre("b:1,2", "b:3"));
  EXPECT_EQ(requester_.requests, 2);
  EXPECT_THAT(requester_.finished_ids, ElementsAre(0));
  Assign({1, 2}, true);
  EXPECT_THAT(Drain(), ElementsAre("b:4", "end"));
}

TEST_F(ScanInputTest, EndsWithoutAnySplit) {
  Create({});
  Assign({}, true);
  EXPECT_THAT(Drain(), ElementsAre("end"));
}

TEST_F(ScanInputTest, FiltersAndCombinesWhatIsLeft) {
  auto filter = BuildOperator(">",
                              {MakeColumn(0, SqlType::Of(TypeId::kInt64)),
                               MakeLiteral(Value{SqlType::Of(TypeId::kInt64), int64_t{2}})},
                              0);
  ASSERT_OK(filter);
  auto evaluator = Evaluator::Create({*filter}, TextSchema("int8 k"), EvalContext());
  ASSERT_OK(evaluator);
  options_.filter = *std::move(evaluator);
  Create({{"1 | 5 | 2", "0", "7"}, {"3"}});
  Assign({0, 1}, true);
  EXPECT_THAT(Drain(), ElementsAre("b:5,7,3", "end"));
}

TEST_F(ScanInputTest, SetsLateRowsApart) {
  CreateWithTime({{"10 | 4 | 12", "1 | 11"}}, 5);
  Assign({0}, true);
  EXPECT_THAT(Drain(), ElementsAre("b:10,12", "w:7", "b:11", "w:max"));
  EXPECT_EQ(input_->dropped_rows().late, 2);
}

TEST_F(ScanInputTest, DropsTheTimeColumnIfNobodyAskedForIt) {
  options_.streaming = true;
  options_.time_column = 1;
  Create({{"1 10 | 2 20"}}, "int8 k, timestamp t");
  Assign({0}, true);
  EXPECT_THAT(Drain(), ElementsAre("b:1,2", "w:20", "w:max"));
}

TEST_F(ScanInputTest, SplitsThatAreNotAssignedHoldTheWatermark) {
  CreateWithTime({{"10"}, {"30"}});
  Assign({0}, false);
  EXPECT_THAT(Drain(), ElementsAre("b:10"));
  Assign({}, false, 25);
  EXPECT_THAT(Drain(), ElementsAre("w:25"));
  Assign({1}, true);
  EXPECT_THAT(Drain(), ElementsAre("b:30", "w:30", "w:max"));
}

TEST_F(ScanInputTest, PutsBarriersBetweenBatchesWithPositions) {
  CreateWithTime({{"10", "20"}, {"30"}});
  Assign({0}, false);
  auto first = input_->Poll();  // Opens the split.
  ASSERT_OK(first);
  first = input_->Poll();
  ASSERT_OK(first);
  mailbox_->Inject(Barrier{7});
  auto barrier = input_->Poll();
  ASSERT_OK(barrier);
  EXPECT_TRUE(std::holds_alternative<Barrier>(**barrier));
  const v1::EpochAck ack = Ack(7);
  ASSERT_EQ(ack.scans_size(), 1);
  EXPECT_EQ(ack.scans(0).scan_id(), 4);
  ASSERT_EQ(ack.scans(0).positions_size(), 1);
  EXPECT_EQ(ack.scans(0).positions(0).rows(), 1);
  EXPECT_EQ(ack.scans(0).positions(0).max_time_micros(), 10);
  EXPECT_FALSE(ack.scans(0).positions(0).ended());
  EXPECT_FALSE(ack.ended());
}

TEST_F(ScanInputTest, StaysAfterItsEndUntilTheFinalBarrier) {
  CreateWithTime({{"10"}});
  Assign({0}, true);
  EXPECT_THAT(Drain(), ElementsAre("b:10", "w:10", "w:max"));
  EXPECT_EQ(input_->waiting_for(), "barrier");
  mailbox_->Inject(Barrier{1});
  EXPECT_THAT(Drain(), ElementsAre("!1"));
  const v1::EpochAck ack = Ack(1);
  EXPECT_TRUE(ack.ended());
  EXPECT_TRUE(ack.scans(0).positions(0).ended());
  mailbox_->Inject(Barrier{.epoch = 2, .checkpoint = true, .final = true});
  EXPECT_THAT(Drain(), ElementsAre("!2", "end"));
}

// What windows still hold comes out before the epoch that says that the source has ended; a job
// that follows a stored table may start no further one.
TEST_F(ScanInputTest, BarrierThatSaysEndedComesAfterTheLastWatermark) {
  CreateWithTime({{"10:00:00 | 10:00:01"}});
  mailbox_->Inject({1, false, false});
  Assign({0}, /*end=*/true);
  mailbox_->Inject({2, false, false});
  bool ended = false;
  uint64_t epoch = 2;
  int64_t watermark = Watermark::kMinWatermark;
  for (int polls = 0; polls < 50; ++polls) {
    if (polls % 3 == 2 && !ended) mailbox_->Inject({++epoch, false, false});
    auto message = input_->Poll();
    ASSERT_OK(message.status());
    // No time passes: a watermark is never held back for its interval by a barrier.
    if (!message->has_value()) continue;
    if (const auto* risen = std::get_if<Watermark>(&**message)) watermark = risen->micros;
    const auto* barrier = std::get_if<Barrier>(&**message);
    if (barrier == nullptr) continue;
    ended = Ack(barrier->epoch).ended();
    EXPECT_EQ(ended, watermark == Watermark::kMaxWatermark) << barrier->epoch;
  }
  EXPECT_TRUE(ended);
}

TEST_F(ScanInputTest, ResumesWithTheCountersOfTheCheckpoint) {
  CreateWithTime({{"90 | 101"}});
  v1::SplitAssignment assignment;
  assignment.set_end(true);
  v1::Split* split = assignment.add_splits();
  split->mutable_resume()->set_rows(50);
  split->mutable_resume()->set_late_rows(3);
  split->mutable_resume()->set_has_max_time(true);
  split->mutable_resume()->set_max_time_micros(100);
  mailbox_->Assign(assignment);
  EXPECT_THAT(Drain(), ElementsAre("w:100", "b:101", "w:101", "w:max"));
  EXPECT_EQ(input_->dropped_rows().late, 4);
  mailbox_->Inject(Barrier{1});
  Drain();
  const v1::EpochAck ack = Ack(1);
  EXPECT_EQ(ack.scans(0).positions(0).late_rows(), 4);
  EXPECT_EQ(ack.scans(0).positions(0).rows(), 52);
}

TEST_F(ScanInputTest, FixedShareComesBeforeTheFirstBarrier) {
  options_.requester = nullptr;
  options_.streaming = true;
  Create({{"1", "2"}});
  Assign({0}, true);
  mailbox_->Inject(Barrier{1});
  EXPECT_THAT(Drain(), ElementsAre("b:1", "b:2", "w:max", "!1"));
  EXPECT_EQ(Ack(1).scans_size(), 0);
}

TEST_F(ScanInputTest, KeepsToTheRate) {
  options_.rows_per_second = 100;
  Create({{"1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15"}});
  Assign({0}, true);
  auto message = input_->Poll();  // Opens the split.
  ASSERT_OK(message);
  message = input_->Poll();
  ASSERT_OK(message);
  EXPECT_FALSE(message->has_value());
  EXPECT_EQ(input_->waiting_for(), "rate");
  ASSERT_EQ(timers_.wake_times.size(), 1);
  EXPECT_GE(timers_.wake_times[0], clock_.MonotonicMicros() + 20'000);
  clock_.Advance(30'000);
  message = input_->Poll();
  ASSERT_OK(message);
  ASSERT_TRUE(message->has_value());
  EXPECT_EQ(std::get<Batch>(**message).num_rows(), 3);
}

TEST_F(ScanInputTest, SharesTheRateWithTheTasksThatHaveWork) {
  options_.rows_per_second = 100;
  options_.num_tasks = 4;
  std::vector<const char*> rows(200, "1");
  Create({rows});
  v1::SplitAssignment assignment;
  assignment.add_splits();
  assignment.set_active_tasks(2);
  mailbox_->Assign(assignment);
  size_t num_rows = 0;
  const auto rows_in = [&](int64_t micros) {
    const size_t before = num_rows;
    for (int64_t step = 0; step < micros; step += 10'000) {
      clock_.Advance(10'000);
      while (true) {
        const auto message = input_->Poll();
        if (!message.ok() || !message->has_value()) break;
        if (const auto* batch = std::get_if<Batch>(&**message)) {
          num_rows += static_cast<size_t>(batch->num_rows());
        }
      }
    }
    return num_rows - before;
  };
  EXPECT_NEAR(static_cast<double>(rows_in(1'000'000)), 50, 3);
  v1::SplitAssignment news;
  news.set_active_tasks(1);
  mailbox_->Assign(news);
  EXPECT_NEAR(static_cast<double>(rows_in(1'000'000)), 100, 3);
}

TEST_F(ScanInputTest, GivesOutTheLateRowsOnly) {
  options_.late_rows_only = true;
  CreateWithTime({{"10 | 5", "20", "7 | null"}});
  Assign({0}, true);
  const std::vector<std::string> log = Drain();
  EXPECT_THAT(log, ElementsAre("b:5", "w:10", "w:20", "b:7", "w:max"));
}

TEST_F(ScanInputTest, WaitingSplitsHoldTheWatermarkAtTheirLeastTime) {
  CreateWithTime({{"10"}, {"20"}});
  v1::SplitAssignment assignment;
  for (const int id : {0, 1}) {
    v1::Split* split = assignment.add_splits();
    split->set_id(static_cast<uint64_t>(id));
    split->set_min_time_micros(3 + id);
  }
  assignment.set_unassigned_min_time_micros(5);
  mailbox_->Assign(assignment);
  EXPECT_THAT(Drain(), ElementsAre("w:3", "b:10", "w:4", "b:20", "w:5"));
}

// One file that grows: rows are those that the test has put in.
class GrowingSource final : public Source {
 public:
  explicit GrowingSource(std::vector<std::deque<Batch>>* files) : files_(*files) {}

  absl::Status Open(const v1::Split& split) override {
    ++opened;
    position_ = split.resume();
    position_.set_split_id(split.id());
    return absl::OkStatus();
  }
  absl::StatusOr<PollResult> Poll(const PollBudget&, Batch* batch) override {
    *batch = Batch();
    std::deque<Batch>& file = files_.at(position_.split_id());
    if (file.empty()) return PollResult::kIdle;
    *batch = std::move(file.front());
    file.pop_front();
    position_.set_rows(position_.rows() + static_cast<uint64_t>(batch->num_rows()));
    return PollResult::kRows;
  }
  v1::SplitPosition Position() const override { return position_; }
  FollowPolicy follow_policy() const override { return {1'000'000, 30'000'000}; }
  absl::Status Close() override { return absl::OkStatus(); }

  int opened = 0;

 private:
  std::vector<std::deque<Batch>>& files_;
  v1::SplitPosition position_;
};

TEST_F(ScanInputTest, FollowedSplitsTakeTurns) {
  const Schema schema = TextSchema("int8 k");
  std::vector<std::deque<Batch>> files(2);
  files[0].push_back(TextBatch("1", schema));
  files[1].push_back(TextBatch("2", schema));
  options_.streaming = true;
  auto source = std::make_unique<GrowingSource>(&files);
  GrowingSource* growing = source.get();
  options_.source = std::move(source);
  input_ = std::make_unique<ScanInput>(std::move(options_));
  ASSERT_OK(input_->Open());
  const auto drain = [&] {
    CollectingOutput log;
    while (true) {
      auto message = input_->Poll();
      EXPECT_TRUE(message.ok()) << message.status();
      if (!message.ok() || !message->has_value()) break;
      const auto* batch = std::get_if<Batch>(&**message);
      if (batch != nullptr && batch->num_rows() == 0) continue;
      EXPECT_TRUE(log.Send(**message).ok());
    }
    return log.log;
  };
  v1::SplitAssignment assignment;
  for (const uint64_t id : {0, 1}) {
    assignment.add_splits()->set_id(id);
    assignment.mutable_splits(static_cast<int>(id))->mutable_file()->set_follow(true);
  }
  mailbox_->Assign(assignment);
  EXPECT_THAT(drain(), ElementsAre("b:1", "b:2"));
  EXPECT_EQ(growing->opened, 2);
  EXPECT_EQ(input_->waiting_for(), "input");
  ASSERT_EQ(timers_.wake_times.size(), 1U);
  files[0].push_back(TextBatch("3", schema));
  // Not before it is time to look.
  EXPECT_THAT(drain(), IsEmpty());
  clock_.Advance(1'000'000);
  EXPECT_THAT(drain(), ElementsAre("b:3"));
  EXPECT_EQ(growing->opened, 4);
  mailbox_->Inject(Barrier{9, false, false});
  EXPECT_THAT(drain(), ElementsAre("!9"));
  const v1::EpochAck ack = Ack(9);
  EXPECT_FALSE(ack.ended());
  ASSERT_EQ(ack.scans(0).positions_size(), 2);
  EXPECT_EQ(ack.scans(0).positions(0).rows() + ack.scans(0).positions(1).rows(), 3U);
}

}  // namespace
}  // namespace millrace
