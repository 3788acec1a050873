#include "client/cli/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "millrace/v1/cluster_service.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

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
  EXPECT_THAT(text, HasSubstr("1970-01-01 00:00:00"));
}

TEST(StatusTextTest, ShowsRatesCheckpointStateAndRestarts) {
  v1::JobStatus job;
  job.set_id("7");
  job.set_now_micros(13'500'000);
  job.set_rows_in_per_second(1234.4);
  job.set_memory_bytes(3 << 20);
  job.set_disk_bytes(5000);
  v1::CheckpointSummary* last = job.mutable_last_checkpoint();
  last->set_epoch(40);
  last->set_created_at_micros(12'000'000);
  last->set_duration_micros(90'000);
  last->set_num_files(12);
  last->set_size_bytes(uint64_t{3} << 29);
  last->set_uploaded_bytes(100);
  job.set_num_restarts(17);
  v1::JobRestart* restart = job.add_restarts();
  restart->set_attempt(2);
  restart->set_at_micros(1'000'000);
  restart->set_restored_epoch(33);
  restart->mutable_cause()->set_message("worker 4 was lost");
  restart->mutable_cause()->mutable_detail()->set_sqlstate("08006");
  const std::string text = JobText(job);
  EXPECT_THAT(text, HasSubstr("rows in 1234/s  state in memory 3 MiB, on disk 4 KiB\n"));
  EXPECT_THAT(text, HasSubstr("checkpoint 40  1.5 s old, made in 90 ms, 1.5 GiB in 12 files, "
                              "100 B uploaded\n"));
  EXPECT_THAT(text, HasSubstr("restarts 17\n  1970-01-01 00:00:01  attempt 2 ended, went on from "
                              "epoch 33: 08006: worker 4 was lost\n"));
}

TEST(StatusTextTest, AStepThatGoesOnSaysWhatItWaitsFor) {
  v1::JobStatus job;
  v1::StepStatus* step = job.add_steps();
  step->set_state(v1::STEP_STATE_RUNNING);
  step->mutable_error()->set_message("no worker is there");
  step->mutable_error()->mutable_detail()->set_sqlstate("53000");
  EXPECT_THAT(JobText(job), HasSubstr("step 1 waits: 53000: no worker is there\n"));
}

TEST(StatusTextTest, ErrorsNameTheirPlace) {
  v1::JobStatus job;
  auto* task = job.add_tasks();
  task->set_job_id(7);
  task->set_fragment(2);
  task->set_task_index(1);
  task->set_state(v1::TASK_STATE_FAILED);
  task->mutable_error()->set_message("events.csv:7: \"x\" is no integer");
  task->mutable_error()->mutable_detail()->set_sqlstate("22P02");
  auto* step = job.add_steps();
  step->mutable_error()->set_message("division by zero");
  step->mutable_error()->mutable_detail()->set_sqlstate("22012");
  step->mutable_error()->mutable_detail()->set_position(8);
  step->mutable_error()->mutable_detail()->set_hint("use nullif");
  const std::string text = JobText(job);
  EXPECT_THAT(text, HasSubstr("task 7/2.1 error 22P02: events.csv:7: \"x\" is no integer\n"));
  EXPECT_THAT(text,
              HasSubstr("step 1 error 22012: division by zero, at character 8 (use nullif)\n"));
}

TEST(StatusTextTest, FragmentsOfDifferentJobsHaveTheirOwnTitles) {
  v1::JobStatus job;
  for (uint64_t id : {8, 9}) {
    auto* fragment = job.add_fragments();
    fragment->set_job_id(id);
    fragment->set_title(id == 8 ? "Scan" : "ViewSink");
    job.add_tasks()->set_job_id(id);
  }
  const std::string text = JobText(job);
  EXPECT_THAT(text, HasSubstr("Scan"));
  EXPECT_THAT(text, HasSubstr("ViewSink"));
}

TEST(StatusTextTest, AScriptNamesItsStreams) {
  v1::JobStatus job;
  EXPECT_THAT(JobText(job), Not(HasSubstr("streams")));
  for (const auto& [id, state] :
       {std::pair("2642", v1::JOB_STATE_RUNNING), std::pair("2650", v1::JOB_STATE_STOPPED)}) {
    v1::StreamOfScript* stream = job.add_streams();
    stream->set_id(id);
    stream->set_name(absl::StrCat("view", id));
    stream->set_state(state);
  }
  EXPECT_THAT(JobText(job),
              HasSubstr("\nstreams  2642 view2642 (running), 2650 view2650 (stopped)\n"
                        "epoch published "));
}

TEST(StatusTextTest, AListHasTheDurableEpochUntilAnotherOneIsPublished) {
  v1::JobStatus job;
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_durable_epoch(4713);
  EXPECT_THAT(JobsText({job}), HasSubstr("4713"));
  job.set_published_epoch(4720);
  EXPECT_THAT(JobsText({job}), AllOf(HasSubstr("4720"), Not(HasSubstr("4713"))));
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
