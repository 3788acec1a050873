#include <deque>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

class StreamLossesTest : public StreamJobsTest {
 protected:
  // The job's only task is on a worker that is lost again and again, each time after it has
  // reported `rows_in` and what it waits for. Nothing comes in. Returns the losses until the job
  // failed, 0 if it did not.
  uint32_t LoseTheOnlyWorker(uint32_t losses_max, uint64_t rows_in,
                             const std::string& waiting_for) {
    cluster_.registry_.Disconnect(WorkerId(2), absl::UnavailableError("eof"));
    StartJob(OneFragmentPlan(1, kView), 1);
    Pump();
    NextCheckpoint();
    // Every row is durable then.
    NextCheckpoint(0);
    WorkerId worker(1);
    for (uint32_t losses = 1; losses <= losses_max; ++losses) {
      cluster_.registry_.Disconnect(worker, absl::UnavailableError("eof"));
      if (jobs_->View(kJob)->phase == StreamPhase::kFailed) return losses;
      worker = cluster_.Join();
      while (jobs_->View(kJob)->attempt < losses + 1 || jobs_->View(kJob)->published.empty()) {
        Step(0);
        std::this_thread::yield();
      }
      Report(worker, rows_in, waiting_for);
    }
    return 0;
  }
};

TEST_F(StreamLossesTest, AWorkerThatJoinsAgainAndAgainDoesNotKeepAJobFromStarting) {
  StartJob();
  Pump();
  NextCheckpoint();
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  Pump();
  ASSERT_EQ(jobs_->View(kJob)->phase, StreamPhase::kWaiting);
  WorkerId restless = cluster_.Join();
  int joins = 0;
  while (jobs_->View(kJob)->phase == StreamPhase::kWaiting) {
    for (int i = 0; i < 3; ++i) {
      cluster_.clock_.AdvanceMillis(100);
      jobs_->Tick();
      std::this_thread::yield();
    }
    cluster_.registry_.Disconnect(restless, absl::UnavailableError("eof"));
    restless = cluster_.Join();
    ASSERT_LT(++joins, 1000) << "never started";
  }
  // But some are waited for.
  EXPECT_GT(joins, 1);
}

TEST_F(StreamLossesTest, LossesAreListedWithTheirCausesAndNeverFailTheJob) {
  StartJob();
  Pump();
  const uint64_t durable = NextCheckpoint();
  constexpr uint32_t kLosses = 20;
  std::deque<WorkerId> workers = {WorkerId(1), WorkerId(2)};
  for (uint32_t loss = 1; loss <= kLosses; ++loss) {
    // The one that has task 0 and the one that has task 1, in turn.
    const WorkerId lost = loss % 2 == 0 ? workers.front() : workers.back();
    std::erase(workers, lost);
    cluster_.registry_.Disconnect(lost, absl::UnavailableError("eof"));
    workers.push_back(cluster_.Join());
    RunAttempt(loss + 1);
  }
  const v1::JobRecord record = *store_->Get(kJob);
  EXPECT_EQ(record.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(record.num_restarts(), kLosses);
  ASSERT_EQ(record.restarts_size(), 16);
  EXPECT_EQ(record.restarts(15).attempt(), kLosses);
  EXPECT_GE(record.restarts(15).restored_epoch(), durable);
  EXPECT_EQ(record.restarts(15).cause().detail().sqlstate(), "08006");
  EXPECT_THAT(record.restarts(15).cause().message(), HasSubstr("connection to worker"));
}

TEST_F(StreamLossesTest, LossesOfTheOnlyWorkerWithNothingToReadNeverFailTheJob) {
  EXPECT_EQ(LoseTheOnlyWorker(20, 0, "input"), 0);
}

TEST_F(StreamLossesTest, LossesAreCountedWhileRowsAreBeingWorkedOn) {
  EXPECT_GT(LoseTheOnlyWorker(20, 1, "input"), 0);
}

TEST_F(StreamLossesTest, LossesAreCountedWhileThereIsMoreToRead) {
  EXPECT_GT(LoseTheOnlyWorker(20, 0, "rate"), 0);
}

TEST_F(StreamLossesTest, TaskThatEndsItsWorkerAgainAndAgainFailsTheJobWithItsPlace) {
  StartJob();
  Pump();
  NextCheckpoint();
  cluster_.registry_.Disconnect(WorkerId(2), absl::UnavailableError("eof"));
  uint32_t worker = 1;
  while (jobs_->View(kJob)->phase != StreamPhase::kFailed) {
    // All tasks are on one worker, and it ends before the first epoch.
    cluster_.registry_.Disconnect(WorkerId(worker), absl::UnavailableError("eof"));
    worker = cluster_.Join().value();
    const uint32_t attempt = jobs_->View(kJob)->attempt;
    while (jobs_->View(kJob)->phase == StreamPhase::kWaiting) {
      cluster_.clock_.AdvanceMillis(500);
      jobs_->Tick();
      std::this_thread::yield();
    }
    Pump();
    ASSERT_LE(jobs_->View(kJob)->attempt, attempt + 1);
    ASSERT_LT(worker, 40) << "an endless loop";
  }
  const std::string message(jobs_->View(kJob)->error.message());
  EXPECT_THAT(message, HasSubstr("times in a row while they ran task 0.0, 0.1"));
  EXPECT_THAT(message, HasSubstr("split 0 from offset 0 (after row"));
}

}  // namespace
}  // namespace millrace
