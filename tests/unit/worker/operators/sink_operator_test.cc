#include "worker/operators/sink_operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Notes its calls; is ready when the test says so.
class SlowSink final : public Sink {
 public:
  explicit SlowSink(std::vector<std::string>* calls) : calls_(*calls) {}

  absl::Status Open() override { return absl::OkStatus(); }
  absl::StatusOr<bool> Ready(SinkCall) override {
    if (!failure.ok()) return failure;
    return ready;
  }
  absl::Status Write(const Batch& batch) override {
    calls_.push_back(absl::StrCat("write ", batch.num_rows()));
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<v1::StagedFile>> Prepare(uint64_t epoch) override {
    calls_.push_back(absl::StrCat("prepare ", epoch));
    return std::vector<v1::StagedFile>();
  }
  absl::string_view waiting_for() const override { return "broker: away"; }
  absl::Status Abort() override {
    calls_.push_back("abort");
    return absl::OkStatus();
  }
  absl::Status Close() override { return absl::OkStatus(); }

  bool ready = true;
  absl::Status failure;

 private:
  std::vector<std::string>& calls_;
};

class OneBatchEmitter final : public Emitter {
 public:
  void Emit(Batch batch) override { batches.push_back(std::move(batch)); }
  bool full() const override { return false; }
  std::vector<Batch> batches;
};

class SinkOperatorTest : public ::testing::Test {
 protected:
  void Create(bool streaming) {
    auto sink = std::make_unique<SlowSink>(&calls_);
    sink_ = sink.get();
    op_ = std::make_unique<SinkOperator>(std::move(sink), streaming);
    context_.staged_files = &staged_;
    context_.wake_in = [this](int64_t micros) { wakes_.push_back(micros); };
    ASSERT_OK(op_->Open(context_));
  }
  Batch Rows() { return TextBatch("1 | 2", TextSchema("int8 k")); }

  std::vector<std::string> calls_;
  std::vector<v1::StagedFile> staged_;
  std::vector<int64_t> wakes_;
  OperatorContext context_;
  SlowSink* sink_ = nullptr;
  std::unique_ptr<SinkOperator> op_;
  OneBatchEmitter out_;
};

TEST_F(SinkOperatorTest, WaitsUntilTheSinkTakesRows) {
  Create(true);
  sink_->ready = false;
  EXPECT_EQ(*op_->ProcessBatch(0, Rows(), out_), Progress::kWaiting);
  EXPECT_EQ(*op_->Resume(out_), Progress::kWaiting);
  EXPECT_EQ(wakes_.size(), 2U);
  EXPECT_EQ(op_->waiting_for(), "broker: away");
  EXPECT_THAT(calls_, IsEmpty());
  sink_->ready = true;
  EXPECT_EQ(*op_->Resume(out_), Progress::kDone);
  EXPECT_THAT(calls_, ElementsAre("write 2"));
}

TEST_F(SinkOperatorTest, ACheckpointWaitsUntilEverythingHasArrived) {
  Create(true);
  EXPECT_EQ(*op_->ProcessBatch(0, Rows(), out_), Progress::kDone);
  sink_->ready = false;
  EXPECT_EQ(*op_->ProcessBarrier(Barrier{3, false, false}, out_), Progress::kDone);
  EXPECT_EQ(*op_->ProcessBarrier(Barrier{4, true, false}, out_), Progress::kWaiting);
  sink_->ready = true;
  EXPECT_EQ(*op_->Resume(out_), Progress::kDone);
  EXPECT_THAT(calls_, ElementsAre("write 2", "prepare 4"));
  EXPECT_OK(op_->Close());
  EXPECT_THAT(calls_, ElementsAre("write 2", "prepare 4"));
}

TEST_F(SinkOperatorTest, TheCountComesWhenTheRowsHaveArrived) {
  Create(false);
  EXPECT_EQ(*op_->ProcessBatch(0, Rows(), out_), Progress::kDone);
  sink_->ready = false;
  EXPECT_EQ(*op_->ProcessEnd(0, out_), Progress::kWaiting);
  EXPECT_THAT(out_.batches, IsEmpty());
  sink_->ready = true;
  EXPECT_EQ(*op_->Resume(out_), Progress::kDone);
  EXPECT_THAT(RowsOf(out_.batches), ElementsAre("2"));
  EXPECT_THAT(calls_, ElementsAre("write 2", "prepare 0"));
}

TEST_F(SinkOperatorTest, ARowThatCouldNotBeDeliveredFailsTheTask) {
  Create(true);
  EXPECT_EQ(*op_->ProcessBatch(0, Rows(), out_), Progress::kDone);
  sink_->failure = MakeError(SqlState::kConnectionFailure, "gone");
  EXPECT_ERROR(op_->ProcessBarrier(Barrier{4, true, false}, out_), SqlState::kConnectionFailure,
               "gone");
  EXPECT_OK(op_->Close());
  EXPECT_THAT(calls_, ElementsAre("write 2", "abort"));
}

TEST_F(SinkOperatorTest, WritesALargeBatchInPartsAsTheSinkTakesThem) {
  Create(false);
  // Three rows of 9 MB.
  std::string rows;
  for (const char c : {'a', 'b', 'c'}) {
    absl::StrAppend(&rows, rows.empty() ? "" : " | ", std::string(9 << 20, c));
  }
  auto progress = op_->ProcessBatch(0, TextBatch(rows, TextSchema("text s")), out_);
  ASSERT_OK(progress);
  EXPECT_EQ(*progress, Progress::kMore);
  sink_->ready = false;
  progress = op_->Resume(out_);
  ASSERT_OK(progress);
  EXPECT_EQ(*progress, Progress::kWaiting);
  sink_->ready = true;
  for (const Progress expected : {Progress::kMore, Progress::kDone}) {
    progress = op_->Resume(out_);
    ASSERT_OK(progress);
    EXPECT_EQ(*progress, expected);
  }
  progress = op_->ProcessEnd(0, out_);
  ASSERT_OK(progress);
  EXPECT_EQ(*progress, Progress::kDone);
  EXPECT_THAT(calls_, ElementsAre("write 1", "write 1", "write 1", "prepare 0"));
  ASSERT_EQ(out_.batches.size(), 1u);
  EXPECT_EQ(RowsOf(out_.batches[0]), std::vector<std::string>{"3"});
}

}  // namespace
}  // namespace millrace
