#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

// What others see of a job that is stopped or restarted while it runs.

namespace millrace {
namespace {

class RunningRestartsTest : public StreamJobsTest {
 protected:
  // Of a job that runs, whose workers keep up.
  absl::StatusOr<RestartAnswer> RestartRunning(uint64_t epoch = 0) {
    absl::StatusOr<RestartAnswer> answer = absl::UnknownError("not yet");
    std::atomic<bool> over = false;
    std::thread restarter([&] {
      answer = Restart(epoch);
      over = true;
    });
    while (!over) {
      Step();
      EXPECT_EQ(RecordedState(), v1::JOB_STATE_RUNNING);
      EXPECT_FALSE(jobs_->View(kJob)->complete || jobs_->View(kJob)->stopped);
      std::this_thread::yield();
    }
    restarter.join();
    return answer;
  }
};

// What it has not read yet is missing from its views, also for the next process.
TEST_F(RunningRestartsTest, AStoppedJobIsNotComplete) {
  StartJob();
  Pump();
  Step();
  StopJob();
  ASSERT_EQ(jobs_->View(kJob)->published.back().kind, EpochKind::kFinal);
  EXPECT_FALSE(jobs_->View(kJob)->complete);
  EXPECT_TRUE(jobs_->View(kJob)->stopped);
  StartCoordinator();
  ASSERT_TRUE(jobs_->Recover(*store_->Get(kJob), StreamOptions()).ok());
  while (jobs_->View(kJob)->phase != StreamPhase::kServing) {
    Step(0);
    std::this_thread::yield();
  }
  EXPECT_FALSE(jobs_->View(kJob)->complete);
  EXPECT_TRUE(jobs_->View(kJob)->stopped);
}

TEST_F(RunningRestartsTest, AJobThatIsStoppedAtTheEndOfItsInputIsComplete) {
  StartJob();
  Pump();
  Step();
  input_ended_ = true;
  StopJob();
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_FINISHED);
  EXPECT_TRUE(jobs_->View(kJob)->complete);
  EXPECT_FALSE(jobs_->View(kJob)->stopped);
}

TEST_F(RunningRestartsTest, ARestartIsNoStopAndTakesACheckpointOfNow) {
  StartJob();
  Pump();
  const uint64_t before = NextCheckpoint();
  const auto answer = RestartRunning();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->attempt, 2);
  EXPECT_GT(answer->restored_epoch, before);
  EXPECT_FALSE(store_->Get(kJob)->checkpoints().rbegin()->final());
  RunAttempt(2);
  EXPECT_EQ(restored_, answer->restored_epoch);
  EXPECT_EQ(store_->Get(kJob)->num_restarts(), 0);
}

// Nobody takes what was read before for what is read now.
TEST_F(RunningRestartsTest, WhatWasPublishedBeforeARestartIsNotSeenAfterIt) {
  StartJob();
  Pump();
  Step();
  StopJob();
  for (const uint32_t worker : {1, 2}) {
    cluster_.registry_.Disconnect(WorkerId(worker), absl::UnavailableError("eof"));
  }
  ASSERT_TRUE(Restart().ok());
  EXPECT_TRUE(jobs_->View(kJob)->published.empty());
  EXPECT_FALSE(jobs_->View(kJob)->stopped);
}

TEST_F(RunningRestartsTest, ARestartThatIsRefusedEndsNothing) {
  StartJob();
  Pump();
  const uint64_t durable = NextCheckpoint();
  EXPECT_EQ(GetErrorDetail(RestartRunning(durable + 1000).status()).state,
            SqlState::kUndefinedObject);
  Step();
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kRunning);
  EXPECT_EQ(jobs_->View(kJob)->attempt, 1);
  EXPECT_GT(NextCheckpoint(), durable);
}

TEST_F(RunningRestartsTest, ARestartThatFailsLaterLetsTheJobGoOn) {
  StartJob();
  Pump();
  const uint64_t older = NextCheckpoint();
  const uint64_t newest = NextCheckpoint();
  // One more slot is to be used, and that cannot be written: a folder is in the way.
  cluster_.Join();
  const std::filesystem::path file = folder_ / "jobs" / ("job-" + std::to_string(kJob) + ".pb");
  ASSERT_TRUE(std::filesystem::remove(file));
  std::filesystem::create_directories(file / "in_the_way");
  EXPECT_FALSE(RestartRunning(older).ok());
  RunAttempt(2);
  EXPECT_GE(restored_, newest);
}

TEST_F(RunningRestartsTest, ARunningJobGoesBackToTheOldestCheckpointThatIsKept) {
  StartJob();
  Pump();
  for (int i = 0; i < 3; ++i) NextCheckpoint();
  const uint64_t oldest = Kept().front();
  const auto answer = RestartRunning(oldest);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->restored_epoch, oldest);
  RunAttempt(2);
  EXPECT_EQ(restored_, oldest);
  EXPECT_EQ(Kept(), std::vector<uint64_t>{oldest});
}

TEST_F(RunningRestartsTest, CheckpointsAreKeptWhileTheJobIsHeldForARestart) {
  StartJob();
  Pump();
  for (int i = 0; i < 3; ++i) NextCheckpoint();
  const uint64_t oldest = Kept().front();
  {
    Cancellation token;
    const auto hold = jobs_->HoldForRestart(kJob, token);
    ASSERT_TRUE(hold.ok()) << hold.status();
    NextCheckpoint();
    EXPECT_EQ(Kept().front(), oldest);
    EXPECT_EQ(Kept().size(), 4);
  }
  NextCheckpoint();
  EXPECT_EQ(Kept().size(), 3);
}

}  // namespace
}  // namespace millrace
