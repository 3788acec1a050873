#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "common/storage/checksum.h"
#include "common/storage/data_folder.h"
#include "common/storage/staged_commit.h"
#include "coordinator/epoch/checkpoint_progress.h"
#include "coordinator/job/stream_jobs.h"
#include "coordinator/scheduler/spread_plan.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"
#include "tests/unit/coordinator/job/fake_cluster.h"

namespace millrace {

inline constexpr uint64_t kJob = 5;
inline constexpr uint64_t kView = 11;

// One job with a view, two tasks on two workers that acknowledge what they are told when the test
// lets them.
class StreamJobsTest : public ::testing::Test, public WorkerListener {
 protected:
  StreamJobsTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ::testing::UnitTest::GetInstance()->current_test_info()->name()),
        checkpoints_((folder_ / "checkpoints").string(), "ours"),
        files_(folder_.string(), "ours") {
    std::filesystem::remove_all(folder_);
    for (const std::filesystem::path& own : {folder_, folder_ / "checkpoints"}) {
      std::filesystem::create_directories(own);
      std::ofstream(own / kStorageTokenFile) << "ours";
    }
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
  absl::StatusOr<TableLogSlice> Log(uint64_t table, uint64_t from) const {
    if (on_log_) on_log_();
    if (0 < from && from < joined_end_) {
      return MakeError(SqlState::kObjectNotInPrerequisiteState, "the position was joined over");
    }
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
    spec.parallelism = ParallelismOf(*plan);
    spec.planned = std::move(plan);
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
    } else if (message.has_epoch_published()) {
      oldest_readable_ = message.epoch_published().oldest_readable();
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
    ack.set_view_rows_changed(view_rows_changed_);
    if (rows_ == 0) {
      cluster_.registry_.Receive(worker, reply);
      return Finish(worker, barrier);
    }
    if (!staged_path_.empty() && task_of_[worker] == 0) {
      *ack.add_staged_files() = staged_file_;
      staged_file_.Clear();
      staged_path_.clear();
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
    const bool hangs = checkpoint_hangs_ && task_of_[worker] == 0;
    if (barrier.checkpoint() && !hangs) {
      v1::WorkerMessage done;
      done.mutable_checkpoint_done()->set_job_id(kJob);
      done.mutable_checkpoint_done()->set_attempt(barrier.attempt());
      done.mutable_checkpoint_done()->set_epoch(barrier.epoch());
      if (!checkpoint_error_.ok() && task_of_[worker] == 0) {
        ToProto(checkpoint_error_, done.mutable_checkpoint_done()->mutable_error());
      }
      cluster_.registry_.Receive(worker, done);
    }
  }

  // A heartbeat: task 0 has read so much in this attempt, and waits.
  void Report(WorkerId worker, uint64_t rows_in, const std::string& waiting_for) {
    v1::WorkerMessage message;
    v1::TaskProgress* progress = message.mutable_heartbeat()->add_tasks();
    progress->set_job_id(kJob);
    progress->set_attempt(attempt_);
    progress->set_state(v1::TASK_STATE_RUNNING);
    progress->set_rows_in(rows_in);
    progress->set_waiting_for(waiting_for);
    cluster_.registry_.Receive(worker, message);
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

  // Works on for a checkpoint interval; returns the epoch of the checkpoint.
  uint64_t NextCheckpoint(uint64_t rows = 10) {
    const uint64_t before = jobs_->View(kJob)->durable_epoch;
    for (int i = 0; i < 21; ++i) Step(rows);
    EXPECT_TRUE(
        WaitFor([before](const StreamView& view) { return view.durable_epoch > before; }).ok());
    return jobs_->View(kJob)->durable_epoch;
  }

  // Task 0 reports an empty file with its next acknowledgement. Returns where it is to be.
  std::string StageAFile() {
    staged_path_ = (folder_ / "_staged").string();
    std::ofstream(staged_path_).close();
    staged_file_.set_staged_path(staged_path_);
    const std::string prefix = CommittedNamePrefix({cluster_.registry_.file_cluster(), kJob});
    staged_file_.set_final_path((folder_ / (prefix + "final")).string());
    staged_file_.set_size_bytes(0);
    staged_file_.set_checksum_xxh3(Xxh3(""));
    return staged_file_.final_path();
  }

  void StopJob(uint64_t rows = 10) {
    std::thread stopper([this] {
      Cancellation token;
      EXPECT_TRUE(jobs_->Stop(kJob, token).ok());
    });
    while (jobs_->View(kJob)->phase != StreamPhase::kServing) {
      Step(rows);
      std::this_thread::yield();
    }
    stopper.join();
  }
  absl::StatusOr<RestartAnswer> Restart(uint64_t epoch = 0, const std::string& request_id = "") {
    Cancellation token;
    return jobs_->Restart({kJob, epoch, request_id}, token);
  }
  // Until the attempt has published something.
  void RunAttempt(uint32_t attempt) {
    while (jobs_->View(kJob)->attempt < attempt || jobs_->View(kJob)->published.empty()) {
      Step();
      std::this_thread::yield();
    }
  }
  // Epochs of the checkpoints that are listed.
  std::vector<uint64_t> Kept() const {
    std::vector<uint64_t> epochs;
    const v1::JobRecord record = *store_->Get(kJob);
    for (const auto& checkpoint : record.checkpoints()) epochs.push_back(checkpoint.epoch());
    return epochs;
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
  // What each task says of each epoch, and what the workers were told last.
  uint64_t view_rows_changed_ = 0;
  uint64_t oldest_readable_ = 0;
  bool input_ended_ = false;
  // Why task 0's worker cannot write its part of a checkpoint.
  absl::Status checkpoint_error_;
  // … or does not come to an end with it.
  bool checkpoint_hangs_ = false;
  // What task 0 reports next; no path = nothing.
  std::string staged_path_;
  v1::StagedFile staged_file_;
  uint64_t log_end_ = 0;
  // What lies before is one segment.
  uint64_t joined_end_ = 0;
  // Happens whenever the log is read.
  std::function<void()> on_log_;
  // Splits that were handed out, in turn.
  std::vector<uint64_t> assigned_;
};

}  // namespace millrace
