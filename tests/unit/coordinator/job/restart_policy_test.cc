#include "coordinator/job/restart_policy.h"

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using Verdict = RestartPolicy::Verdict;

absl::Status Loss() {
  return MakeError(ErrorDetail{SqlState::kConnectionFailure, 0, "", Blame::kExternal, Retry::kSafe},
                   "worker 1 was lost");
}

TEST(RestartPolicyTest, ErrorThatWouldComeAgainFailsAtOnce) {
  RestartPolicy policy;
  EXPECT_EQ(policy.OnAttemptEnded(MakeError(SqlState::kDivisionByZero, "division by zero"), {}, 5),
            Verdict::kFail);
}

TEST(RestartPolicyTest, ErrorOfADiskIsTriedAFewTimes) {
  RestartPolicy policy;
  const absl::Status full = MakeError(SqlState::kDiskFull, "no space left");
  for (int i = 0; i < RestartPolicy::kErrorsMax; ++i) {
    EXPECT_EQ(policy.OnAttemptEnded(full, {}, 0), Verdict::kRestart) << i;
  }
  EXPECT_EQ(policy.OnAttemptEnded(full, {}, 0), Verdict::kFail);
  policy.OnProgress(10);
  EXPECT_EQ(policy.OnAttemptEnded(full, {}, 10), Verdict::kRestart);
}

TEST(RestartPolicyTest, LossesOfDifferentTasksNeverFailAJob) {
  RestartPolicy policy;
  for (uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, i % 3}, {1, i % 3}}, 0), Verdict::kRestart);
  }
  // A connection broke, or no worker was there.
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(policy.OnAttemptEnded(Loss(), {}, 0), Verdict::kRestart);
  }
}

TEST(RestartPolicyTest, LossesWithProgressBetweenThemNeverFailAJob) {
  RestartPolicy policy;
  for (uint64_t i = 1; i < 100; ++i) {
    EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, 0}}, i), Verdict::kRestart);
    policy.OnProgress(i + 1);
  }
}

TEST(RestartPolicyTest, LossesWithNothingToReadNeverFailAJob) {
  RestartPolicy policy;
  for (int i = 0; i < 100; ++i) {
    policy.OnCaughtUp();
    EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, 0}}, 7), Verdict::kRestart) << i;
    EXPECT_EQ(policy.PauseMicros(), 200'000) << i;
  }
  // It is not the processes' fault that a disk is full.
  const absl::Status full = MakeError(SqlState::kDiskFull, "no space left");
  for (int i = 0; i < RestartPolicy::kErrorsMax; ++i) policy.OnAttemptEnded(full, {}, 7);
  policy.OnCaughtUp();
  EXPECT_EQ(policy.OnAttemptEnded(full, {}, 7), Verdict::kFail);
}

TEST(RestartPolicyTest, ProcessThatEndsAgainAndAgainWithTheSameTaskIsCrashedByIt) {
  RestartPolicy policy;
  for (uint32_t i = 1; i < RestartPolicy::kCrashesMax; ++i) {
    EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, 2}, {1, i}}, 7), Verdict::kRestart) << i;
  }
  EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}, {0, 2}}, 7), Verdict::kFailCrash);
  EXPECT_THAT(policy.suspects(), ElementsAre(TaskKey{0, 2}));
}

TEST(RestartPolicyTest, EpochsAreDurableFromTheSecondFailureUntilItsPlaceIsPassed) {
  RestartPolicy policy;
  policy.OnAttemptEnded(Loss(), {{0, 0}}, 40);
  EXPECT_FALSE(policy.MakesEveryEpochDurable());
  policy.OnAttemptEnded(Loss(), {{0, 0}}, 30);
  EXPECT_TRUE(policy.MakesEveryEpochDurable());
  policy.OnProgress(40);
  EXPECT_TRUE(policy.MakesEveryEpochDurable());
  policy.OnProgress(41);
  EXPECT_FALSE(policy.MakesEveryEpochDurable());
}

TEST(RestartPolicyTest, PausesGrowToABound) {
  RestartPolicy policy;
  policy.OnAttemptEnded(Loss(), {}, 0);
  const int64_t first = policy.PauseMicros();
  policy.OnAttemptEnded(Loss(), {}, 0);
  EXPECT_EQ(policy.PauseMicros(), 2 * first);
  for (int i = 0; i < 100; ++i) policy.OnAttemptEnded(Loss(), {}, 0);
  EXPECT_EQ(policy.PauseMicros(), 10'000'000);
  policy.OnProgress(1);
  EXPECT_EQ(policy.PauseMicros(), first);
}

}  // namespace
}  // namespace millrace
