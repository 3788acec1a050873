#include "coordinator/job/worker_drain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "tests/unit/coordinator/job/fake_cluster.h"

namespace millrace {
namespace {

class SilentObserver final : public AttemptObserver {
 public:
  void OnStarted() override {}
  void OnEnded(AttemptOutcome) override {}
};

class WorkerDrainTest : public ::testing::Test {
 protected:
  int NumDrains(WorkerId worker) {
    int drains = 0;
    for (const v1::CoordinatorMessage& message : cluster_.link(worker).Take()) {
      drains += message.has_drain() ? 1 : 0;
    }
    return drains;
  }
  void SayLeaving(WorkerId worker) {
    v1::WorkerMessage message;
    message.mutable_leaving();
    cluster_.registry_.Receive(worker, message);
    drain_.OnWorkerLeaving(worker);
  }

  FakeCluster cluster_;
  WorkerDrain drain_{cluster_.registry_, cluster_.runs_};
};

TEST_F(WorkerDrainTest, IdleWorkerThatLeavesIsLetGoOnce) {
  const WorkerId worker = cluster_.Join();
  SayLeaving(worker);
  drain_.Tick();
  drain_.Tick();
  EXPECT_EQ(NumDrains(worker), 1);
}

TEST_F(WorkerDrainTest, WorkerWithTasksIsLetGoWhenTheyAreGone) {
  const WorkerId worker = cluster_.Join();
  AttemptSpec spec;
  spec.job_id = 5;
  spec.plan = OneFragmentPlan(1);
  spec.scans.resize(1);
  spec.scans[0].scan_id = 7;
  ASSERT_TRUE(cluster_.runs_.Start(std::move(spec), std::make_shared<SilentObserver>()).ok());
  SayLeaving(worker);
  drain_.Tick();
  EXPECT_EQ(NumDrains(worker), 0);
  cluster_.runs_.Cancel(5, 1, absl::CancelledError("enough"));
  v1::WorkerMessage cancelled;
  cancelled.mutable_cancelled()->set_job_id(5);
  cancelled.mutable_cancelled()->set_attempt(1);
  cluster_.runs_.OnWorkerMessage(worker, cancelled);
  drain_.Tick();
  EXPECT_EQ(NumDrains(worker), 1);
  cluster_.registry_.Disconnect(worker, absl::UnavailableError("closed"));
  EXPECT_EQ(cluster_.registry_.All()[0].lost_reason, "has left");
}

TEST_F(WorkerDrainTest, WorkerThatGoesBeforeItIsLetGoIsLost) {
  const WorkerId worker = cluster_.Join();
  ASSERT_TRUE(drain_.Ask(worker.ToString()).ok());
  SayLeaving(worker);
  cluster_.registry_.Disconnect(worker, absl::UnavailableError("closed"));
  EXPECT_EQ(cluster_.registry_.All()[0].lost_reason, "connection lost: closed");
}

TEST_F(WorkerDrainTest, AskedWorkerIsToldOnceAndGetsNoNewTasks) {
  const WorkerId worker = cluster_.Join();
  ASSERT_TRUE(drain_.Ask(worker.ToString()).ok());
  ASSERT_TRUE(drain_.Ask(worker.ToString()).ok());
  EXPECT_TRUE(cluster_.registry_.Active().empty());
  drain_.Tick();
  EXPECT_EQ(NumDrains(worker), 1);
  // Only what it says itself lets it go.
  SayLeaving(worker);
  drain_.Tick();
  EXPECT_EQ(NumDrains(worker), 1);
}

TEST_F(WorkerDrainTest, UnknownWorkerIsAnError) {
  EXPECT_EQ(GetErrorDetail(drain_.Ask("nobody")).state, SqlState::kUndefinedObject);
}

}  // namespace
}  // namespace millrace
