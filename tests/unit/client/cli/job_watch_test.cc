#include "client/cli/job_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::JobStatus RunningJob() {
  v1::JobStatus job;
  job.set_id("7");
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_published_epoch(17);
  job.set_durable_epoch(12);
  job.set_rows_in_per_second(400.7);
  job.set_num_restarts(1);
  job.add_steps()->set_state(v1::STEP_STATE_FINISHED);
  v1::StepStatus* step = job.add_steps();
  step->set_state(v1::STEP_STATE_RUNNING);
  step->set_rows_in(1200);
  return job;
}

std::string Shown(std::FILE* out) {
  std::rewind(out);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), out));
  return text;
}

TEST(JobWatchTest, ALineHasWhatChanges) {
  EXPECT_EQ(JobLine(RunningJob()),
            "running  steps done 1/2  rows in 1200  in/s 400  epoch 17  durable 12  restarts 1\n");
}

TEST(JobWatchTest, WithoutATerminalEachChangeIsALineAndTheEndIsWhole) {
  std::FILE* out = std::tmpfile();
  JobWatch watch(out, /*json=*/false);
  v1::JobStatus job = RunningJob();
  watch.Show(job);
  job.set_now_micros(1);  // No change that a line shows.
  watch.Show(job);
  job.set_state(v1::JOB_STATE_FINISHED);
  watch.Show(job);
  const std::string text = Shown(out);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_EQ(text.find("steps done"), text.rfind("steps done"));
  EXPECT_THAT(text, HasSubstr("job 7  finished\n"));
  std::fclose(out);
}

TEST(JobWatchTest, JsonIsOneObjectForEachStatus) {
  std::FILE* out = std::tmpfile();
  JobWatch watch(out, /*json=*/true);
  watch.Show(RunningJob());
  watch.Show(RunningJob());
  const std::string text = Shown(out);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(text.front(), '{');
  std::fclose(out);
}

TEST(JobWatchTest, AScreenIsCutToItsSize) {
  const std::string screen =
      ScreenText("first line\n…econd\nthird\nfourth\n", {.rows = 4, .columns = 5});
  EXPECT_EQ(screen, "\x1b[Hfirst\x1b[K\n…econ\x1b[K\n… 2 m\x1b[K\n\x1b[J");
  EXPECT_EQ(ScreenText("a\nb\n", {.rows = 4, .columns = 5}), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
}

}  // namespace
}  // namespace millrace
