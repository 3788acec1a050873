#include "coordinator/epoch/cut.h"

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(CutTest, TakesTheNewestEpochThatAllHavePublished) {
  const auto cut = ChooseCut({{1, true, 14, {8, 10, 12, 14}}, {2, true, 12, {9, 12}}}, {});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->epoch, 12);
  EXPECT_THAT(cut->epoch_of_job, ElementsAre(Pair(1, 12), Pair(2, 12)));
}

TEST(CutTest, JobReadsItsNewestEpochBelowTheCut) {
  const auto cut = ChooseCut({{1, true, 14, {10, 14}}, {2, true, 13, {13}}}, {});
  ASSERT_TRUE(cut.ok());
  EXPECT_THAT(cut->epoch_of_job, ElementsAre(Pair(1, 10), Pair(2, 13)));
}

TEST(CutTest, QuietJobDoesNotHoldBackTheOthers) {
  const auto cut = ChooseCut({{1, true, 200, {10}}, {2, true, 200, {199, 200}}}, {});
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ(cut->epoch, 200);
  EXPECT_THAT(cut->epoch_of_job, ElementsAre(Pair(1, 10), Pair(2, 200)));
}

TEST(CutTest, JobAtItsEndStandsStill) {
  const auto cut = ChooseCut({{1, false, 10, {10}}, {2, true, 200, {200}}}, {});
  ASSERT_TRUE(cut.ok());
  EXPECT_THAT(cut->epoch_of_job, ElementsAre(Pair(1, 10), Pair(2, 200)));
  EXPECT_EQ(ChooseCut({{1, false, 10, {10}}}, {})->epoch, 10);
}

TEST(CutTest, JobWithoutAnEpochIsARetryableError) {
  const auto cut = ChooseCut({{1, true, 5, {5}}, {2, true, 0, {}}}, {});
  EXPECT_EQ(GetErrorDetail(cut.status()).state, SqlState::kObjectNotInPrerequisiteState);
  EXPECT_EQ(GetErrorDetail(cut.status()).retry, Retry::kSafe);
}

TEST(CutTest, OlderCutsCanBeAskedForWhileTheyAreKept) {
  const JobCutOffer job{1, true, 14, {8, 10, 12, 14}};
  EXPECT_EQ(ChooseCut({job}, 11)->epoch_of_job.at(1), 10);
  const auto gone = ChooseCut({job}, 7);
  EXPECT_EQ(GetErrorDetail(gone.status()).state, SqlState::kInvalidParameterValue);
  EXPECT_EQ(gone.status().message(), "epoch 7 is not kept any more, the oldest is 8");
  const auto future = ChooseCut({job}, 15);
  EXPECT_EQ(future.status().message(), "epoch 15 is not published yet, the newest is 14");
}

}  // namespace
}  // namespace millrace
