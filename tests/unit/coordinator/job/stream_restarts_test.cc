#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StreamRestartsTest : public StreamJobsTest {
 protected:
  void FailJob() {
    cluster_.runs_.Cancel(kJob, attempt_, MakeError(SqlState::kDivisionByZero, "division by zero"));
    while (RecordedState() != v1::JOB_STATE_FAILED) {
      Pump();
      std::this_thread::yield();
    }
  }
  // A job with a sink in the folder.
  void StartSinkJob(const std::filesystem::path& sink) {
    std::filesystem::create_directories(sink);
    auto plan = std::make_shared<v1::PhysicalPlan>(*OneFragmentPlan(2, kView));
    const v1::PlanNode view = plan->fragments(0).root();
    v1::PlanNode& root = *plan->mutable_fragments(0)->mutable_root();
    root.Clear();
    *root.add_inputs() = view;
    auto& options = *root.mutable_file_sink()->mutable_options();
    options["path"] = sink.string();
    options["format"] = "csv";
    StartJob(std::move(plan), 2);
    Pump();
  }
  // Two checkpoints and the job's failure; the newer one is damaged. Returns the older one.
  uint64_t FailBehindADamagedCheckpoint() {
    const uint64_t older = NextCheckpoint();
    NextCheckpoint();
    FailJob();
    std::ofstream(folder_ / "checkpoints" / store_->Get(kJob)->checkpoint_manifest()) << "damaged";
    return older;
  }
  // A job that reads a table: a checkpoint of one commit, then one of two. Returns the first.
  uint64_t MakeTableCheckpoints() {
    StartTableJob();
    Pump();
    Commit();
    const uint64_t older = NextCheckpoint(0);
    Commit();
    NextCheckpoint(0);
    EXPECT_EQ(jobs_->TableReadEverywhere(3), 2);
    return older;
  }
};

TEST_F(StreamRestartsTest, TheNewestCheckpointsAreKeptAndListedWithThePointer) {
  StartJob();
  Pump();
  std::vector<uint64_t> made;
  for (int i = 0; i < 5; ++i) made.push_back(NextCheckpoint());
  const v1::JobRecord record = *store_->Get(kJob);
  EXPECT_EQ(Kept(), std::vector<uint64_t>(made.begin() + 2, made.end()));
  EXPECT_EQ(record.checkpoints(2).manifest(), record.checkpoint_manifest());
  for (const auto& checkpoint : record.checkpoints()) {
    EXPECT_TRUE(checkpoints_.ReadManifest(checkpoint.manifest()).ok());
  }
  size_t num_files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(checkpoints_.JobFolder(kJob))) {
    ++num_files;
  }
  EXPECT_EQ(num_files, 3);
}

TEST_F(StreamRestartsTest, CheckpointOnRequestHasWhatWasReadBefore) {
  StartJob();
  Pump();
  Step();
  absl::StatusOr<v1::CheckpointSummary> made = absl::UnknownError("not yet");
  std::atomic<bool> over = false;
  std::thread maker([&] {
    Cancellation token;
    made = jobs_->Checkpoint(kJob, token);
    over = true;
  });
  while (!over) {
    Step(0);
    std::this_thread::yield();
  }
  maker.join();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_GE(store_->Get(kJob)->durable_epoch(), made->epoch());
  EXPECT_EQ(RowsRead(RestoredEpoch(*checkpoints_.ReadManifest(made->manifest())).positions), 20);
}

TEST_F(StreamRestartsTest, StoppedJobGoesOnFromItsLastCheckpoint) {
  StartJob();
  Pump();
  Step();
  StopJob();
  const uint64_t stopped_at = jobs_->View(kJob)->durable_epoch;
  EXPECT_TRUE(store_->Get(kJob)->checkpoints().rbegin()->final());
  const auto answer = Restart();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->attempt, 2);
  EXPECT_EQ(answer->restored_epoch, stopped_at);
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_RUNNING);
  RunAttempt(2);
  EXPECT_EQ(restored_, stopped_at);
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kRunning);
}

TEST_F(StreamRestartsTest, FailedJobGoesOnFromItsNewestCheckpoint) {
  StartJob();
  Pump();
  const uint64_t durable = NextCheckpoint();
  FailJob();
  ASSERT_TRUE(Restart().ok());
  const v1::JobRecord record = *store_->Get(kJob);
  EXPECT_EQ(record.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(record.error_message(), "");
  RunAttempt(2);
  EXPECT_EQ(restored_, durable);
  EXPECT_TRUE(jobs_->BindViews({{kView, 0}}).ok());
}

TEST_F(StreamRestartsTest, FailedJobOfAnEarlierProcessIsSeenAndRestarted) {
  StartJob();
  Pump();
  NextCheckpoint();
  FailJob();
  StartCoordinator();
  ASSERT_TRUE(jobs_->Recover(*store_->Get(kJob), StreamOptions()).ok());
  Step();
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kFailed);
  EXPECT_THAT(std::string(jobs_->View(kJob)->error.message()), HasSubstr("division by zero"));
  ASSERT_TRUE(Restart().ok());
  RunAttempt(2);
}

TEST_F(StreamRestartsTest, TheSameRequestRestartsOnce) {
  StartJob();
  Pump();
  const uint64_t durable = NextCheckpoint();
  FailJob();
  ASSERT_EQ(Restart(0, "r1")->attempt, 2);
  RunAttempt(2);
  FailJob();
  EXPECT_EQ(Restart(0, "r1")->attempt, 2);
  EXPECT_EQ(Restart(durable, "r1")->restored_epoch, durable);
  EXPECT_EQ(GetErrorDetail(Restart(durable + 1, "r1").status()).state,
            SqlState::kInvalidParameterValue);
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(Restart(0, "r2")->attempt, 3);
}

TEST_F(StreamRestartsTest, GoingBackWithdrawsWhatWasCommittedSinceThen) {
  StartJob();
  Pump();
  const uint64_t older = NextCheckpoint();
  const std::string final_path = StageAFile();
  const uint64_t newer = NextCheckpoint();
  ASSERT_TRUE(WaitFor([&](const StreamView&) {
                return store_->Get(kJob)->committed_epoch() >= newer;
              }).ok());
  ASSERT_TRUE(std::filesystem::exists(final_path));
  FailJob();
  ASSERT_TRUE(Restart(older).ok());
  RunAttempt(2);
  EXPECT_EQ(restored_, older);
  EXPECT_FALSE(std::filesystem::exists(final_path));
  EXPECT_EQ(Kept(), std::vector<uint64_t>{older});
  EXPECT_GT(jobs_->View(kJob)->published.back().epoch, newer);
}

TEST_F(StreamRestartsTest, ADamagedNewestCheckpointDoesNotKeepAJobFromGoingBack) {
  StartJob();
  Pump();
  const uint64_t older = NextCheckpoint();
  NextCheckpoint();
  FailJob();
  std::ofstream(folder_ / "checkpoints" / store_->Get(kJob)->checkpoint_manifest()) << "damaged";
  ASSERT_TRUE(Restart(older).ok());
  RunAttempt(2);
  EXPECT_EQ(restored_, older);
  EXPECT_EQ(Kept(), std::vector<uint64_t>{older});
}

TEST_F(StreamRestartsTest, AJobGoesBackOverALostManifestAlsoIfItsSinkIsEmptyYet) {
  StartSinkJob(folder_ / "out");
  const uint64_t older = FailBehindADamagedCheckpoint();
  ASSERT_TRUE(Restart(older).ok());
  RunAttempt(2);
  EXPECT_EQ(restored_, older);
  EXPECT_EQ(Kept(), std::vector<uint64_t>{older});
}

TEST_F(StreamRestartsTest, ASinkThatIsAwayIsNoticedBeforeAJobGoesBackOverALostManifest) {
  StartSinkJob(folder_ / "out");
  const uint64_t older = FailBehindADamagedCheckpoint();
  const auto refused = [&] {
    const absl::Status status = Restart(older).status();
    EXPECT_EQ(GetErrorDetail(status).state, SqlState::kIoError);
    EXPECT_THAT(std::string(status.message()), HasSubstr((folder_ / "out").string()));
    EXPECT_EQ(RecordedState(), v1::JOB_STATE_FAILED);
    EXPECT_EQ(Kept().size(), 2);
  };
  std::filesystem::remove(folder_ / "out");
  refused();
  // A mount point: something was committed, and it shows nowhere.
  std::filesystem::create_directory(folder_ / "out");
  ASSERT_TRUE(store_
                  ->Update(kJob,
                           [](v1::JobRecord& record) {
                             record.set_committed_epoch(record.durable_epoch());
                           })
                  .ok());
  refused();
  std::filesystem::create_directory(folder_ / "out" / kManifestFolder);
  EXPECT_TRUE(Restart(older).ok());
}

TEST_F(StreamRestartsTest, ACheckpointWithoutOneOfItsFilesIsRefusedBeforeAnythingGoes) {
  StartJob();
  Pump();
  const uint64_t older = NextCheckpoint();
  v1::CheckpointManifest manifest =
      *checkpoints_.ReadManifest(store_->Get(kJob)->checkpoint_manifest());
  NextCheckpoint();
  FailJob();
  manifest.add_files()->set_path("1-w1/7.sst");
  manifest.mutable_files(0)->set_size_bytes(3);
  ASSERT_TRUE(checkpoints_.WriteManifest(manifest).ok());
  const std::string before = store_->Get(kJob)->SerializeAsString();
  const absl::Status refused = Restart(older).status();
  EXPECT_EQ(GetErrorDetail(refused).state, SqlState::kDataCorrupted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("1-w1/7.sst is not there"));
  EXPECT_EQ(store_->Get(kJob)->SerializeAsString(), before);
  EXPECT_TRUE(checkpoints_.ReadManifest(store_->Get(kJob)->checkpoint_manifest()).ok());
  const std::filesystem::path file =
      std::filesystem::path(checkpoints_.JobFolder(kJob)) / "1-w1" / "7.sst";
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << "sst";
  ASSERT_TRUE(Restart(older).ok());
  EXPECT_EQ(store_->Get(kJob)->durable_epoch(), older);
}

TEST_F(StreamRestartsTest, AViewWhoseJobWasNotTakenUpSaysSo) {
  StartJob();
  Pump();
  NextCheckpoint();
  FailJob();
  ASSERT_TRUE(
      store_->Update(kJob, [](v1::JobRecord& record) { record.add_object_ids(kView); }).ok());
  StartCoordinator();
  const absl::Status error = jobs_->BindViews({{kView, 0}}).status();
  EXPECT_THAT(std::string(error.message()), HasSubstr("job v cannot be read, the job was not"));
  EXPECT_THAT(std::string(error.message()), HasSubstr("division by zero"));
  EXPECT_THAT(GetErrorDetail(error).hint, HasSubstr("millrace job restart v"));
  EXPECT_EQ(jobs_->AddSubscriber(kView).status(), error);
}

// A crash between the renames and their record, and a reader that empties the folder meanwhile.
TEST_F(StreamRestartsTest, FilesThatWereTakenAwayBeforeTheirCommitWasRecordedDoNotEndTheJob) {
  StartJob();
  Pump();
  const std::string final_path = StageAFile();
  const uint64_t durable = NextCheckpoint();
  ASSERT_TRUE(WaitFor([&](const StreamView&) {
                return store_->Get(kJob)->committed_epoch() >= durable;
              }).ok());
  FailJob();
  ASSERT_TRUE(
      store_->Update(kJob, [](v1::JobRecord& record) { record.clear_committed_epoch(); }).ok());
  for (const auto& manifest : std::filesystem::directory_iterator(folder_ / kManifestFolder)) {
    std::filesystem::remove(manifest.path());
  }
  ASSERT_TRUE(std::filesystem::remove(final_path));
  ASSERT_TRUE(Restart().ok());
  RunAttempt(2);
  EXPECT_EQ(restored_, durable);
  EXPECT_EQ(store_->Get(kJob)->committed_epoch(), durable);
}

TEST_F(StreamRestartsTest, GoingBackIsCompletedAfterACrashOfTheProcess) {
  StartJob();
  Pump();
  const uint64_t older = NextCheckpoint();
  const std::string final_path = StageAFile();
  NextCheckpoint();
  FailJob();
  // No worker is there, so the attempt does not begin before the process ends.
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  cluster_.registry_.Disconnect(WorkerId(2), absl::UnavailableError("eof"));
  ASSERT_TRUE(Restart(older).ok());
  ASSERT_TRUE(std::filesystem::exists(final_path));
  StartCoordinator();
  ASSERT_TRUE(jobs_->Recover(*store_->Get(kJob), StreamOptions()).ok());
  cluster_.Join();
  cluster_.Join();
  RunAttempt(2);
  EXPECT_EQ(restored_, older);
  EXPECT_FALSE(std::filesystem::exists(final_path));
}

TEST_F(StreamRestartsTest, UnknownCheckpointsAndCancelledJobsAreRefused) {
  StartJob();
  Pump();
  const uint64_t durable = NextCheckpoint();
  FailJob();
  const absl::Status unknown = Restart(durable + 1000).status();
  EXPECT_EQ(GetErrorDetail(unknown).state, SqlState::kUndefinedObject);
  EXPECT_THAT(GetErrorDetail(unknown).hint, HasSubstr(std::to_string(durable)));
  ASSERT_TRUE(jobs_->Cancel(kJob, CancelledByUser()).ok());
  EXPECT_EQ(GetErrorDetail(Restart().status()).state, SqlState::kObjectNotInPrerequisiteState);
}

TEST_F(StreamRestartsTest, ACancellationInTheMiddleOfARestartHolds) {
  StartTableJob();
  Pump();
  Commit();
  Step(0);
  StopJob(0);
  ASSERT_GT(store_->Get(kJob)->durable_epoch(), 0);
  // The log is read between the look at the job's state and its change.
  absl::Status cancelled = absl::UnknownError("not called");
  on_log_ = [&] { cancelled = jobs_->Cancel(kJob, CancelledByUser()); };
  EXPECT_EQ(GetErrorDetail(Restart().status()).state, SqlState::kObjectNotInPrerequisiteState);
  on_log_ = nullptr;
  ASSERT_TRUE(cancelled.ok()) << cancelled;
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(jobs_->View(kJob)->phase, StreamPhase::kCancelled);
}

// Else the rows between the checkpoint and the end of what was joined would be lost.
TEST_F(StreamRestartsTest, NothingIsJoinedAcrossTheCheckpointThatAJobGoesBackTo) {
  const uint64_t older = MakeTableCheckpoints();
  FailJob();
  const auto join = [] { return absl::StatusOr<uint64_t>(7); };
  EXPECT_EQ(*jobs_->JoinSegments(3, 2, join), 7);
  // No worker is there, so the attempt does not begin.
  cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
  cluster_.registry_.Disconnect(WorkerId(2), absl::UnavailableError("eof"));
  uint64_t at_the_look = 0;
  on_log_ = [&] { at_the_look = jobs_->TableReadEverywhere(3); };
  ASSERT_TRUE(Restart(older).ok());
  on_log_ = nullptr;
  EXPECT_EQ(at_the_look, 1);
  EXPECT_EQ(jobs_->TableReadEverywhere(3), 1);
  // What was begun before is not completed.
  EXPECT_EQ(GetErrorDetail(jobs_->JoinSegments(3, 2, join).status()).state,
            SqlState::kSerializationFailure);
  EXPECT_EQ(*jobs_->JoinSegments(3, 1, join), 7);
}

TEST_F(StreamRestartsTest, CheckpointInsideASegmentIsRefusedAndHoldsNothing) {
  const uint64_t older = MakeTableCheckpoints();
  FailJob();
  joined_end_ = 2;
  const absl::Status refused = Restart(older).status();
  EXPECT_EQ(GetErrorDetail(refused).state, SqlState::kObjectNotInPrerequisiteState);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("was joined with later rows since"));
  EXPECT_EQ(jobs_->TableReadEverywhere(3), 2);
  EXPECT_TRUE(Restart().ok());
}

TEST_F(StreamRestartsTest, PositionInsideASegmentFailsTheJob) {
  MakeTableCheckpoints();
  joined_end_ = 3;
  assigned_.clear();
  Commit();
  while (RecordedState() != v1::JOB_STATE_FAILED) {
    Pump();
    std::this_thread::yield();
  }
  EXPECT_THAT(std::string(jobs_->View(kJob)->error.message()), HasSubstr("was joined over"));
  EXPECT_THAT(assigned_, IsEmpty());
}

TEST_F(StreamRestartsTest, OfACancelledJobOnlyTheRecordStays) {
  StartJob();
  Pump();
  NextCheckpoint();
  ASSERT_TRUE(jobs_->Cancel(kJob, CancelledByUser()).ok());
  // Its tasks have not ended yet.
  EXPECT_TRUE(files_.Read(kJob).ok());
  while (files_.Read(kJob).ok()) {
    Pump();
    std::this_thread::yield();
  }
  EXPECT_FALSE(std::filesystem::exists(checkpoints_.JobFolder(kJob)));
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(store_->Get(kJob)->checkpoints_size(), 0);
}

TEST_F(StreamRestartsTest, AJobOfAnEarlierProcessIsCleanedUpIfItWasCancelled) {
  StartJob();
  Pump();
  NextCheckpoint();
  for (const uint32_t worker : {1, 2}) {
    cluster_.registry_.Disconnect(WorkerId(worker), absl::UnavailableError("eof"));
  }
  StartCoordinator();
  // Not this one.
  jobs_->CleanUpCancelled(kJob);
  StartCoordinator();
  ASSERT_TRUE(files_.Read(kJob).ok());
  ASSERT_TRUE(
      store_->Update(kJob, [](v1::JobRecord& record) { record.set_state(v1::JOB_STATE_CANCELLED); })
          .ok());
  jobs_->CleanUpCancelled(kJob);
  while (files_.Read(kJob).ok()) std::this_thread::yield();
  EXPECT_FALSE(std::filesystem::exists(checkpoints_.JobFolder(kJob)));
}

TEST_F(StreamRestartsTest, AFinishedJobCannotBeCancelled) {
  StartJob();
  Pump();
  Step();
  input_ended_ = true;
  Step();
  Step(0);
  ASSERT_TRUE(
      WaitFor([](const StreamView& view) { return view.phase == StreamPhase::kServing; }).ok());
  ASSERT_TRUE(jobs_->Cancel(kJob, CancelledByUser()).ok());
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_FINISHED);
  EXPECT_TRUE(jobs_->BindViews({{kView, 0}}).ok());
}

TEST_F(StreamRestartsTest, CheckpointOfAnotherPlanIsAClearError) {
  StartJob();
  Pump();
  NextCheckpoint();
  const std::string name = store_->Get(kJob)->checkpoint_manifest();
  v1::CheckpointManifest manifest = *checkpoints_.ReadManifest(name);
  manifest.set_plan_hash("another");
  ASSERT_TRUE(checkpoints_.WriteManifest(manifest).ok());
  FailJob();
  const absl::Status refused = Restart().status();
  EXPECT_EQ(GetErrorDetail(refused).state, SqlState::kObjectNotInPrerequisiteState);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("belongs to another plan"));
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_FAILED);
}

TEST_F(StreamRestartsTest, RestartOnRequestUsesTheSlotsThatAreThere) {
  StartJob();
  Pump();
  NextCheckpoint();
  FailJob();
  for (int i = 0; i < 3; ++i) cluster_.Join();
  ASSERT_TRUE(Restart().ok());
  while (jobs_->View(kJob)->plan->fragments(0).parallelism() == 2) std::this_thread::yield();
  EXPECT_EQ(jobs_->View(kJob)->plan->fragments(0).parallelism(), 5);
  EXPECT_EQ(files_.Read(kJob)->parallelism(), 5);
  EXPECT_EQ(files_.Read(kJob)->plan().fragments(0).parallelism(), 2);
}

// A stopped job keeps its last checkpoint, whatever is done to show its views again.
TEST_F(StreamRestartsTest, AttemptThatOnlyServesChangesNothingDurable) {
  StartJob();
  Pump();
  NextCheckpoint();
  StopJob();
  const std::string before = store_->Get(kJob)->SerializeAsString();
  StartCoordinator();
  ASSERT_TRUE(jobs_->Recover(*store_->Get(kJob), StreamOptions()).ok());
  while (jobs_->View(kJob)->phase != StreamPhase::kServing) {
    Step(0);
    std::this_thread::yield();
  }
  EXPECT_TRUE(jobs_->BindViews({{kView, 0}}).ok());
  v1::JobRecord after = *store_->Get(kJob);
  after.set_attempt(1);
  EXPECT_EQ(after.SerializeAsString(), before);
}

TEST_F(StreamRestartsTest, WorkerThatLeavesTakesACheckpointWithIt) {
  StartJob();
  Pump();
  Step();
  cluster_.Join();
  jobs_->OnWorkerDraining(WorkerId(1));
  while (jobs_->View(kJob)->attempt < 2) {
    Step(0);
    std::this_thread::yield();
  }
  Pump();
  EXPECT_GT(restored_, 0);
  EXPECT_THAT(store_->Get(kJob)->restarts(0).cause().message(), HasSubstr("worker 1 leaves"));
  EXPECT_EQ(
      RowsRead(RestoredEpoch(*checkpoints_.ReadManifest(store_->Get(kJob)->checkpoint_manifest()))
                   .positions),
      20);
}

}  // namespace
}  // namespace millrace
