#include "client/cpp/public_form.h"

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "millrace/v1/cluster_service.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

absl::Status SomeError() {
  return MakeError(ErrorDetail{SqlState::kUndefinedColumn, 8, "did you mean \"price\"?",
                               Blame::kUser, Retry::kNever},
                   "column \"pric\" does not exist");
}

TEST(PublicFormTest, AnErrorKeepsAllThatItCarries) {
  const Error error = ToError(SomeError());
  EXPECT_EQ(error.sqlstate, "42703");
  EXPECT_EQ(error.position, 8);
  EXPECT_EQ(error.blame, Error::Blame::kUser);
  EXPECT_FALSE(error.retry_safe);
  EXPECT_EQ(error.ToString(),
            "42703: column \"pric\" does not exist, at character 8 (did you mean \"price\"?)");
  EXPECT_EQ(ToError(MakeError(SqlState::kInternalError, "broken")).ToString(), "XX000: broken");
}

TEST(PublicFormTest, AResultHasAValueOrAnError) {
  Result<int> good = 7;
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 7);
  const Result<int> bad = ToError(SomeError());
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().sqlstate, "42703");
  EXPECT_TRUE(Result<void>().ok());
  EXPECT_EQ(Result<void>(ToError(SomeError())).error().position, 8);
}

TEST(PublicFormTest, AJobHasItsStepsCheckpointAndRestarts) {
  v1::JobStatus job;
  job.set_id("7");
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_created_at_micros(1'000'000);
  job.set_now_micros(9'000'000);
  job.set_rows_in_per_second(12.5);
  job.set_memory_bytes(3);
  job.set_disk_bytes(4);
  v1::StepStatus* step = job.add_steps();
  step->set_state(v1::STEP_STATE_FAILED);
  step->set_has_watermark(true);
  step->set_watermark_micros(5);
  ToProto(SomeError(), step->mutable_error());
  job.mutable_last_checkpoint()->set_epoch(40);
  job.mutable_last_checkpoint()->set_created_at_micros(8'000'000);
  job.set_num_restarts(9);
  v1::JobRestart* restart = job.add_restarts();
  restart->set_attempt(3);
  restart->set_restored_epoch(33);
  ToProto(SomeError(), restart->mutable_cause());

  const JobStatus out = ToJobStatus(job);
  EXPECT_EQ(out.state, JobState::kRunning);
  EXPECT_FALSE(out.at_its_end());
  EXPECT_FALSE(out.ended_at.has_value());
  EXPECT_FALSE(out.error.has_value());
  EXPECT_EQ(out.rows_in_per_second, 12.5);
  EXPECT_EQ(out.memory_bytes, 3);
  EXPECT_EQ(out.disk_bytes, 4);
  ASSERT_EQ(out.steps.size(), 1);
  EXPECT_EQ(out.steps[0].state, StepState::kFailed);
  EXPECT_EQ(out.steps[0].watermark_micros, 5);
  EXPECT_EQ(out.steps[0].error->sqlstate, "42703");
  ASSERT_TRUE(out.last_checkpoint.has_value());
  EXPECT_EQ(out.now - out.last_checkpoint->created_at, std::chrono::seconds(1));
  EXPECT_EQ(out.num_restarts, 9);
  ASSERT_EQ(out.restarts.size(), 1);
  EXPECT_EQ(out.restarts[0].restored_epoch, 33);
  EXPECT_EQ(out.restarts[0].cause.sqlstate, "42703");
}

TEST(PublicFormTest, EveryStateHasItsWord) {
  for (int state = v1::JOB_STATE_CREATED; state <= v1::JobState_MAX; ++state) {
    v1::JobStatus job;
    job.set_state(static_cast<v1::JobState>(state));
    EXPECT_STRNE(ToString(ToJobStatus(job).state), "unknown") << state;
  }
}

TEST(PublicFormTest, AWorkerShowsWhatItUses) {
  v1::WorkerStatus worker;
  worker.set_worker_id(3);
  worker.set_state(v1::WORKER_STATE_LOST);
  worker.set_lost_reason("silent for more than 5000 ms");
  worker.set_disk_free_bytes(77);
  const WorkerStatus out = ToWorkerStatus(worker);
  EXPECT_EQ(out.id, 3);
  EXPECT_EQ(out.state, WorkerState::kLost);
  EXPECT_EQ(out.lost_reason, "silent for more than 5000 ms");
  EXPECT_EQ(out.disk_free_bytes, 77);
}

}  // namespace
}  // namespace millrace
