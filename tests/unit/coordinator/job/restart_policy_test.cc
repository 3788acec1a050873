#include "coordinator/job/restart_policy.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ReadLimit = RestartPolicy::ReadLimit;
using Verdict = RestartPolicy::Verdict;

const std::set<SplitKey> kOneSplit = {{4, 7}};
const std::set<SplitKey> kNoSplit;

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

TEST(RestartPolicyTest, ADiskMayBeAwayForTwoMinutes) {
  RestartPolicy policy;
  const absl::Status away = MakeError(SqlState::kIoError, "the folder is not there");
  int64_t pauses_micros = 0;
  while (policy.OnAttemptEnded(away, {}, 0) == Verdict::kRestart) {
    pauses_micros += policy.PauseMicros();
  }
  EXPECT_GE(pauses_micros, 120'000'000);
  EXPECT_LE(pauses_micros, 180'000'000);
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

TEST(RestartPolicyTest, LossesOutsideOfItsTurnsNeverFailAJob) {
  RestartPolicy policy;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(policy.OnAttemptEnded(Loss(), {{0, 0}}, 7, kOneSplit, RestartPolicy::Turn::kOver),
              Verdict::kRestart)
        << i;
  }
  EXPECT_TRUE(policy.on_trial());
  // What ends a process late has the time to do it alone.
  EXPECT_EQ(policy.longer_turns(), RestartPolicy::kLongerTurnsMax);
  for (int i = RestartPolicy::kTrialCrashesMin + 1; i < RestartPolicy::kCrashesMax; ++i) {
    ASSERT_EQ(policy.OnAttemptEnded(Loss(), {{0, 0}}, 7), Verdict::kRestart) << i;
  }
  // It has outlived a turn: those before do not count.
  policy.OnAttemptEnded(Loss(), {{0, 0}}, 7, kNoSplit, RestartPolicy::Turn::kOver);
  EXPECT_EQ(policy.crashes(), RestartPolicy::kTrialCrashesMin);
  policy.OnProgress(8);
  EXPECT_EQ(policy.longer_turns(), 0);
}

TEST(RestartPolicyTest, LossesElsewhereBeginTheCountOfItsTurnsAgain) {
  RestartPolicy policy;
  for (int i = 1; i < RestartPolicy::kCrashesMax; ++i) policy.OnAttemptEnded(Loss(), {{0, 0}}, 7);
  policy.OnOtherLoss();
  EXPECT_EQ(policy.crashes(), RestartPolicy::kTrialCrashesMin);
  EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, 0}}, 7), Verdict::kRestart);
}

TEST(RestartPolicyTest, SuspectedIsWhoHasLostWorkersOrSeeksARow) {
  RestartPolicy policy;
  EXPECT_FALSE(policy.suspected());
  policy.OnAttemptEnded(Loss(), {{0, 0}}, 7);
  EXPECT_TRUE(policy.suspected());
  policy.OnProgress(8);
  EXPECT_FALSE(policy.suspected());
  for (int i = 0; i < 3; ++i) policy.OnAttemptEnded(Loss(), {{0, 0}}, 8, kOneSplit);
  policy.OnProgress(9);
  EXPECT_TRUE(policy.suspected());
  EXPECT_FALSE(policy.on_trial());
}

TEST(RestartPolicyTest, EpochsAreLimitedFromTheSecondFailureUntilItsPlaceIsPassed) {
  RestartPolicy policy;
  policy.OnAttemptEnded(Loss(), {{0, 0}}, 40);
  EXPECT_FALSE(policy.limit().has_value());
  policy.OnAttemptEnded(Loss(), {{0, 0}}, 30);
  EXPECT_EQ(policy.limit(), (ReadLimit{1 << 20, false}));
  for (int i = 0; i < 1000; ++i) policy.OnProgress(40);
  EXPECT_TRUE(policy.limit().has_value());
  for (int i = 0; i < RestartPolicy::kLevelCheckpoints; ++i) {
    EXPECT_TRUE(policy.limit().has_value()) << i;
    policy.OnProgress(41 + static_cast<uint64_t>(i));
  }
  EXPECT_FALSE(policy.limit().has_value());
}

TEST(RestartPolicyTest, EveryLossWhileRowsAreReadNarrowsThem) {
  RestartPolicy policy;
  for (int i = 0; i < 2; ++i) policy.OnAttemptEnded(Loss(), {{0, 1}}, 500);
  std::vector<ReadLimit> limits;
  for (uint64_t attempt = 0; attempt < 6; ++attempt) {
    limits.push_back(*policy.limit());
    // A step of progress in each attempt changes nothing.
    policy.OnProgress(100 + attempt);
    policy.OnAttemptEnded(Loss(), {{0, 1}, {1, static_cast<uint32_t>(attempt)}}, 100 + attempt,
                          {{4, 7}, {4, 8}});
  }
  EXPECT_THAT(limits, ElementsAre(ReadLimit{1 << 20, false}, ReadLimit{1 << 15, false},
                                  ReadLimit{1 << 10, false}, ReadLimit{32, false},
                                  ReadLimit{1, false}, ReadLimit{1, true}));
  EXPECT_THAT(policy.suspected_splits(), ElementsAre(SplitKey{4, 7}, SplitKey{4, 8}));
}

TEST(RestartPolicyTest, LossesOfOtherTasksOrBetweenEpochsDoNotNarrow) {
  RestartPolicy policy;
  for (int i = 0; i < 2; ++i) policy.OnAttemptEnded(Loss(), {{0, 0}}, 0);
  policy.OnAttemptEnded(Loss(), {{0, 0}}, 0, kOneSplit);
  EXPECT_EQ(policy.limit()->rows_max, 1 << 15);
  policy.OnAttemptEnded(Loss(), {{0, 1}}, 0, kOneSplit);
  EXPECT_EQ(policy.limit()->rows_max, 1 << 15);
  policy.OnAttemptEnded(Loss(), {{0, 1}}, 0);
  EXPECT_EQ(policy.limit()->rows_max, 1 << 15);
  policy.OnAttemptEnded(Loss(), {{0, 1}}, 0, kOneSplit);
  EXPECT_EQ(policy.limit()->rows_max, 1 << 10);
}

TEST(RestartPolicyTest, RowThatEndsEveryProcessFailsTheJob) {
  RestartPolicy policy;
  for (int i = 0; i < 2; ++i) policy.OnAttemptEnded(Loss(), {{0, 1}}, 500);
  while (!policy.limit()->in_turns) {
    policy.OnProgress(100);
    ASSERT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}}, 100, kOneSplit), Verdict::kRestart);
  }
  // As many losses at one place as without an idea of the row.
  for (int i = 2; i < RestartPolicy::kCrashesMax; ++i) {
    ASSERT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}}, 100, kOneSplit), Verdict::kRestart) << i;
  }
  EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}}, 100, kOneSplit), Verdict::kFailRow);
  EXPECT_THAT(policy.suspects(), ElementsAre(TaskKey{0, 1}));
  EXPECT_EQ(policy.crashes(), RestartPolicy::kCrashesMax);
}

TEST(RestartPolicyTest, LastLevelIsOverWhenTheSuspectedRowsAreDurable) {
  RestartPolicy policy;
  for (int i = 0; i < 2; ++i) policy.OnAttemptEnded(Loss(), {{0, 1}}, 0);
  while (!policy.limit()->in_turns) {
    policy.OnAttemptEnded(Loss(), {{0, 1}}, 100, {{4, 7}, {4, 8}});
  }
  policy.OnProgress(101);
  EXPECT_TRUE(policy.limit().has_value());
  policy.OnProgress(102);
  EXPECT_FALSE(policy.limit().has_value());
  EXPECT_THAT(policy.suspected_splits(), IsEmpty());
}

TEST(RestartPolicyTest, ARowIsNamedOnlyAfterSomeLossesWithNothingElse) {
  RestartPolicy policy;
  // The first row of the input: there is never any progress.
  int losses = 2;
  for (int i = 0; i < 2; ++i) policy.OnAttemptEnded(Loss(), {{0, 1}}, 0);
  for (; !policy.limit()->in_turns; ++losses) {
    ASSERT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}}, 0, kOneSplit), Verdict::kRestart);
  }
  EXPECT_EQ(losses, 7);
  // Of another split, then of the one.
  ASSERT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}}, 0, {{4, 8}}), Verdict::kRestart);
  for (int i = 1; i < RestartPolicy::kRowCrashesMin; ++i) {
    ASSERT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}}, 0, kOneSplit), Verdict::kRestart);
  }
  EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}}, 0, kOneSplit), Verdict::kFailRow);
}

TEST(RestartPolicyTest, ProcessThatEndsWithoutReadingFailsTheJobInTheLastLevelToo) {
  RestartPolicy policy;
  for (int i = 0; i < 2; ++i) policy.OnAttemptEnded(Loss(), {{0, 1}}, 0);
  while (!policy.limit()->in_turns) policy.OnAttemptEnded(Loss(), {{0, 1}}, 0, kOneSplit);
  EXPECT_EQ(policy.OnAttemptEnded(Loss(), {{0, 1}}, 0), Verdict::kFailCrash);
}

// Its only worker is killed every so many epochs, whatever it does.
TEST(RestartPolicyTest, UnluckyJobGetsOn) {
  for (const int epochs_per_life : {1, 3, 10, 19}) {
    SCOPED_TRACE(epochs_per_life);
    RestartPolicy policy;
    uint64_t durable = 0;
    int fast_lives = 0;
    for (int life = 0; life < 400; ++life) {
      const bool limited = policy.limit().has_value();
      if (!limited || policy.limit()->rows_max == 1 << 20) ++fast_lives;
      uint64_t read = durable;
      for (int epoch = 0; epoch < epochs_per_life; ++epoch) {
        read += policy.limit().has_value() ? std::min<uint64_t>(policy.limit()->rows_max, 50'000)
                                           : 50'000;
        // Without a limit there is a checkpoint from time to time only.
        if (!policy.limit().has_value() && epoch % 20 != 19) continue;
        durable = read;
        policy.OnProgress(durable);
      }
      ASSERT_EQ(policy.OnAttemptEnded(Loss(), {{0, 0}}, read,
                                      policy.limit().has_value() ? kOneSplit : kNoSplit),
                Verdict::kRestart)
          << life;
    }
    EXPECT_GT(durable, 1'000'000);
    EXPECT_GT(fast_lives, 100);
  }
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
