#include "worker/runtime/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>

#include "millrace/v1/control.pb.h"
#include "millrace/v1/status.pb.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"
#include "worker/runtime/actor_pool.h"
#include "worker/state/task_state_store.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

class RecordingListener final : public TaskListener {
 public:
  void OnEpochProcessed(const v1::EpochAck& ack, bool) override { acks.push_back(ack); }
  void OnTaskDone(const v1::TaskProgress& task_progress, TaskOutcome task_outcome) override {
    progress = task_progress;
    outcome = std::move(task_outcome);
    done.count_down();
  }

  std::latch done{1};
  std::vector<v1::EpochAck> acks;
  v1::TaskProgress progress;
  TaskOutcome outcome;
};

class TaskTest : public ::testing::Test {
 protected:
  TaskTest() {
    auto input = std::make_unique<ScriptedInput>();
    input_ = input.get();
    chain_.inputs.push_back({1, std::move(input), {}});
    auto output = std::make_unique<CollectingOutput>();
    chain_.outputs.push_back(std::move(output));
  }
  std::shared_ptr<Task> MakeTask(bool streaming = false) {
    auto task = std::make_shared<Task>(pool_, SystemClock(), listener_);
    Task::Options options;
    options.identity = {7, 1, 2, 3, 4, streaming};
    options.chain = std::move(chain_);
    task->Init(std::move(options));
    return task;
  }

  RecordingListener listener_;
  ActorPool pool_{1};
  Chain chain_;
  ScriptedInput* input_ = nullptr;
};

TEST_F(TaskTest, FinishesAndReports) {
  input_->script = {TextBatch("1 | 2", TextSchema("int8 k")), EndOfStream()};
  auto task = MakeTask();
  task->Start();
  listener_.done.wait();
  ASSERT_OK(listener_.outcome.status);
  EXPECT_FALSE(listener_.outcome.cancelled);
  EXPECT_EQ(listener_.progress.state(), v1::TASK_STATE_FINISHED);
  EXPECT_EQ(listener_.progress.rows_in(), 2);
  EXPECT_EQ(listener_.progress.rows_out(), 2);
  EXPECT_EQ(listener_.progress.task_index(), 3);
  EXPECT_EQ(listener_.progress.worker_id(), 4);
}

TEST_F(TaskTest, ReportsHowFarItsScansHaveCome) {
  auto second = std::make_unique<ScriptedInput>();
  second->time = ScanTime{6, false, Watermark::kMinWatermark};
  input_->time = ScanTime{5, true, 30};
  chain_.inputs.push_back({2, std::move(second), {}});
  auto task = MakeTask();
  task->Cancel();
  listener_.done.wait();
  ASSERT_EQ(listener_.progress.scans_size(), 2);
  EXPECT_EQ(listener_.progress.scans(0).scan_id(), 5);
  EXPECT_TRUE(listener_.progress.scans(0).idle());
  EXPECT_EQ(listener_.progress.scans(0).watermark_micros(), 30);
  EXPECT_FALSE(listener_.progress.scans(1).has_watermark_micros());
}

TEST_F(TaskTest, ReportsAFailure) {
  input_->failure = MakeError(SqlState::kIoError, "cannot read a.csv");
  auto task = MakeTask();
  task->Start();
  listener_.done.wait();
  EXPECT_ERROR(listener_.outcome.status, SqlState::kIoError, "a.csv");
  EXPECT_EQ(listener_.progress.state(), v1::TASK_STATE_FAILED);
}

TEST_F(TaskTest, CancelEndsAnIdleTask) {
  auto task = MakeTask();
  task->Start();
  task->Cancel();
  listener_.done.wait();
  EXPECT_TRUE(listener_.outcome.cancelled);
  EXPECT_EQ(listener_.progress.state(), v1::TASK_STATE_CANCELLED);
  task->Cancel();
}

TEST_F(TaskTest, CancelEndsATaskThatNeverRan) {
  auto task = MakeTask();
  task->Cancel();
  listener_.done.wait();
  EXPECT_TRUE(listener_.outcome.cancelled);
}

TEST_F(TaskTest, NothingRunsBeforeTheStart) {
  class Signal final : public Actor {
   public:
    explicit Signal(ActorPool& pool) : Actor(pool) {}
    std::latch ran{1};

   protected:
    StepResult Step() override {
      ran.count_down();
      return StepResult::kDone;
    }
  };
  input_->script = {EndOfStream()};
  auto task = MakeTask();
  // As a channel does whose other end is gone. The pool has one thread, so the signal comes after.
  task->Wake();
  const auto signal = std::make_shared<Signal>(pool_);
  signal->Wake();
  signal->ran.wait();
  v1::TaskProgress progress;
  task->FillProgress(&progress);
  EXPECT_EQ(progress.state(), v1::TASK_STATE_DEPLOYING);
  task->Start();
  listener_.done.wait();
  EXPECT_EQ(listener_.progress.state(), v1::TASK_STATE_FINISHED);
}

TEST_F(TaskTest, AcknowledgesEpochs) {
  input_->script = {Watermark{5}, Barrier{1},
                    Barrier{.epoch = 2, .checkpoint = true, .final = true}};
  auto task = MakeTask(/*streaming=*/true);
  task->Start();
  listener_.done.wait();
  ASSERT_OK(listener_.outcome.status);
  ASSERT_EQ(listener_.acks.size(), 2);
  EXPECT_EQ(listener_.acks[0].epoch(), 1);
  EXPECT_EQ(listener_.acks[0].fragment(), 2);
  EXPECT_EQ(listener_.acks[0].watermark_micros(), 5);
  EXPECT_TRUE(listener_.acks[0].ended());
  EXPECT_EQ(listener_.progress.epoch(), 2);
}

}  // namespace
}  // namespace millrace
