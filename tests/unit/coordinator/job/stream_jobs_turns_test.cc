#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

// Jobs in which a row is sought that ends every process that reads it.

namespace millrace {
namespace {

using ::testing::HasSubstr;

// Task i reads split i, a file without an end, as fast as it may.
class StreamTurnsTest : public StreamJobsTest {
 protected:
  static constexpr uint64_t kRowsPerEpoch = 5000;

  // A few milliseconds pass; workers that have ended are replaced.
  void Work() {
    cluster_.clock_.AdvanceMillis(20);
    jobs_->Tick();
    const auto links = cluster_.links();
    for (const auto& [worker, link] : links) {
      for (const v1::CoordinatorMessage& message : link->Take()) React(worker, message);
    }
    for (const WorkerId worker : std::exchange(ending_, {})) {
      cluster_.registry_.Disconnect(worker, absl::UnavailableError("eof"));
      cluster_.Join();
    }
    std::this_thread::yield();
  }

  void React(WorkerId worker, const v1::CoordinatorMessage& message) {
    if (!message.has_inject_barrier()) {
      if (message.has_deploy()) Restore(message.deploy());
      return Act(worker, message);
    }
    const v1::InjectBarrier& barrier = message.inject_barrier();
    if (barrier.attempt() != attempt_ || ended_.contains(worker)) return;
    barriers_.push_back(barrier);
    const uint32_t task = task_of_[worker];
    const uint64_t before = rows_of_[task];
    rows_of_[task] += RowsIn(barrier, task);
    if (task == crash_task_ && before < crash_row_ && rows_of_[task] >= crash_row_) {
      return End(worker);
    }
    v1::WorkerMessage reply;
    v1::EpochAck& ack = *reply.mutable_epoch_ack();
    ack.set_job_id(kJob);
    ack.set_attempt(attempt_);
    ack.set_epoch(barrier.epoch());
    ack.set_task_index(task);
    v1::ScanPositions* open = ack.add_scans();
    open->set_scan_id(7);
    v1::SplitPosition* position = open->add_positions();
    position->set_split_id(task);
    position->set_rows(rows_of_[task]);
    position->set_offset(10 * rows_of_[task]);
    position->set_path(absl::StrCat("/in/", task, ".csv"));
    cluster_.registry_.Receive(worker, reply);
    Finish(worker, barrier);
  }

  void Restore(const v1::DeployAttempt& deploy) {
    waits_ = deploy.scans_wait_for_allowance();
    rows_of_ = {{0, 0}, {1, 0}};
    for (const v1::ScanPositions& scan : deploy.restore_manifest().scans()) {
      for (const v1::SplitPosition& position : scan.positions()) {
        rows_of_[static_cast<uint32_t>(position.split_id())] = position.rows();
      }
    }
  }

  uint64_t RowsIn(const v1::InjectBarrier& barrier, uint32_t task) {
    if (!barrier.has_allowance()) waits_ = false;
    if (!waits_) return barrier.final() ? 0 : kRowsPerEpoch;
    const v1::ScanAllowance& allowance = barrier.allowance();
    if (allowance.has_only() && allowance.only().task_index() != task) return 0;
    return allowance.rows_max();
  }

  void End(WorkerId worker) {
    ending_.push_back(worker);
    ended_.insert(worker);
  }
  // The worker with task 0, in the first two attempts; the third one has begun an epoch then.
  void LoseTwoWorkers() {
    WorkUntil([](const v1::InjectBarrier&) { return true; });
    for (uint32_t attempt = 1; attempt < 3; ++attempt) {
      ASSERT_EQ(attempt_, attempt);
      for (const auto& [worker, task] : task_of_) {
        if (task == 0 && !ended_.contains(worker)) End(worker);
      }
      WorkUntil(
          [attempt](const v1::InjectBarrier& barrier) { return barrier.attempt() > attempt; });
    }
  }
  StreamPhase Phase() const { return jobs_->View(kJob)->phase; }
  // Works until a barrier of a new attempt says so.
  template <typename Condition>
  void WorkUntil(const Condition& condition) {
    barriers_.clear();
    for (int i = 0; i < 1'000'000; ++i) {
      if (std::any_of(barriers_.begin(), barriers_.end(), condition)) return;
      Work();
    }
    FAIL() << "no such barrier";
  }

  std::vector<WorkerId> ending_;
  std::set<WorkerId> ended_;
  std::vector<v1::InjectBarrier> barriers_;
  bool waits_ = false;
  std::map<uint32_t, uint64_t> rows_of_;
  std::optional<uint32_t> crash_task_;
  uint64_t crash_row_ = 0;
};

TEST_F(StreamTurnsTest, RowThatEndsEveryProcessFailsTheJobWithItsName) {
  crash_task_ = 1;
  crash_row_ = 40'123;
  StartJob();
  while (Phase() != StreamPhase::kFailed && jobs_->View(kJob)->attempt < 50) Work();
  ASSERT_EQ(Phase(), StreamPhase::kFailed);
  EXPECT_LE(jobs_->View(kJob)->attempt, 20);
  EXPECT_THAT(std::string(jobs_->View(kJob)->error.message()),
              HasSubstr("8 times in a row while they ran task 0.1 and read row 40123 of file "
                        "\"/in/1.csv\", which begins at byte 401220"));
}

TEST_F(StreamTurnsTest, FirstRowIsFoundToo) {
  crash_task_ = 0;
  crash_row_ = 1;
  StartJob();
  while (Phase() != StreamPhase::kFailed && jobs_->View(kJob)->attempt < 50) Work();
  ASSERT_EQ(Phase(), StreamPhase::kFailed);
  EXPECT_THAT(std::string(jobs_->View(kJob)->error.message()),
              HasSubstr("read row 1 of file \"/in/0.csv\""));
}

TEST_F(StreamTurnsTest, OneEpochIsUnderWayAtATimeAndTheFirstReadsNothing) {
  StartJob();
  LoseTwoWorkers();
  EXPECT_TRUE(barriers_.back().has_allowance());
  EXPECT_EQ(barriers_.back().allowance().rows_max(), 0);
  WorkUntil([](const v1::InjectBarrier& barrier) { return barrier.allowance().rows_max() > 0; });
  EXPECT_TRUE(barriers_.back().checkpoint());
  const uint64_t reading = barriers_.back().epoch();
  // The next one is started when this one is durable.
  WorkUntil([reading](const v1::InjectBarrier& barrier) { return barrier.epoch() > reading; });
  EXPECT_GE(jobs_->View(kJob)->durable_epoch, reading);
}

TEST_F(StreamTurnsTest, ScansReadFreelyOnceTheLevelIsOver) {
  StartJob();
  LoseTwoWorkers();
  const uint32_t attempt = attempt_;
  WorkUntil([](const v1::InjectBarrier& barrier) { return !barrier.has_allowance(); });
  EXPECT_EQ(attempt_, attempt);
  EXPECT_FALSE(barriers_.back().final());
  // For good.
  const uint64_t rows = rows_of_[0];
  while (rows_of_[0] < rows + 10 * kRowsPerEpoch) Work();
  EXPECT_FALSE(barriers_.back().has_allowance());
}

TEST_F(StreamTurnsTest, AStopInTheLastLevelIsNotHeldUp) {
  crash_task_ = 1;
  crash_row_ = 3000;
  StartJob();
  WorkUntil([](const v1::InjectBarrier& barrier) { return barrier.allowance().has_only(); });
  crash_task_.reset();
  std::thread stopper([this] {
    Cancellation token;
    EXPECT_TRUE(jobs_->Stop(kJob, token).ok());
  });
  while (Phase() != StreamPhase::kServing) Work();
  stopper.join();
  EXPECT_TRUE(barriers_.back().final());
  EXPECT_FALSE(barriers_.back().has_allowance());
}

}  // namespace
}  // namespace millrace
