#include "coordinator/job/attempt_state.h"

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

using Action = AttemptState::Action;

const WorkerId kOne(1);
const WorkerId kTwo(2);
const TaskKey kTaskOfOne{0, 0};
const TaskKey kTaskOfTwo{0, 1};

absl::Status DivisionByZero() { return MakeError(SqlState::kDivisionByZero, "division by zero"); }
absl::Status Cancelled() { return MakeError(SqlState::kQueryCanceled, "canceled"); }
absl::Status Lost() { return MakeError(SqlState::kConnectionFailure, "lost"); }

class AttemptStateTest : public ::testing::Test {
 protected:
  static std::vector<v1::TaskPlacement> Placements() {
    std::vector<v1::TaskPlacement> placements(2);
    placements[0].set_worker_id(1);
    placements[1].set_worker_id(2);
    placements[1].set_task_index(1);
    return placements;
  }
  void Start() {
    EXPECT_EQ(state_.OnDeployed(kOne, absl::OkStatus()), Action::kNone);
    EXPECT_EQ(state_.OnDeployed(kTwo, absl::OkStatus()), Action::kStart);
  }

  AttemptState state_{Placements()};
};

TEST_F(AttemptStateTest, StartsWhenAllHaveDeployedAndEndsWhenAllTasksHave) {
  Start();
  EXPECT_EQ(state_.OnTaskFinished(kTaskOfTwo), Action::kNone);
  EXPECT_EQ(state_.OnTaskFinished(kTaskOfTwo), Action::kNone);
  EXPECT_EQ(state_.OnTaskFinished(kTaskOfOne), Action::kEnded);
  EXPECT_TRUE(state_.outcome().ok());
}

TEST_F(AttemptStateTest, FailedDeploymentCancelsTheOthers) {
  EXPECT_EQ(state_.OnDeployed(kOne, DivisionByZero()), Action::kCancel);
  EXPECT_EQ(state_.OnDeployed(kTwo, absl::OkStatus()), Action::kNone);
  EXPECT_EQ(state_.OnWorkerCancelled(kTwo), Action::kNone);
  EXPECT_EQ(state_.OnWorkerCancelled(kOne), Action::kEnded);
  EXPECT_EQ(state_.outcome(), DivisionByZero());
}

TEST_F(AttemptStateTest, FirstRealErrorWinsOverItsConsequences) {
  Start();
  EXPECT_EQ(state_.OnTaskFailed(kTaskOfOne, Cancelled()), Action::kCancel);
  EXPECT_EQ(state_.OnTaskFailed(kTaskOfTwo, DivisionByZero()), Action::kNone);
  state_.OnWorkerCancelled(kOne);
  EXPECT_EQ(state_.OnWorkerCancelled(kTwo), Action::kEnded);
  EXPECT_EQ(state_.outcome(), DivisionByZero());
}

TEST_F(AttemptStateTest, LaterErrorDoesNotReplaceTheFirst) {
  Start();
  state_.OnTaskFailed(kTaskOfOne, DivisionByZero());
  state_.OnTaskFailed(kTaskOfTwo, MakeError(SqlState::kNumericOutOfRange, "later"));
  EXPECT_EQ(state_.outcome(), DivisionByZero());
}

TEST_F(AttemptStateTest, LostWorkerFailsTheAttemptAndIsNotWaitedFor) {
  Start();
  EXPECT_EQ(state_.OnWorkerLost(kTwo, Lost()), Action::kCancel);
  EXPECT_EQ(state_.workers().size(), 1);
  EXPECT_EQ(state_.OnWorkerCancelled(kOne), Action::kEnded);
  EXPECT_EQ(state_.outcome(), Lost());
}

TEST_F(AttemptStateTest, LossOfTheLastWorkerEndsTheAttempt) {
  Start();
  EXPECT_EQ(state_.OnWorkerLost(kOne, Lost()), Action::kCancel);
  EXPECT_EQ(state_.OnWorkerLost(kTwo, Lost()), Action::kEnded);
}

TEST_F(AttemptStateTest, LossWhileDeployingIsAFailure) {
  state_.OnDeployed(kOne, absl::OkStatus());
  EXPECT_EQ(state_.OnWorkerLost(kTwo, Lost()), Action::kCancel);
  EXPECT_EQ(state_.phase(), AttemptPhase::kCancelling);
}

TEST_F(AttemptStateTest, CancellationByTheUserIsTheOutcome) {
  Start();
  EXPECT_EQ(state_.Cancel(Cancelled()), Action::kCancel);
  state_.OnTaskFailed(kTaskOfOne, DivisionByZero());
  EXPECT_EQ(state_.Cancel(Lost()), Action::kNone);
  state_.OnWorkerCancelled(kOne);
  EXPECT_EQ(state_.OnWorkerCancelled(kTwo), Action::kEnded);
  EXPECT_EQ(state_.outcome(), Cancelled());
}

TEST_F(AttemptStateTest, CancellationOfAFailedAttemptKeepsTheError) {
  Start();
  state_.OnTaskFailed(kTaskOfOne, DivisionByZero());
  state_.Cancel(Cancelled());
  EXPECT_EQ(state_.outcome(), DivisionByZero());
}

TEST_F(AttemptStateTest, GivesUpOnWorkersThatDoNotAnswer) {
  Start();
  EXPECT_EQ(state_.GiveUp(), Action::kNone);
  state_.Cancel(Cancelled());
  EXPECT_EQ(state_.GiveUp(), Action::kEnded);
  EXPECT_EQ(state_.OnWorkerCancelled(kOne), Action::kNone);
  EXPECT_EQ(state_.GiveUp(), Action::kNone);
}

TEST_F(AttemptStateTest, NothingHappensAfterTheEnd) {
  Start();
  state_.OnTaskFinished(kTaskOfOne);
  state_.OnTaskFinished(kTaskOfTwo);
  EXPECT_EQ(state_.OnTaskFailed(kTaskOfOne, DivisionByZero()), Action::kNone);
  EXPECT_EQ(state_.OnWorkerLost(kOne, Lost()), Action::kNone);
  EXPECT_EQ(state_.Cancel(Cancelled()), Action::kNone);
  EXPECT_TRUE(state_.outcome().ok());
}

}  // namespace
}  // namespace millrace
