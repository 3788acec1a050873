#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/base/status.h"
#include "coordinator/job/script_jobs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coordinator/job/stream_jobs_fixture.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kScript = 3;
constexpr size_t kScriptsAtOnce = 4;

// Every statement is done already.
class NothingToRun final : public ScriptStepRunner {
 public:
  absl::StatusOr<std::vector<std::string>> Split(const std::string& script) override {
    return std::vector<std::string>(absl::StrSplit(script, ' ', absl::SkipEmpty()));
  }
  ScriptRunResult RunSteps(const v1::JobRecord&, uint32_t, absl::Span<const std::string>,
                           Cancellation&, const std::function<void(uint64_t)>&) override {
    ADD_FAILURE() << "a statement is run again";
    ScriptRunResult run;
    run.steps.emplace_back(InternalError("a statement is run again"));
    run.failed = 0;
    return run;
  }
};

// A script whose first statement has created the job of the fixture.
class ScriptRestartsTest : public StreamJobsTest {
 protected:
  ~ScriptRestartsTest() override { EndScripts(); }

  void StartScript() {
    StartJob();
    Pump();
    NextCheckpoint();
    v1::JobRecord script;
    script.set_id(kScript);
    script.set_name("j");
    script.set_sql("view");
    script.set_state(v1::JOB_STATE_RUNNING);
    script.set_attempt(1);
    script.set_committed_steps(1);
    script.add_steps()->set_job_id(kJob);
    script.mutable_steps(0)->set_state(v1::STEP_STATE_RUNNING);
    ASSERT_TRUE(store_->Create(script).ok());
    ASSERT_TRUE(
        store_->Update(kJob, [](v1::JobRecord& job) { job.set_parent_job_id(kScript); }).ok());
    TakeUpScript();
  }
  // As a process does that begins.
  void TakeUpScript() {
    scripts_ = std::make_unique<ScriptJobs>(
        ScriptJobs::Parts{*store_, *jobs_, job_ids_, runner_, threads_, cluster_.clock_});
    const absl::Status taken_up = scripts_->Recover(*store_->Get(kScript));
    ASSERT_TRUE(taken_up.ok()) << taken_up;
  }
  // As a process does that ends: nothing is recorded.
  void EndScripts() {
    if (scripts_ != nullptr) scripts_->Shutdown();
    threads_.JoinAll();
    scripts_.reset();
  }

  v1::JobRecord Script() const { return *store_->Get(kScript); }
  // Its thread is gone then, too.
  v1::JobRecord AwaitEnd(v1::JobState state) {
    threads_.JoinAll();
    EXPECT_EQ(static_cast<v1::JobState>(Script().state()), state);
    return Script();
  }
  void FailJob() {
    cluster_.runs_.Cancel(kJob, attempt_, MakeError(SqlState::kDivisionByZero, "division by zero"));
    while (RecordedState() != v1::JOB_STATE_FAILED) {
      Pump();
      std::this_thread::yield();
    }
  }
  absl::StatusOr<RestartAnswer> RestartStream(const std::string& request_id = "") {
    Cancellation waiter;
    return scripts_->RestartStream({kJob, 0, request_id}, waiter);
  }
  void ExpectScriptRuns() const {
    const v1::JobRecord script = Script();
    EXPECT_EQ(script.state(), v1::JOB_STATE_RUNNING);
    EXPECT_EQ(script.ended_at_micros(), 0);
    EXPECT_EQ(script.error_message() + script.error_sqlstate(), "");
    EXPECT_EQ(script.steps(0).state(), v1::STEP_STATE_RUNNING);
    EXPECT_EQ(script.steps(0).ended_at_micros(), 0);
    EXPECT_FALSE(script.steps(0).has_error());
  }

  IdAllocator job_ids_{cluster_.store_, "job", 8};
  NothingToRun runner_;
  StatementThreads threads_{{kScriptsAtOnce, "scripts", "stop one of them"}};
  std::unique_ptr<ScriptJobs> scripts_;
};

TEST_F(ScriptRestartsTest, AStoppedStreamThatIsRestartedBringsItsScriptBack) {
  StartScript();
  StopJob();
  EXPECT_GT(AwaitEnd(v1::JOB_STATE_STOPPED).ended_at_micros(), 0);
  const auto answer = RestartStream("again");
  ASSERT_TRUE(answer.ok()) << answer.status();
  ExpectScriptRuns();
  // The answer was lost, and the request is made again.
  EXPECT_EQ(RestartStream("again")->attempt, answer->attempt);
  // It is followed as before.
  RunAttempt(2);
  StopJob();
  AwaitEnd(v1::JOB_STATE_STOPPED);
}

TEST_F(ScriptRestartsTest, AFailedStreamThatIsRestartedClearsTheErrorOfItsScript) {
  StartScript();
  FailJob();
  EXPECT_THAT(AwaitEnd(v1::JOB_STATE_FAILED).error_message(), HasSubstr("division by zero"));
  ASSERT_TRUE(RestartStream().ok());
  ExpectScriptRuns();
  RunAttempt(2);
  FailJob();
  EXPECT_THAT(AwaitEnd(v1::JOB_STATE_FAILED).error_message(), HasSubstr("division by zero"));
}

// The process ends between the restart of the stream and the record of its script.
TEST_F(ScriptRestartsTest, AProcessThatBeginsFindsTheStreamThatRuns) {
  StartScript();
  StopJob();
  AwaitEnd(v1::JOB_STATE_STOPPED);
  ASSERT_TRUE(Restart().ok());
  EndScripts();
  StartCoordinator();
  ASSERT_TRUE(jobs_->Recover(*store_->Get(kJob), StreamOptions()).ok());
  TakeUpScript();
  ExpectScriptRuns();
}

// A stopped job is taken up too, to serve its views.
TEST_F(ScriptRestartsTest, AProcessThatBeginsLeavesAStoppedScriptAlone) {
  StartScript();
  StopJob();
  const v1::JobRecord stopped = AwaitEnd(v1::JOB_STATE_STOPPED);
  EndScripts();
  StartCoordinator();
  ASSERT_TRUE(jobs_->Recover(*store_->Get(kJob), StreamOptions()).ok());
  TakeUpScript();
  EXPECT_EQ(AwaitEnd(v1::JOB_STATE_STOPPED).SerializeAsString(), stopped.SerializeAsString());
}

// Its other statements do not run because somebody wants the view back.
TEST_F(ScriptRestartsTest, AScriptThatHasFailedAtAStatementStaysThere) {
  StartScript();
  EndScripts();
  StopJob();
  const auto fail = [](v1::JobRecord& script) {
    script.set_state(v1::JOB_STATE_FAILED);
    script.set_error_message("no such table");
    script.mutable_steps(0)->set_state(v1::STEP_STATE_FINISHED);
    script.add_steps()->set_state(v1::STEP_STATE_FAILED);
    script.mutable_steps(1)->set_index(1);
  };
  ASSERT_TRUE(store_->Update(kScript, fail).ok());
  TakeUpScript();
  ASSERT_TRUE(RestartStream().ok());
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(AwaitEnd(v1::JOB_STATE_FAILED).error_message(), "no such table");
  EXPECT_EQ(Script().steps(0).state(), v1::STEP_STATE_RUNNING);
  EXPECT_EQ(Script().steps(1).state(), v1::STEP_STATE_FAILED);
}

TEST_F(ScriptRestartsTest, NoStreamIsRestartedThatNobodyCouldFollow) {
  StartScript();
  StopJob();
  AwaitEnd(v1::JOB_STATE_STOPPED);
  std::vector<StatementThreads::Slot> taken;
  for (size_t i = 0; i < kScriptsAtOnce; ++i) taken.push_back(*threads_.Reserve());
  EXPECT_EQ(GetErrorDetail(RestartStream().status()).state, SqlState::kInsufficientResources);
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_STOPPED);
  taken.clear();
  ASSERT_TRUE(RestartStream().ok());
  ExpectScriptRuns();
}

TEST_F(ScriptRestartsTest, AStreamWithoutAScriptIsRestartedAsItIs) {
  StartScript();
  ASSERT_TRUE(store_->Update(kJob, [](v1::JobRecord& job) { job.clear_parent_job_id(); }).ok());
  EndScripts();
  StopJob();
  TakeUpScript();
  ASSERT_TRUE(RestartStream().ok());
  EXPECT_EQ(RecordedState(), v1::JOB_STATE_RUNNING);
}

}  // namespace
}  // namespace millrace
