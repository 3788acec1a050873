#include "coordinator/service/job_status.h"

#include "common/base/status.h"
#include "coordinator/job/job_store.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

// Attempt 5 runs, after the end of attempt 4.
v1::JobRecord RunningStream() {
  v1::JobRecord stream;
  stream.set_id(2642);
  stream.set_name("l3");
  stream.set_streaming(true);
  stream.set_parent_job_id(2641);
  stream.set_state(v1::JOB_STATE_RUNNING);
  stream.set_attempt(5);
  stream.set_durable_epoch(13);
  AddRestart(stream, 4, 1'000'000, MakeError(SqlState::kConnectionFailure, "worker 1 was lost"), 9);
  return stream;
}

v1::JobRecord RunningScript() {
  v1::JobRecord script;
  script.set_id(2641);
  script.set_name("live2");
  script.set_state(v1::JOB_STATE_RUNNING);
  script.set_attempt(3);
  return script;
}

TEST(JobStatusTest, TheAttemptOfAScriptBelongsToTheRestartsOfItsStream) {
  const v1::JobStatus status = StatusOfRecords(RunningScript(), {RunningStream()});
  ASSERT_EQ(status.restarts_size(), 1);
  EXPECT_EQ(status.restarts(0).attempt(), 4);
  EXPECT_EQ(status.attempt(), 5);
  EXPECT_EQ(StatusOfRecords(RunningStream(), {}).attempt(), 5);
}

TEST(JobStatusTest, OfSeveralStreamsItIsTheHighest) {
  v1::JobRecord other = RunningStream();
  other.set_attempt(2);
  EXPECT_EQ(StatusOfRecords(RunningScript(), {RunningStream(), other}).attempt(), 5);
}

TEST(JobStatusTest, AScriptWithoutStreamsCountsItsStarts) {
  EXPECT_EQ(StatusOfRecords(RunningScript(), {}).attempt(), 3);
}

// As the answer to the request says; it may have to wait for workers.
TEST(JobStatusTest, AfterARestartThatWasAskedForItIsTheAttemptThatBegins) {
  v1::JobRecord restarted = RunningStream();
  restarted.set_restart_attempt(6);
  EXPECT_EQ(StatusOfRecords(restarted, {}).attempt(), 6);
  EXPECT_EQ(StatusOfRecords(RunningScript(), {restarted}).attempt(), 6);
  // Others have followed.
  restarted.set_attempt(7);
  EXPECT_EQ(StatusOfRecords(restarted, {}).attempt(), 7);
}

TEST(JobStatusTest, AScriptNamesItsStreams) {
  const v1::JobStatus status = StatusOfRecords(RunningScript(), {RunningStream()});
  ASSERT_EQ(status.streams_size(), 1);
  EXPECT_EQ(status.streams(0).id(), "2642");
  EXPECT_EQ(status.streams(0).name(), "l3");
  EXPECT_EQ(status.streams(0).state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(StatusOfRecords(RunningStream(), {}).streams_size(), 0);
}

// Also while the stream itself is not there: it may not have been taken up.
TEST(JobStatusTest, AScriptHasTheDurableEpochOfItsStream) {
  EXPECT_EQ(StatusOfRecords(RunningScript(), {RunningStream()}).durable_epoch(), 13);
}

}  // namespace
}  // namespace millrace
