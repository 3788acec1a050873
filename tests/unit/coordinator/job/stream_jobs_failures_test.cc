#include <filesystem>
#include <iterator>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

class StreamFailuresTest : public StreamJobsTest {
 protected:
  // A job whose first checkpoint has begun, and does not come to an end.
  void StartJobWhoseCheckpointHangs() {
    StartJob();
    Pump();
    Step();
    checkpoint_hangs_ = true;
    jobs_->WantCheckpoint(kJob);
    Step();
  }
};

TEST_F(StreamFailuresTest, ViewWithALostWorkerIsAwaitedFromTheLossOn) {
  StartJob();
  Pump();
  Step();
  ASSERT_TRUE(jobs_->BindViews({{kView, 0}}).ok());
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  // The other worker has not answered the cancellation yet.
  ASSERT_EQ(jobs_->View(kJob)->phase, StreamPhase::kRunning);
  EXPECT_EQ(GetErrorDetail(jobs_->BindViews({{kView, 0}}).status()).retry, Retry::kSafe);
}

TEST_F(StreamFailuresTest, FilesOfWindowsThatCloseWithoutNewRowsBecomeDurable) {
  StartJob();
  Pump();
  NextCheckpoint();
  // Every row is durable then.
  const uint64_t before = NextCheckpoint(0);
  const std::string final_path = StageAFile();
  for (int i = 0; i < 60; ++i) Step(0);
  ASSERT_TRUE(
      WaitFor([before](const StreamView& view) { return view.durable_epoch > before; }).ok());
  EXPECT_TRUE(std::filesystem::exists(final_path));
  // Once committed it belongs to its readers; a restart does not miss it.
  std::filesystem::remove(final_path);
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  Pump();
  Step(0);
  EXPECT_TRUE(
      WaitFor([](const StreamView& view) { return view.phase == StreamPhase::kRunning; }).ok());
}

// The pointer has moved, and the files cannot be put in place: the next attempt goes on from the
// new checkpoint, which finishes them, and not from the one before, which would write them once
// more.
TEST_F(StreamFailuresTest, FailedCommitOfFilesGoesOnFromTheNewCheckpoint) {
  StartJob();
  Pump();
  StageAFile();
  std::filesystem::remove(folder_ / "_staged");
  // The folder is the right one: earlier commits have left this.
  std::filesystem::create_directory(folder_ / kManifestFolder);
  for (int i = 0; i < 25; ++i) Step();
  // The error ends the attempt once the workers have answered.
  while (jobs_->View(kJob)->phase != StreamPhase::kFailed) {
    Pump();
    std::this_thread::yield();
  }
  const v1::JobRecord record = *store_->Get(kJob);
  EXPECT_GT(record.durable_epoch(), 0);
  EXPECT_EQ(jobs_->View(kJob)->durable_epoch, record.durable_epoch());
}

// The write may be on the disk although it has reported an error; the next one that succeeds
// settles that.
TEST_F(StreamFailuresTest, CheckpointWhosePointerMayHaveBeenWrittenStaysUntilThatIsSettled) {
  StartJob();
  Pump();
  NextCheckpoint();
  const std::filesystem::path newest = checkpoints_.JobFolder(kJob);
  const auto num_manifests = [&newest] {
    int manifests = 0;
    for (const auto& entry : std::filesystem::directory_iterator(newest)) {
      if (entry.path().filename().string().starts_with("manifest-")) ++manifests;
    }
    return manifests;
  };
  ASSERT_EQ(num_manifests(), 1);
  cluster_.store_.FailTransactions(MakeError(SqlState::kDiskFull, "no space left"));
  jobs_->WantCheckpoint(kJob);
  // The first attempt ends because the pointer could not be written, the others because their
  // number could not.
  while (jobs_->View(kJob)->phase != StreamPhase::kFailed) {
    Step();
    std::this_thread::yield();
  }
  EXPECT_EQ(num_manifests(), 2);
  cluster_.store_.FailTransactions(absl::OkStatus());
  Cancellation token;
  ASSERT_TRUE(jobs_->Restart({kJob, 0, ""}, token).ok());
  while (jobs_->View(kJob)->phase != StreamPhase::kRunning) {
    Step();
    std::this_thread::yield();
  }
  EXPECT_EQ(num_manifests(), 1);
}

TEST_F(StreamFailuresTest, CancelledJobStaysCancelledWhateverItsLastCheckpointDoes) {
  StartJob();
  Pump();
  Step();
  ASSERT_TRUE(
      store_->Update(kJob, [](v1::JobRecord& record) { record.set_state(v1::JOB_STATE_CANCELLED); })
          .ok());
  for (int i = 0; i < 60; ++i) Step();
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(store_->Get(kJob)->durable_epoch(), 0);
}

TEST_F(StreamFailuresTest, GoesOnWithoutACheckpointThatCannotBeWritten) {
  StartJob();
  Pump();
  const std::string final_path = StageAFile();
  checkpoint_error_ = MakeError(SqlState::kDiskFull, "no space left");
  for (int i = 0; i < 45; ++i) Step();
  const StreamView failing = *jobs_->View(kJob);
  EXPECT_EQ(failing.phase, StreamPhase::kRunning);
  EXPECT_EQ(failing.attempt, 1u);
  EXPECT_EQ(failing.durable_epoch, 0u);
  EXPECT_EQ(GetErrorDetail(failing.last_error).state, SqlState::kDiskFull);
  EXPECT_EQ(failing.waits_for, failing.last_error);
  EXPECT_FALSE(std::filesystem::exists(final_path));

  checkpoint_error_ = absl::OkStatus();
  NextCheckpoint();
  EXPECT_TRUE(jobs_->View(kJob)->last_error.ok());
  EXPECT_TRUE(jobs_->View(kJob)->waits_for.ok());
  EXPECT_EQ(jobs_->View(kJob)->attempt, 1u);
  EXPECT_TRUE(std::filesystem::exists(final_path));
}

// Its next attempt cannot be prepared.
TEST_F(StreamFailuresTest, AFolderThatIsAwayIsShownWhileItIsAwaited) {
  StartJob();
  Pump();
  NextCheckpoint();
  const std::filesystem::path away = folder_ / "away";
  std::filesystem::rename(folder_ / "checkpoints", away);
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  cluster_.Join();
  Pump();
  // Several tries.
  while (cluster_.clock_.MonotonicMicros() < 60'000'000) {
    Step(0);
    std::this_thread::yield();
  }
  ASSERT_TRUE(WaitFor([](const StreamView& view) {
                return GetErrorDetail(view.waits_for).state == SqlState::kIoError;
              }).ok());
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kWaiting);
  const auto record = [this] { return *store_->Get(kJob); };
  while (record().restarts_size() < 2) std::this_thread::yield();
  EXPECT_THAT(record().restarts(0).cause().message(), HasSubstr("connection to worker 1"));
  EXPECT_EQ(record().restarts(1).cause().detail().sqlstate(), "58030");
  std::filesystem::rename(away, folder_ / "checkpoints");
  RunAttempt(2);
  EXPECT_TRUE(jobs_->View(kJob)->waits_for.ok());
  // Each cause once.
  EXPECT_EQ(record().restarts_size(), 2);
}

TEST_F(StreamFailuresTest, AFolderThatStaysAwayFailsTheJobWithItsRestarts) {
  StartJob();
  Pump();
  NextCheckpoint();
  std::filesystem::rename(folder_ / "checkpoints", folder_ / "away");
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  Pump();
  const int64_t begin_micros = cluster_.clock_.MonotonicMicros();
  while (jobs_->View(kJob)->phase != StreamPhase::kFailed) {
    Step(0);
    std::this_thread::yield();
  }
  EXPECT_GE(cluster_.clock_.MonotonicMicros() - begin_micros, 120'000'000);
  EXPECT_EQ(GetErrorDetail(jobs_->View(kJob)->error).state, SqlState::kIoError);
  EXPECT_EQ(store_->Get(kJob)->restarts_size(), 2);
}

TEST_F(StreamFailuresTest, ACheckpointThatHangsIsGivenUpWithTheNameOfTheWorker) {
  StartJobWhoseCheckpointHangs();
  // Epochs go on, the checkpoint does not.
  for (int i = 0; i < 100; ++i) Step();
  EXPECT_EQ(jobs_->View(kJob)->durable_epoch, 0);
  EXPECT_TRUE(jobs_->View(kJob)->last_error.ok());
  cluster_.clock_.AdvanceMillis(300'000);
  jobs_->Tick();
  const absl::Status error = jobs_->View(kJob)->last_error;
  EXPECT_EQ(GetErrorDetail(error).state, SqlState::kIoError);
  const WorkerId hangs =
      task_of_.begin()->second == 0 ? task_of_.begin()->first : std::next(task_of_.begin())->first;
  EXPECT_THAT(
      std::string(error.message()),
      HasSubstr(absl::StrCat("worker ", hangs.value(), " has not written its part in 300 s")));
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kRunning);
  checkpoint_hangs_ = false;
  NextCheckpoint();
  EXPECT_EQ(jobs_->View(kJob)->attempt, 1);
}

TEST_F(StreamFailuresTest, AStopThatIsGivenUpIsForgotten) {
  // No last epoch begins while this one is under way.
  StartJobWhoseCheckpointHangs();
  const uint64_t before = jobs_->View(kJob)->published.back().epoch;
  Cancellation impatient;
  impatient.Cancel(CancelledByUser());
  EXPECT_EQ(GetErrorDetail(jobs_->Stop(kJob, impatient)).state, SqlState::kQueryCanceled);
  Step();
  EXPECT_GT(jobs_->View(kJob)->published.back().epoch, before);
  checkpoint_hangs_ = false;
  cluster_.clock_.AdvanceMillis(300'000);
  NextCheckpoint();
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kRunning);
}

TEST_F(StreamFailuresTest, SeveralCheckpointsThatCannotBeWrittenEndTheAttempt) {
  StartJob();
  Pump();
  checkpoint_error_ = MakeError(SqlState::kDiskFull, "no space left");
  int steps = 0;
  while (jobs_->View(kJob)->attempt == 1 && jobs_->View(kJob)->phase == StreamPhase::kRunning) {
    Step();
    ++steps;
    std::this_thread::yield();
  }
  // Not before some of them.
  EXPECT_GT(steps, 80);
}

}  // namespace
}  // namespace millrace
