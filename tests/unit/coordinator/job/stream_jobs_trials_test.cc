#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

// Jobs that share a worker with one that ends it again and again.

namespace millrace {
namespace {

using ::testing::HasSubstr;

// Nothing comes into any of the jobs, so nothing tells them apart but what happens while they run.
class StreamTrialsTest : public StreamJobsTest {
 protected:
  static constexpr uint64_t kGuilty = 21;
  static constexpr uint64_t kJobs[] = {20, kGuilty, 22, 23};

  void StartJobs() {
    // The one that joined last is there.
    cluster_.registry_.Disconnect(WorkerId(1), absl::UnavailableError("eof"));
    for (const uint64_t job : kJobs) {
      v1::JobRecord record;
      record.set_id(job);
      record.set_name(absl::StrCat("v", job));
      record.set_state(v1::JOB_STATE_CREATED);
      record.set_streaming(true);
      ASSERT_TRUE(store_->Create(record).ok());
      StreamSpec spec;
      spec.job_id = job;
      spec.name = record.name();
      spec.parallelism = 1;
      spec.planned = OneFragmentPlan(1, kView + job);
      spec.scans.emplace_back();
      spec.scans[0].scan_id = 7;
      spec.scans[0].splits.emplace_back();
      ASSERT_TRUE(jobs_->Start(std::move(spec)).ok());
    }
  }

  // A few milliseconds pass. The worker ends when the guilty job has run for `life_millis`, and
  // another one takes its place.
  void Work(int64_t life_millis) {
    cluster_.clock_.AdvanceMillis(10);
    jobs_->Tick();
    const auto [worker, link] = cluster_.links().back();
    for (const v1::CoordinatorMessage& message : link->Take()) React(worker, message);
    const auto guilty = started_micros_.find(kGuilty);
    const bool ends = guilty != started_micros_.end() &&
                      cluster_.clock_.MonotonicMicros() >= guilty->second + life_millis * 1000;
    if (ends) {
      // What ran with it.
      started_micros_.clear();
      ++num_ends_;
      cluster_.registry_.Disconnect(worker, absl::UnavailableError("eof"));
      cluster_.Join();
    }
    std::this_thread::yield();
  }

  void React(WorkerId worker, const v1::CoordinatorMessage& message) {
    v1::WorkerMessage reply;
    if (message.has_deploy()) {
      const v1::DeployAttempt& deploy = message.deploy();
      started_micros_[deploy.job_id()] = cluster_.clock_.MonotonicMicros();
      reply.mutable_deployed()->set_job_id(deploy.job_id());
      reply.mutable_deployed()->set_attempt(deploy.attempt());
    } else if (message.has_cancel()) {
      reply.mutable_cancelled()->set_job_id(message.cancel().job_id());
      reply.mutable_cancelled()->set_attempt(message.cancel().attempt());
    } else if (message.has_inject_barrier()) {
      return Pass(worker, message.inject_barrier());
    } else {
      return;
    }
    cluster_.registry_.Receive(worker, reply);
  }

  void Pass(WorkerId worker, const v1::InjectBarrier& barrier) {
    v1::WorkerMessage reply;
    reply.mutable_epoch_ack()->set_job_id(barrier.job_id());
    reply.mutable_epoch_ack()->set_attempt(barrier.attempt());
    reply.mutable_epoch_ack()->set_epoch(barrier.epoch());
    cluster_.registry_.Receive(worker, reply);
    if (!barrier.checkpoint()) return;
    v1::WorkerMessage done;
    done.mutable_checkpoint_done()->set_job_id(barrier.job_id());
    done.mutable_checkpoint_done()->set_attempt(barrier.attempt());
    done.mutable_checkpoint_done()->set_epoch(barrier.epoch());
    cluster_.registry_.Receive(worker, done);
  }

  bool HasFailed(uint64_t job) const { return jobs_->View(job)->phase == StreamPhase::kFailed; }
  void ExpectOnlyTheGuiltyOneFails(int64_t life_millis) {
    StartJobs();
    while (!HasFailed(kGuilty) && num_ends_ < 100) Work(life_millis);
    ASSERT_TRUE(HasFailed(kGuilty));
    EXPECT_THAT(std::string(jobs_->View(kGuilty)->error.message()), HasSubstr("times in a row"));
    EXPECT_LT(num_ends_, 40);
    for (const uint64_t job : kJobs) EXPECT_EQ(HasFailed(job), job == kGuilty) << job;
    // They go on one after the other, and then at once.
    const auto all_run = [this] {
      for (const uint64_t job : kJobs) {
        if (job != kGuilty && !started_micros_.contains(job)) return false;
      }
      return true;
    };
    for (int i = 0; i < 1'000'000 && !all_run(); ++i) Work(life_millis);
    EXPECT_TRUE(all_run());
  }

  // Of the jobs whose attempts run.
  std::map<uint64_t, int64_t> started_micros_;
  int num_ends_ = 0;
};

TEST_F(StreamTrialsTest, JobsWithoutRowsDoNotFailForAnother) { ExpectOnlyTheGuiltyOneFails(3'000); }

TEST_F(StreamTrialsTest, OneThatEndsWorkersLateIsFoundToo) { ExpectOnlyTheGuiltyOneFails(15'000); }

TEST_F(StreamTrialsTest, WorkersThatEndWhileAJobWaitsAreNotItsDoing) {
  StartJobs();
  // Something else ends every worker, also while no job runs.
  for (int end = 0; end < 60; ++end) {
    for (int i = 0; i < 100; ++i) Work(1'000'000'000);
    const WorkerId worker = cluster_.links().back().first;
    started_micros_.clear();
    cluster_.registry_.Disconnect(worker, absl::UnavailableError("eof"));
    cluster_.Join();
  }
  for (const uint64_t job : kJobs) EXPECT_FALSE(HasFailed(job)) << job;
}

}  // namespace
}  // namespace millrace
