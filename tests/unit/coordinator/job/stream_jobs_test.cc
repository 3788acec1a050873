#include "coordinator/job/stream_jobs.h"

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

namespace millrace {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_F(StreamJobsTest, FirstEpochMakesTheViewReadable) {
  StartJob();
  EXPECT_EQ(GetErrorDetail(jobs_->BindViews({{kView, 0}}).status()).state,
            SqlState::kObjectNotInPrerequisiteState);
  Pump();
  Step();
  Cancellation cancellation;
  ASSERT_TRUE(jobs_->WaitFirstEpoch(kJob, cancellation).ok());
  const auto bound = jobs_->BindViews({{kView, 0}});
  ASSERT_TRUE(bound.ok()) << bound.status();
  ASSERT_EQ(bound->parts.size(), 2);
  EXPECT_EQ(bound->parts[0].epoch, bound->epoch);
  EXPECT_NE(bound->parts[0].worker_id, bound->parts[1].worker_id);
}

TEST_F(StreamJobsTest, EpochsGrowAndOlderOnesCanBeRead) {
  StartJob();
  Pump();
  for (int i = 0; i < 8; ++i) Step();
  const auto view = jobs_->View(kJob);
  ASSERT_EQ(view->published.size(), 4);
  const uint64_t oldest = view->published.front().epoch;
  EXPECT_TRUE(jobs_->BindViews({{kView, oldest}}).ok());
  EXPECT_EQ(GetErrorDetail(jobs_->BindViews({{kView, oldest - 1}}).status()).state,
            SqlState::kInvalidParameterValue);
}

TEST_F(StreamJobsTest, ReaderKeepsItsEpoch) {
  StartJob();
  Pump();
  Step();
  auto bound = jobs_->BindViews({{kView, 0}});
  const uint64_t epoch = bound->parts[0].epoch;
  for (int i = 0; i < 8; ++i) Step();
  EXPECT_EQ(jobs_->View(kJob)->published.front().epoch, epoch);
  bound->pin.reset();
  Step();
  EXPECT_GT(jobs_->View(kJob)->published.front().epoch, epoch);
}

TEST_F(StreamJobsTest, NothingComesInNoEpoch) {
  StartJob();
  Pump();
  Step(10);
  Step(0);
  const uint64_t quiet = jobs_->View(kJob)->published.back().epoch;
  Step(0);
  EXPECT_EQ(jobs_->View(kJob)->published.back().epoch, quiet);
}

TEST_F(StreamJobsTest, CheckpointIsRecordedWithItsManifest) {
  StartJob();
  Pump();
  NextCheckpoint();
  const v1::JobRecord record = *store_->Get(kJob);
  const auto manifest = checkpoints_.ReadManifest(record.checkpoint_manifest());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->epoch(), record.durable_epoch());
  EXPECT_EQ(RowsRead(RestoredEpoch(*manifest).positions) % 20, 0);
}

TEST_F(StreamJobsTest, EndOfInputEndsWithADurableEpoch) {
  StartJob();
  Pump();
  Step();
  input_ended_ = true;
  Step();
  Step(0);
  ASSERT_TRUE(
      WaitFor([](const StreamView& view) { return view.phase == StreamPhase::kServing; }).ok());
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_FINISHED);
  EXPECT_TRUE(jobs_->View(kJob)->complete);
  EXPECT_TRUE(jobs_->BindViews({{kView, 0}}).ok());
}

TEST_F(StreamJobsTest, LostWorkerRestartsFromTheCheckpoint) {
  StartJob();
  Pump();
  NextCheckpoint();
  const uint64_t durable = jobs_->View(kJob)->durable_epoch;
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  Pump();
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kWaiting);
  Step();
  ASSERT_TRUE(
      WaitFor([](const StreamView& view) { return view.phase == StreamPhase::kRunning; }).ok());
  Pump();
  EXPECT_EQ(attempt_, 2);
  EXPECT_EQ(restored_, durable);
  EXPECT_EQ(store_->Get(kJob)->attempt(), 2);
}

TEST_F(StreamJobsTest, RestartedCoordinatorTakesTheJobUp) {
  StartJob();
  Pump();
  NextCheckpoint();
  const uint64_t newest = jobs_->View(kJob)->published.back().epoch;
  for (const uint32_t worker : {1, 2}) {
    cluster_.registry_.Disconnect(WorkerId(worker), absl::UnavailableError("eof"));
  }
  StartCoordinator();
  cluster_.Join();
  cluster_.Join();
  ASSERT_TRUE(jobs_->Recover(*store_->Get(kJob), StreamOptions()).ok());
  Step();
  ASSERT_TRUE(
      WaitFor([](const StreamView& view) { return view.phase == StreamPhase::kRunning; }).ok());
  Pump();
  EXPECT_GT(restored_, 0);
  Step();
  ASSERT_FALSE(jobs_->View(kJob)->published.empty());
  EXPECT_GT(jobs_->View(kJob)->published.back().epoch, newest);
}

TEST_F(StreamJobsTest, StopDrainsAndKeepsTheView) {
  StartJob();
  Pump();
  Step();
  absl::Status stopped;
  std::thread stopper([&] {
    Cancellation cancellation;
    stopped = jobs_->Stop(kJob, cancellation);
  });
  while (!jobs_->View(kJob)->stopped) Step();
  stopper.join();
  ASSERT_TRUE(stopped.ok()) << stopped;
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_STOPPED);
  EXPECT_TRUE(jobs_->BindViews({{kView, 0}}).ok());
}

TEST_F(StreamJobsTest, DropLeavesNothing) {
  StartJob();
  Pump();
  NextCheckpoint();
  ASSERT_TRUE(jobs_->Drop(kJob).ok());
  EXPECT_FALSE(store_->Get(kJob).has_value());
  EXPECT_FALSE(jobs_->View(kJob).has_value());
  EXPECT_THAT(
      std::vector<std::filesystem::path>(std::filesystem::directory_iterator(folder_ / "jobs"), {}),
      IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "checkpoints" / "job-5"));
}

TEST_F(StreamJobsTest, FailureOfATaskIsTheJobsError) {
  StartJob();
  Pump();
  Step();
  cluster_.runs_.Cancel(kJob, attempt_, MakeError(SqlState::kDivisionByZero, "division by zero"));
  Pump();
  const auto bound = jobs_->BindViews({{kView, 0}});
  EXPECT_EQ(GetErrorDetail(bound.status()).state, SqlState::kObjectNotInPrerequisiteState);
  EXPECT_THAT(std::string(bound.status().message()), ::testing::HasSubstr("division by zero"));
  EXPECT_THAT(GetErrorDetail(bound.status()).hint, ::testing::HasSubstr("millrace job restart v;"));
}

TEST_F(StreamJobsTest, FirstEpochHasWhatAStoredTableHadAtTheStart) {
  log_end_ = 3;
  StartTableJob();
  Pump();
  Step(0);
  EXPECT_THAT(assigned_, UnorderedElementsAre(0, 1, 2));
  EXPECT_EQ(ReadOfTable(), 3);
  EXPECT_EQ(RowsRead(jobs_->View(kJob)->published.back().positions), 30);
}

TEST_F(StreamJobsTest, CommitsAreHandedOutOnceAndStandInTheNextEpoch) {
  StartTableJob();
  Pump();
  Step(0);
  Commit();
  Commit();
  jobs_->OnTableChanged(3);
  jobs_->OnTableChanged(4);
  Pump();
  EXPECT_THAT(assigned_, UnorderedElementsAre(0, 1));
  EXPECT_EQ(ReadOfTable(), 0);
  Step(0);
  EXPECT_EQ(ReadOfTable(), 2);
}

TEST_F(StreamJobsTest, TableWithoutNewsMakesNoEpochs) {
  StartTableJob();
  Pump();
  Commit();
  Step(0);
  const uint64_t quiet = jobs_->View(kJob)->published.back().epoch;
  // Much longer than a checkpoint interval: one more for the checkpoint, then none.
  for (int i = 0; i < 60; ++i) Step(0);
  ASSERT_TRUE(WaitFor([](const StreamView& view) { return view.durable_epoch > 0; }).ok());
  const uint64_t durable = jobs_->View(kJob)->published.back().epoch;
  EXPECT_GT(durable, quiet);
  for (int i = 0; i < 60; ++i) Step(0);
  EXPECT_EQ(jobs_->View(kJob)->published.back().epoch, durable);
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kRunning);
}

TEST_F(StreamJobsTest, RestartGoesOnInTheLogWhereTheCheckpointStands) {
  StartTableJob();
  Pump();
  Commit();
  NextCheckpoint(0);
  EXPECT_EQ(jobs_->TableReadEverywhere(3), 1);
  EXPECT_EQ(jobs_->TableReadEverywhere(4), UINT64_MAX);
  Commit();
  Step(0);
  EXPECT_EQ(ReadOfTable(), 2);
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  Pump();
  // Committed while nobody reads.
  ++log_end_;
  jobs_->OnTableChanged(3);
  assigned_.clear();
  cluster_.Join();
  while (jobs_->View(kJob)->attempt < 2) {
    cluster_.clock_.AdvanceMillis(500);
    jobs_->Tick();
    std::this_thread::yield();
  }
  while (jobs_->View(kJob)->published.empty()) Step(0);
  EXPECT_THAT(assigned_, UnorderedElementsAre(1, 2));
  EXPECT_EQ(ReadOfTable(), 3);
}

TEST_F(StreamJobsTest, FlushWaitsForAnEpochWithTheCommitsBeforeIt) {
  StartTableJob();
  Pump();
  Step(0);
  Commit();
  Cancellation cancellation;
  absl::Status flushed = absl::UnknownError("not yet");
  std::thread flusher([&] { flushed = jobs_->Flush(cancellation); });
  while (ReadOfTable() < 1) {
    jobs_->Tick();
    Pump();
    std::this_thread::yield();
  }
  flusher.join();
  EXPECT_TRUE(flushed.ok()) << flushed;
}

TEST_F(StreamJobsTest, StoppedJobTakesNoMoreOfATable) {
  StartTableJob();
  Pump();
  Step(0);
  Cancellation cancellation;
  std::thread stopper([&] { EXPECT_TRUE(jobs_->Stop(kJob, cancellation).ok()); });
  while (jobs_->View(kJob)->phase != StreamPhase::kServing) {
    Step(0);
    std::this_thread::yield();
  }
  stopper.join();
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_STOPPED);
  assigned_.clear();
  Commit();
  Pump();
  EXPECT_THAT(assigned_, IsEmpty());
  // It may be restarted, and goes on in the log where it has stopped.
  EXPECT_EQ(jobs_->TableReadEverywhere(3), 0);
}

}  // namespace
}  // namespace millrace
