#include "coordinator/job/stream_jobs.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"
#include "tests/unit/coordinator/job/fake_cluster.h"

namespace millrace {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kJob = 5;
constexpr uint64_t kView = 11;

// One job with a view, two tasks on two workers that acknowledge what they are told when the test
// lets them.
class StreamJobsTest : public ::testing::Test, public WorkerListener {
 protected:
  StreamJobsTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ::testing::UnitTest::GetInstance()->current_test_info()->name()),
        checkpoints_((folder_ / "checkpoints").string()),
        files_(folder_.string()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    StartCoordinator();
    cluster_.registry_.SetListener(this);
    cluster_.Join();
    cluster_.Join();
  }
  ~StreamJobsTest() override {
    jobs_.reset();
    std::filesystem::remove_all(folder_);
  }

  void OnWorkerJoined(WorkerId) override { jobs_->OnWorkerJoined(); }
  void OnWorkerMessage(WorkerId worker, const v1::WorkerMessage& message) override {
    cluster_.runs_.OnWorkerMessage(worker, message);
    jobs_->OnWorkerMessage(worker, message);
  }
  void OnWorkerLost(WorkerId worker, const absl::Status& reason) override {
    cluster_.runs_.OnWorkerLost(worker, reason);
    jobs_->OnWorkerLost(worker);
  }

  void StartCoordinator() {
    jobs_.reset();
    store_ = std::make_unique<JobStore>(cluster_.store_);
    ASSERT_TRUE(store_->Load().ok());
    jobs_ = std::make_unique<StreamJobs>(StreamJobs::Parts{
        cluster_.runs_, cluster_.registry_, *store_, epoch_ids_, checkpoints_, files_,
        cluster_.clock_, [this](uint64_t table, uint64_t from) { return Log(table, from); }});
  }

  // The log of table 3: a split of ten rows for each position.
  TableLogSlice Log(uint64_t table, uint64_t from) const {
    TableLogSlice slice;
    slice.end_position = from;
    if (table != 3) return slice;
    for (; slice.end_position < log_end_; ++slice.end_position) {
      slice.splits.emplace_back().set_id(slice.end_position);
      slice.rows += 10;
    }
    return slice;
  }
  // A job that reads table 3 only.
  void StartTableJob() {
    input_ended_ = true;
    auto plan = std::make_shared<v1::PhysicalPlan>(*OneFragmentPlan(2, kView));
    v1::ScanNode* scan =
        plan->mutable_fragments(0)->mutable_root()->mutable_inputs(0)->mutable_scan();
    scan->set_connector("table");
    scan->set_object_id(3);
    StartJob(std::move(plan), 0);
  }
  void Commit() {
    ++log_end_;
    jobs_->OnTableChanged(3);
  }
  // How far the newest published epoch has read the table.
  uint64_t ReadOfTable() const {
    const auto view = jobs_->View(kJob);
    if (view->published.empty()) return 0;
    return view->published.back().positions.at({7, 0}).offset();
  }

  void StartJob() { StartJob(OneFragmentPlan(2, kView), 2); }
  void StartJob(std::shared_ptr<const v1::PhysicalPlan> plan, uint64_t num_splits) {
    v1::JobRecord record;
    record.set_id(kJob);
    record.set_name("v");
    record.set_state(v1::JOB_STATE_CREATED);
    record.set_streaming(true);
    ASSERT_TRUE(store_->Create(record).ok());
    StreamSpec spec;
    spec.job_id = kJob;
    spec.name = "v";
    spec.plan = std::move(plan);
    spec.scans.emplace_back();
    spec.scans[0].scan_id = 7;
    for (uint64_t id = 0; id < num_splits; ++id) spec.scans[0].splits.emplace_back().set_id(id);
    const absl::Status started = jobs_->Start(std::move(spec));
    ASSERT_TRUE(started.ok()) << started;
  }

  // Lets the workers act on everything they were sent.
  void Pump() {
    for (const auto& [worker, link] : cluster_.links()) {
      for (const v1::CoordinatorMessage& message : link->Take()) Act(worker, message);
    }
  }

  void Act(WorkerId worker, const v1::CoordinatorMessage& message) {
    v1::WorkerMessage reply;
    if (message.has_deploy()) {
      attempt_ = message.deploy().attempt();
      restored_ = message.deploy().restore_epoch();
      for (const auto& placement : message.deploy().placements()) {
        task_of_[WorkerId(placement.worker_id())] = placement.task_index();
      }
      reply.mutable_deployed()->set_job_id(kJob);
      reply.mutable_deployed()->set_attempt(attempt_);
    } else if (message.has_cancel()) {
      reply.mutable_cancelled()->set_job_id(kJob);
      reply.mutable_cancelled()->set_attempt(message.cancel().attempt());
    } else if (message.has_split_assignment()) {
      for (const v1::Split& split : message.split_assignment().splits()) {
        assigned_.push_back(split.id());
      }
      return;
    } else if (message.has_inject_barrier()) {
      return Acknowledge(worker, message.inject_barrier());
    } else {
      return;
    }
    cluster_.registry_.Receive(worker, reply);
  }

  void Acknowledge(WorkerId worker, const v1::InjectBarrier& barrier) {
    v1::WorkerMessage reply;
    v1::EpochAck& ack = *reply.mutable_epoch_ack();
    ack.set_job_id(kJob);
    ack.set_attempt(barrier.attempt());
    ack.set_epoch(barrier.epoch());
    ack.set_task_index(task_of_[worker]);
    ack.set_ended(input_ended_);
    if (rows_ == 0) {
      cluster_.registry_.Receive(worker, reply);
      return Finish(worker, barrier);
    }
    v1::ScanPositions* scan = ack.add_scans();
    scan->set_scan_id(7);
    v1::SplitPosition* position = scan->add_positions();
    position->set_split_id(task_of_[worker]);
    position->set_rows(rows_);
    position->set_ended(input_ended_);
    cluster_.registry_.Receive(worker, reply);
    Finish(worker, barrier);
  }

  void Finish(WorkerId worker, const v1::InjectBarrier& barrier) {
    if (barrier.final()) {
      v1::WorkerMessage finished;
      v1::TaskProgress* progress = finished.mutable_task_update()->mutable_progress();
      progress->set_job_id(kJob);
      progress->set_attempt(barrier.attempt());
      progress->set_task_index(task_of_[worker]);
      progress->set_state(v1::TASK_STATE_FINISHED);
      cluster_.registry_.Receive(worker, finished);
    }
    if (barrier.checkpoint()) {
      v1::WorkerMessage done;
      done.mutable_checkpoint_done()->set_job_id(kJob);
      done.mutable_checkpoint_done()->set_attempt(barrier.attempt());
      done.mutable_checkpoint_done()->set_epoch(barrier.epoch());
      cluster_.registry_.Receive(worker, done);
    }
  }

  // One epoch interval passes, `rows` more rows come in, and the workers keep up.
  void Step(uint64_t rows = 10) {
    rows_ += rows;
    cluster_.clock_.AdvanceMillis(500);
    jobs_->Tick();
    Pump();
  }

  // Waits for what a thread of the jobs does; the clock stands still meanwhile.
  absl::Status WaitFor(const StreamJobs::Condition& condition) {
    Cancellation cancellation;
    return jobs_->WaitUntil(kJob, condition, INT64_MAX / 4, cancellation);
  }

  v1::JobState RecordedState() const {
    return static_cast<v1::JobState>(store_->Get(kJob)->state());
  }

  const std::filesystem::path folder_;
  FakeCluster cluster_;
  IdAllocator epoch_ids_{cluster_.store_, "epoch", 16};
  const CheckpointFiles checkpoints_;
  const JobFiles files_;
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<StreamJobs> jobs_;
  std::map<WorkerId, uint32_t> task_of_;
  uint32_t attempt_ = 0;
  uint64_t restored_ = 0;
  uint64_t rows_ = 0;
  bool input_ended_ = false;
  uint64_t log_end_ = 0;
  // Splits that were handed out, in turn.
  std::vector<uint64_t> assigned_;
};

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
  for (int i = 0; i < 25; ++i) Step();
  ASSERT_TRUE(WaitFor([](const StreamView& view) { return view.durable_epoch > 0; }).ok());
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
  for (int i = 0; i < 25; ++i) Step();
  ASSERT_TRUE(WaitFor([](const StreamView& view) { return view.durable_epoch > 0; }).ok());
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
  for (int i = 0; i < 25; ++i) Step();
  ASSERT_TRUE(WaitFor([](const StreamView& view) { return view.durable_epoch > 0; }).ok());
  const uint64_t newest = jobs_->View(kJob)->published.back().epoch;
  cluster_.runs_.Cancel(kJob, attempt_, CancelledByUser());
  Pump();
  StartCoordinator();
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
  while (!jobs_->View(kJob)->complete) Step();
  stopper.join();
  ASSERT_TRUE(stopped.ok()) << stopped;
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_STOPPED);
  EXPECT_TRUE(jobs_->BindViews({{kView, 0}}).ok());
}

TEST_F(StreamJobsTest, DropLeavesNothing) {
  StartJob();
  Pump();
  for (int i = 0; i < 25; ++i) Step();
  ASSERT_TRUE(WaitFor([](const StreamView& view) { return view.durable_epoch > 0; }).ok());
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
  for (int i = 0; i < 25; ++i) Step(0);
  ASSERT_TRUE(WaitFor([](const StreamView& view) { return view.durable_epoch > 0; }).ok());
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
  EXPECT_EQ(jobs_->TableReadEverywhere(3), UINT64_MAX);
}

}  // namespace
}  // namespace millrace
