#include "coordinator/job/attempt_runs.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "coordinator/job/bounded_run.h"
#include "coordinator/scheduler/placement.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/fake_cluster.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Recorder final : public AttemptObserver {
 public:
  void OnStarted() override { events.emplace_back("started"); }
  void OnEnded(AttemptOutcome result) override {
    events.emplace_back("ended");
    outcome = std::move(result);
  }
  std::vector<std::string> events;
  AttemptOutcome outcome;
};

// A stream of one task with two scans (7 and 8) whose rows meet.
std::shared_ptr<const v1::PhysicalPlan> MeetingScansPlan() {
  auto plan = std::make_shared<v1::PhysicalPlan>();
  plan->set_streaming(true);
  plan->set_num_shards(8);
  v1::Fragment* fragment = plan->add_fragments();
  fragment->set_parallelism(1);
  fragment->mutable_root()->mutable_union_all();
  for (const uint32_t scan_id : {7, 8}) {
    v1::ScanNode* scan = fragment->mutable_root()->add_inputs()->mutable_scan();
    scan->set_scan_id(scan_id);
    scan->mutable_watermark();
  }
  return plan;
}

class AttemptRunsTest : public ::testing::Test {
 protected:
  AttemptRunsTest() {
    cluster_.registry_.SetListener(&cluster_.runs_);
    one_ = cluster_.Join();
    two_ = cluster_.Join();
  }

  void StartAttempt(uint64_t num_splits = 3, uint32_t num_tasks = 2) {
    AttemptSpec spec;
    spec.job_id = 5;
    spec.attempt = 2;
    spec.plan = OneFragmentPlan(num_tasks);
    spec.scans.emplace_back();
    spec.scans[0].scan_id = 7;
    for (uint64_t i = 0; i < num_splits; ++i) spec.scans[0].splits.emplace_back().set_id(i);
    const auto placements = cluster_.runs_.Start(std::move(spec), recorder_);
    ASSERT_TRUE(placements.ok()) << placements.status();
  }
  void DeployAll() {
    for (WorkerId worker : {one_, two_}) {
      v1::WorkerMessage message;
      message.mutable_deployed()->set_job_id(5);
      message.mutable_deployed()->set_attempt(2);
      cluster_.registry_.Receive(worker, message);
    }
  }
  void Finish(WorkerId worker, uint32_t task, const absl::Status& status = absl::OkStatus()) {
    v1::WorkerMessage message;
    v1::TaskUpdate* update = message.mutable_task_update();
    update->mutable_progress()->set_job_id(5);
    update->mutable_progress()->set_attempt(2);
    update->mutable_progress()->set_task_index(task);
    update->mutable_progress()->set_state(status.ok() ? v1::TASK_STATE_FINISHED
                                                      : v1::TASK_STATE_FAILED);
    if (!status.ok()) ToProto(status, update->mutable_error());
    update->set_sink_rows(10);
    update->add_staged_files()->set_final_path(absl::StrCat("part-", task));
    cluster_.registry_.Receive(worker, message);
  }
  void AnswerCancel(WorkerId worker) {
    v1::WorkerMessage message;
    message.mutable_cancelled()->set_job_id(5);
    message.mutable_cancelled()->set_attempt(2);
    cluster_.registry_.Receive(worker, message);
  }
  v1::SplitAssignment AskForSplits(WorkerId worker, uint32_t task, uint32_t scan_id = 7) {
    cluster_.link(worker).Take();
    v1::WorkerMessage message;
    message.mutable_split_request()->set_job_id(5);
    message.mutable_split_request()->set_attempt(2);
    message.mutable_split_request()->set_scan_id(scan_id);
    message.mutable_split_request()->set_task_index(task);
    cluster_.registry_.Receive(worker, message);
    const auto sent = cluster_.link(worker).Take();
    return sent.empty() ? v1::SplitAssignment() : sent[0].split_assignment();
  }

  // A heartbeat of the only task of MeetingScansPlan, and what is answered. Scan 8 is idle.
  std::vector<v1::CoordinatorMessage> Report(int64_t watermark_of_7,
                                             std::optional<int64_t> watermark_of_8) {
    v1::WorkerMessage message;
    v1::TaskProgress* progress = message.mutable_heartbeat()->add_tasks();
    progress->set_job_id(5);
    progress->set_attempt(2);
    progress->set_state(v1::TASK_STATE_RUNNING);
    v1::ScanProgress* scan = progress->add_scans();
    scan->set_scan_id(7);
    scan->set_watermark_micros(watermark_of_7);
    scan = progress->add_scans();
    scan->set_scan_id(8);
    scan->set_idle(true);
    if (watermark_of_8.has_value()) scan->set_watermark_micros(*watermark_of_8);
    cluster_.link(one_).Take();
    cluster_.registry_.Receive(one_, message);
    return cluster_.link(one_).Take();
  }

  FakeCluster cluster_;
  WorkerId one_;
  WorkerId two_;
  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
};

TEST_F(AttemptRunsTest, DeploysStartsAndCollectsTheOutcome) {
  StartAttempt();
  const auto deployed = cluster_.link(two_).Take();
  ASSERT_EQ(deployed.size(), 1);
  EXPECT_EQ(deployed[0].deploy().placements_size(), 2);
  EXPECT_EQ(deployed[0].deploy().worker_addresses_size(), 2);
  DeployAll();
  ASSERT_EQ(cluster_.link(two_).Take().size(), 1);
  Finish(one_, 0);
  Finish(two_, 1);
  EXPECT_THAT(recorder_->events, ElementsAre("started", "ended"));
  EXPECT_TRUE(recorder_->outcome.status.ok());
  EXPECT_EQ(recorder_->outcome.sink_rows, 20);
  EXPECT_EQ(recorder_->outcome.staged_files.size(), 2);
  EXPECT_EQ(recorder_->outcome.tasks.size(), 2);
}

TEST_F(AttemptRunsTest, SplitsGoToWhoeverAsks) {
  StartAttempt();
  DeployAll();
  EXPECT_EQ(AskForSplits(one_, 0).splits(0).id(), 0);
  EXPECT_EQ(AskForSplits(one_, 0).splits(0).id(), 1);
  const auto last = AskForSplits(two_, 1);
  EXPECT_EQ(last.splits(0).id(), 2);
  EXPECT_TRUE(last.end());
  EXPECT_TRUE(AskForSplits(one_, 0).end());
}

TEST_F(AttemptRunsTest, OneWorkerGetsItsSplitsWithTheTasksAndStartsThemItself) {
  StartAttempt(/*num_splits=*/20, /*num_tasks=*/1);
  // Job 5 takes its turn on the second worker.
  EXPECT_TRUE(cluster_.link(one_).Take().empty());
  const auto sent = cluster_.link(two_).Take();
  ASSERT_EQ(sent.size(), 1);
  EXPECT_TRUE(sent[0].deploy().start());
  ASSERT_EQ(sent[0].deploy().assignments_size(), 1);
  EXPECT_EQ(sent[0].deploy().assignments(0).splits_size(), 20);
  EXPECT_TRUE(sent[0].deploy().assignments(0).end());
  v1::WorkerMessage deployed;
  deployed.mutable_deployed()->set_job_id(5);
  deployed.mutable_deployed()->set_attempt(2);
  cluster_.registry_.Receive(two_, deployed);
  EXPECT_THAT(recorder_->events, ElementsAre("started"));
  EXPECT_TRUE(cluster_.link(two_).Take().empty());
  Finish(two_, 0);
  EXPECT_THAT(recorder_->events, ElementsAre("started", "ended"));
}

TEST_F(AttemptRunsTest, FailureCancelsTheOthersAndIsTheOutcome) {
  StartAttempt();
  DeployAll();
  cluster_.link(two_).Take();
  Finish(one_, 0, MakeError(SqlState::kDivisionByZero, "division by zero"));
  const auto sent = cluster_.link(two_).Take();
  ASSERT_EQ(sent.size(), 1);
  EXPECT_EQ(sent[0].cancel().reason(), "division by zero");
  Finish(two_, 1, MakeError(SqlState::kQueryCanceled, "cancelled"));
  AnswerCancel(one_);
  EXPECT_THAT(recorder_->events, ElementsAre("started"));
  AnswerCancel(two_);
  EXPECT_THAT(recorder_->events, ElementsAre("started", "ended"));
  EXPECT_EQ(GetErrorDetail(recorder_->outcome.status).state, SqlState::kDivisionByZero);
}

TEST_F(AttemptRunsTest, LostWorkerMakesTheAttemptRetryable) {
  StartAttempt();
  DeployAll();
  cluster_.registry_.Disconnect(one_, absl::UnavailableError("eof"));
  AnswerCancel(two_);
  ASSERT_THAT(recorder_->events, ElementsAre("started", "ended"));
  EXPECT_EQ(GetErrorDetail(recorder_->outcome.status).retry, Retry::kSafe);
}

TEST_F(AttemptRunsTest, LostTasksAreNamedWithWhatTheyHadToRead) {
  AttemptSpec spec;
  spec.job_id = 5;
  spec.attempt = 2;
  spec.plan = OneFragmentPlan(2);
  spec.scans.emplace_back();
  spec.scans[0].scan_id = 7;
  for (const char* path : {"/in/0.csv", "/in/1.csv", "/in/2.csv"}) {
    spec.scans[0].splits.emplace_back().mutable_file()->set_path(path);
  }
  const auto placements = cluster_.runs_.Start(std::move(spec), recorder_);
  ASSERT_TRUE(placements.ok()) << placements.status();
  DeployAll();
  const WorkerId lost(placements->at(0).worker_id());
  const WorkerId other = lost == one_ ? two_ : one_;
  const uint32_t task = placements->at(0).task_index();
  // What it had read before it asked again is not among it.
  AskForSplits(lost, task);
  AskForSplits(other, 1 - task);
  AskForSplits(lost, task);
  cluster_.registry_.Disconnect(lost, absl::UnavailableError("eof"));
  AnswerCancel(other);
  EXPECT_THAT(recorder_->outcome.lost_tasks, ElementsAre(TaskKey{0, task}));
  EXPECT_THAT(recorder_->outcome.lost_reading, ElementsAre("/in/2.csv"));
}

TEST_F(AttemptRunsTest, SilentWorkerHoldsUpACancellationForALimitedTime) {
  StartAttempt();
  DeployAll();
  cluster_.runs_.Cancel(5, 2, CancelledByUser());
  AnswerCancel(one_);
  cluster_.runs_.ExpireCancellations();
  EXPECT_THAT(recorder_->events, ElementsAre("started"));
  cluster_.clock_.AdvanceMillis(5001);
  cluster_.runs_.ExpireCancellations();
  EXPECT_THAT(recorder_->events, ElementsAre("started", "ended"));
}

TEST_F(AttemptRunsTest, MessagesOfOlderAttemptsAreDroppedAndCounted) {
  StartAttempt();
  v1::WorkerMessage message;
  message.mutable_deployed()->set_job_id(5);
  message.mutable_deployed()->set_attempt(1);
  cluster_.registry_.Receive(one_, message);
  cluster_.registry_.Receive(two_, message);
  EXPECT_THAT(recorder_->events, IsEmpty());
  EXPECT_EQ(cluster_.runs_.stale_messages(), 2);
}

TEST_F(AttemptRunsTest, HeartbeatsUpdateCountersButNotTheEnd) {
  StartAttempt();
  DeployAll();
  Finish(one_, 0);
  v1::WorkerMessage message;
  v1::TaskProgress* progress = message.mutable_heartbeat()->add_tasks();
  progress->set_job_id(5);
  progress->set_attempt(2);
  progress->set_rows_in(99);
  progress->set_state(v1::TASK_STATE_RUNNING);
  cluster_.registry_.Receive(one_, message);
  progress->set_task_index(1);
  cluster_.registry_.Receive(two_, message);
  const auto tasks = cluster_.runs_.Progress(5);
  ASSERT_EQ(tasks.size(), 2);
  EXPECT_EQ(tasks[0].state(), v1::TASK_STATE_FINISHED);
  EXPECT_EQ(tasks[1].rows_in(), 99);
}

TEST_F(AttemptRunsTest, AnIdleScanIsToldHowFarTheOneThatItMeetsHasCome) {
  AttemptSpec spec;
  spec.job_id = 5;
  spec.attempt = 2;
  spec.plan = MeetingScansPlan();
  for (const uint32_t scan_id : {7, 8}) {
    ScanSplits& scan = spec.scans.emplace_back();
    scan.scan_id = scan_id;
    scan.order = SplitOrder::kPartitions;
    scan.follows = true;
    scan.splits.emplace_back().mutable_kafka();
  }
  ASSERT_TRUE(cluster_.runs_.Start(std::move(spec), recorder_).ok());
  DeployAll();
  for (const uint32_t scan_id : {7, 8}) EXPECT_EQ(AskForSplits(one_, 0, scan_id).splits_size(), 1);
  const auto sent = Report(100, std::nullopt);
  ASSERT_EQ(sent.size(), 1);
  const v1::SplitAssignment& told = sent[0].split_assignment();
  EXPECT_EQ(told.scan_id(), 8);
  EXPECT_EQ(told.idle_time_micros(), 100);
  EXPECT_EQ(told.unassigned_min_time_micros(), INT64_MAX);
  EXPECT_FALSE(told.end());
  EXPECT_TRUE(Report(100, 100).empty());
  // The other one has ended.
  EXPECT_TRUE(Report(INT64_MAX, 100).empty());
}

TEST_F(AttemptRunsTest, CountersOfAScriptsStepAreKeptAndNameTheFailedTask) {
  AttemptSpec spec;
  spec.job_id = 6;
  spec.script_job_id = 3;
  spec.plan = OneFragmentPlan(2);
  ASSERT_TRUE(cluster_.runs_.Start(std::move(spec), recorder_).ok());
  cluster_.registry_.Disconnect(two_, absl::UnavailableError("eof"));
  v1::WorkerMessage answer;
  answer.mutable_cancelled()->set_job_id(6);
  answer.mutable_cancelled()->set_attempt(1);
  cluster_.registry_.Receive(one_, answer);
  EXPECT_TRUE(cluster_.runs_.Progress(6).empty());
  const AttemptTasks last = cluster_.runs_.LastTasks(6);
  ASSERT_EQ(last.tasks.size(), 2);
  EXPECT_EQ(last.tasks[0].state(), v1::TASK_STATE_CANCELLED);
  EXPECT_EQ(last.tasks[1].state(), v1::TASK_STATE_FAILED);
  EXPECT_NE(last.tasks[1].error().message(), "");
  EXPECT_EQ(cluster_.runs_.AllTasks().size(), 1);
  EXPECT_EQ(cluster_.runs_.LastTasks(7).plan, nullptr);
}

TEST_F(AttemptRunsTest, WithoutWorkersNothingStarts) {
  cluster_.registry_.Disconnect(one_, absl::UnavailableError("eof"));
  cluster_.registry_.Disconnect(two_, absl::UnavailableError("eof"));
  AttemptSpec spec;
  spec.plan = OneFragmentPlan(1);
  EXPECT_EQ(GetErrorDetail(cluster_.runs_.Start(std::move(spec), recorder_).status()).state,
            SqlState::kInsufficientResources);
}

TEST_F(AttemptRunsTest, BoundedRunWakesItsWaiter) {
  auto run = std::make_shared<BoundedRun>();
  Cancellation cancellation;
  run->OnStarted();
  EXPECT_TRUE(run->WaitStarted(cancellation, cluster_.clock_));
  AttemptOutcome outcome;
  outcome.sink_rows = 3;
  run->OnEnded(std::move(outcome));
  EXPECT_FALSE(run->failed());
  EXPECT_EQ(run->WaitEnded(cancellation, cluster_.clock_).sink_rows, 3);
}

TEST(CancellationTest, FirstReasonStaysAndLateRegistrationsHearIt) {
  Cancellation cancellation;
  int calls = 0;
  Cancellation::Registration early(cancellation, [&](const absl::Status&) { ++calls; });
  cancellation.Cancel(CancelledByUser());
  cancellation.Cancel(absl::InternalError("later"));
  Cancellation::Registration late(cancellation, [&](const absl::Status&) { ++calls; });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(cancellation.status(), CancelledByUser());
}

TEST(CancellationTest, DeadlineCancelsWhenItIsChecked) {
  ManualClock clock;
  Cancellation cancellation;
  cancellation.SetDeadline(clock.MonotonicMicros() + 5000, CancelledByUser());
  cancellation.CheckDeadline(clock);
  EXPECT_FALSE(cancellation.cancelled());
  clock.AdvanceMillis(5);
  cancellation.CheckDeadline(clock);
  EXPECT_TRUE(cancellation.cancelled());
}

TEST_F(AttemptRunsTest, LeavingWorkerGetsNothingButReadsOfTheViewsThatItKeeps) {
  cluster_.registry_.BeginDraining(two_);
  const auto place = [this](uint64_t job_id, uint32_t keeper) {
    AttemptSpec spec;
    spec.job_id = job_id;
    spec.plan = OneFragmentPlan(2);
    spec.scans.emplace_back().scan_id = 7;
    spec.scans[0].splits.emplace_back().set_worker_id(keeper);
    const auto placements = cluster_.runs_.Start(std::move(spec), recorder_);
    EXPECT_TRUE(placements.ok()) << placements.status();
    return WorkersOf(*placements);
  };
  EXPECT_THAT(place(6, 0), ElementsAre(one_));
  EXPECT_THAT(place(7, two_.value()), ElementsAre(one_, two_));
}

}  // namespace
}  // namespace millrace
