#include "client/cli/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/v1/cluster_service.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

TEST(StatusTextTest, ShowsStepsTasksAndTheLastError) {
  v1::JobStatus job;
  job.set_id("7");
  job.set_name("flights");
  job.set_state(v1::JOB_STATE_FAILED);
  job.mutable_error()->set_message("division by zero");
  job.mutable_error()->mutable_detail()->set_sqlstate("22012");
  auto* step = job.add_steps();
  step->set_title("CREATE TABLE daily AS …");
  step->set_rows(42);
  step->set_state(v1::STEP_STATE_FINISHED);
  step->set_stored_at("table daily");
  auto* task = job.add_tasks();
  task->set_job_id(7);
  task->set_worker_id(2);
  task->set_rows_in(1000);
  task->set_state(v1::TASK_STATE_RUNNING);
  task->set_has_watermark(true);
  task->set_watermark_micros(0);
  const std::string text = JobText(job);
  EXPECT_THAT(text, HasSubstr("job 7 (flights)  failed"));
  EXPECT_THAT(text, HasSubstr("error 22012: division by zero"));
  EXPECT_THAT(text, HasSubstr("table daily"));
  EXPECT_THAT(text, HasSubstr("1000"));
}

TEST(StatusTextTest, JsonHasAllFieldsOnOneLine) {
  v1::WorkerStatus worker;
  worker.set_worker_id(3);
  const std::string line = MessageToJsonLine(worker);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_THAT(line, HasSubstr("\"worker_id\":3"));
  EXPECT_THAT(line, HasSubstr("\"running_tasks\":0"));
}

}  // namespace
}  // namespace millrace
