#include "coordinator/job/script_jobs.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/status.pb.h"
#include "tests/unit/coordinator/job/fake_cluster.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

// Statements are the words of the script: "fail" fails, "wait" lasts until it is cancelled, "set"
// changes a setting, anything else stores one row.
class WordRunner final : public ScriptStepRunner {
 public:
  absl::StatusOr<std::vector<std::string>> Split(const std::string& script) override {
    if (script == "broken") return MakeError(SqlState::kSyntaxError, "unterminated string");
    return std::vector<std::string>(absl::StrSplit(script, ' ', absl::SkipEmpty()));
  }

  ScriptRunResult RunSteps(const v1::JobRecord& job, uint32_t,
                           absl::Span<const std::string> statements, Cancellation& cancellation,
                           const std::function<void(uint64_t)>& on_job) override {
    ScriptRunResult run;
    for (const std::string& statement : statements) {
      run.steps.push_back(RunWord(job, statement, cancellation, on_job));
      if (!run.steps.back().ok()) run.failed = run.steps.size() - 1;
      // Words that begin with "view" are one job.
      if (run.failed.has_value() || !absl::StartsWith(statement, "view")) break;
    }
    return run;
  }

  // Until `count` statements have begun.
  void AwaitRan(size_t count) {
    MutexLock lock(mutex_);
    while (ran.size() < count) changed_.Wait(mutex_);
  }

  std::vector<std::string> ran;
  std::vector<std::pair<std::string, std::string>> settings;

 private:
  absl::StatusOr<ScriptStepResult> RunWord(const v1::JobRecord& job, const std::string& statement,
                                           Cancellation& cancellation,
                                           const std::function<void(uint64_t)>& on_job) {
    {
      MutexLock lock(mutex_);
      ran.push_back(statement);
      settings.assign(job.settings().begin(), job.settings().end());
      changed_.NotifyAll();
    }
    on_job(1000);
    if (statement == "fail") return MakeError(SqlState::kDivisionByZero, "division by zero");
    if (statement == "exists") return MakeError(SqlState::kDuplicateTable, "already exists");
    if (statement == "wait") return WaitForCancellation(cancellation);
    ScriptStepResult result;
    result.rows = 1;
    result.stored_at = "table " + statement;
    if (statement == "set") result.settings.emplace_back("parallelism", "3");
    return result;
  }

  absl::Status WaitForCancellation(Cancellation& cancellation) {
    Cancellation::Registration wake(cancellation, [this](const absl::Status&) {
      MutexLock lock(mutex_);
      changed_.NotifyAll();
    });
    MutexLock lock(mutex_);
    while (!cancellation.cancelled()) changed_.Wait(mutex_);
    return cancellation.status();
  }

  Mutex mutex_;
  CondVar changed_;
};

constexpr size_t kScriptsMax = 4;

class ScriptJobsTest : public ::testing::Test {
 protected:
  ScriptJobsTest() { EXPECT_TRUE(store_.Load().ok()); }
  ~ScriptJobsTest() override {
    scripts_.Shutdown();
    threads_.JoinAll();
  }

  v1::JobRecord Request(const std::string& sql, const std::string& request_id = "") {
    v1::JobRecord request;
    request.set_sql(sql);
    request.set_name("job " + sql);
    request.set_request_id(request_id);
    return request;
  }

  // Runs a script to its end.
  v1::JobRecord RunToEnd(const std::string& sql) {
    const auto submitted = scripts_.Submit(Request(sql));
    EXPECT_TRUE(submitted.ok()) << submitted.status();
    threads_.JoinAll();
    return *store_.Get(submitted->id());
  }

  FakeCluster cluster_;
  JobStore store_{cluster_.store_};
  IdAllocator job_ids_{cluster_.store_, "job", 8};
  IdAllocator epoch_ids_{cluster_.store_, "epoch", 8};
  const CheckpointFiles checkpoints_{::testing::TempDir(), ""};
  const JobFiles files_{::testing::TempDir(), ""};
  StreamJobs streams_{StreamJobs::Parts{cluster_.runs_, cluster_.registry_, store_, epoch_ids_,
                                        checkpoints_, files_, cluster_.clock_}};
  WordRunner runner_;
  StatementThreads threads_{{kScriptsMax, "scripts", "stop one of them"}};
  ScriptJobs scripts_{
      ScriptJobs::Parts{store_, streams_, job_ids_, runner_, threads_, cluster_.clock_}};
};

TEST_F(ScriptJobsTest, StepsOfOneJobAreRecordedTogether) {
  const v1::JobRecord record = RunToEnd("a view1 view2 b");
  EXPECT_THAT(runner_.ran, ElementsAre("a", "view1", "view2", "b"));
  EXPECT_EQ(record.state(), v1::JOB_STATE_FINISHED);
  ASSERT_EQ(record.steps_size(), 4);
  EXPECT_EQ(record.steps(2).stored_at(), "table view2");
  EXPECT_EQ(record.committed_steps(), 4);
}

TEST_F(ScriptJobsTest, AFailingStepOfAJobFailsTheScriptThere) {
  const v1::JobRecord record = RunToEnd("view1 fail b");
  EXPECT_EQ(record.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(record.committed_steps(), 0);
  EXPECT_EQ(record.steps(1).state(), v1::STEP_STATE_FAILED);
  EXPECT_EQ(record.steps(2).state(), v1::STEP_STATE_WAITING);
  EXPECT_EQ(record.error_message(), "division by zero");
}

TEST_F(ScriptJobsTest, StatementsRunInOrderAndAreRecorded) {
  const v1::JobRecord record = RunToEnd("a b");
  EXPECT_THAT(runner_.ran, ElementsAre("a", "b"));
  EXPECT_EQ(record.state(), v1::JOB_STATE_FINISHED);
  EXPECT_EQ(record.committed_steps(), 2);
  ASSERT_EQ(record.steps_size(), 2);
  EXPECT_EQ(record.steps(1).state(), v1::STEP_STATE_FINISHED);
  EXPECT_EQ(record.steps(1).stored_at(), "table b");
  EXPECT_EQ(record.steps(1).job_id(), 1000);
}

TEST_F(ScriptJobsTest, FailureEndsTheScript) {
  const v1::JobRecord record = RunToEnd("a fail c");
  EXPECT_THAT(runner_.ran, ElementsAre("a", "fail"));
  EXPECT_EQ(record.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(record.error_sqlstate(), "22012");
  EXPECT_EQ(record.committed_steps(), 1);
  EXPECT_EQ(record.steps(1).error().message(), "division by zero");
  EXPECT_EQ(record.steps(2).state(), v1::STEP_STATE_WAITING);
}

TEST_F(ScriptJobsTest, SettingsHoldForLaterStatements) {
  RunToEnd("set b");
  EXPECT_THAT(runner_.settings,
              ElementsAre(std::pair<std::string, std::string>("parallelism", "3")));
}

TEST_F(ScriptJobsTest, TextThatCannotBeSplitIsRefused) {
  EXPECT_EQ(GetErrorDetail(scripts_.Submit(Request("broken")).status()).state,
            SqlState::kSyntaxError);
  EXPECT_TRUE(store_.List().empty());
}

TEST_F(ScriptJobsTest, RepeatedRequestStartsNothing) {
  const auto first = scripts_.Submit(Request("a", "r1"));
  const auto second = scripts_.Submit(Request("a", "r1"));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->id(), first->id());
  threads_.JoinAll();
  EXPECT_THAT(runner_.ran, ElementsAre("a"));
  EXPECT_EQ(GetErrorDetail(scripts_.Submit(Request("b", "r1")).status()).state,
            SqlState::kInvalidParameterValue);
}

TEST_F(ScriptJobsTest, OneScriptTooManyLeavesNothing) {
  const auto first = scripts_.Submit(Request("wait 0", "r0"));
  ASSERT_TRUE(first.ok());
  for (size_t i = 1; i < kScriptsMax; ++i) {
    ASSERT_TRUE(scripts_.Submit(Request(absl::StrCat("wait ", i))).ok());
  }
  runner_.AwaitRan(kScriptsMax);
  const auto refused = scripts_.Submit(Request("a", "r1"));
  EXPECT_EQ(GetErrorDetail(refused.status()).state, SqlState::kInsufficientResources);
  EXPECT_EQ(GetErrorDetail(refused.status()).retry, Retry::kSafe);
  EXPECT_EQ(store_.List().size(), kScriptsMax);
  // The answer to a request that is made again needs no thread.
  EXPECT_EQ(scripts_.Submit(Request("wait 0", "r0"))->id(), first->id());

  Cancellation waiter;
  ASSERT_TRUE(scripts_.Cancel(first->id(), waiter).ok());
  // Its thread is free a moment later.
  auto again = scripts_.Submit(Request("a", "r1"));
  while (!again.ok()) {
    ASSERT_EQ(GetErrorDetail(again.status()).state, SqlState::kInsufficientResources);
    again = scripts_.Submit(Request("a", "r1"));
  }
  runner_.AwaitRan(kScriptsMax + 1);
  EXPECT_EQ(runner_.ran.back(), "a");
}

TEST_F(ScriptJobsTest, OneScriptTooManyOfAnEarlierProcessHasFailed) {
  for (uint64_t id = 1; id <= kScriptsMax + 1; ++id) {
    v1::JobRecord record = Request(absl::StrCat("wait ", id));
    record.set_id(id);
    record.set_state(v1::JOB_STATE_RUNNING);
    ASSERT_TRUE(store_.Create(record).ok());
    ASSERT_TRUE(scripts_.Recover(*store_.Get(id)).ok());
  }
  EXPECT_EQ(store_.Get(kScriptsMax)->state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(store_.Get(kScriptsMax + 1)->state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(store_.Get(kScriptsMax + 1)->error_sqlstate(), "53000");
  // It stays as it was when it cannot be restarted either.
  Cancellation waiter;
  EXPECT_EQ(GetErrorDetail(scripts_.Restart({kScriptsMax + 1, 0, ""}, waiter).status()).state,
            SqlState::kInsufficientResources);
  EXPECT_EQ(store_.Get(kScriptsMax + 1)->state(), v1::JOB_STATE_FAILED);
}

TEST_F(ScriptJobsTest, CancelEndsTheRunningStatement) {
  const auto submitted = scripts_.Submit(Request("a wait c"));
  runner_.AwaitRan(2);
  Cancellation waiter;
  ASSERT_TRUE(scripts_.Cancel(submitted->id(), waiter).ok());
  const v1::JobRecord record = *store_.Get(submitted->id());
  EXPECT_EQ(record.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(record.steps(1).state(), v1::STEP_STATE_CANCELLED);
  EXPECT_EQ(record.steps(2).state(), v1::STEP_STATE_CANCELLED);
}

TEST_F(ScriptJobsTest, StopIsNoFailure) {
  const auto submitted = scripts_.Submit(Request("wait"));
  runner_.AwaitRan(1);
  Cancellation waiter;
  ASSERT_TRUE(scripts_.Stop(submitted->id(), waiter).ok());
  EXPECT_EQ(store_.Get(submitted->id())->state(), v1::JOB_STATE_STOPPED);
}

TEST_F(ScriptJobsTest, StoppedScriptIsRestartedAtTheStatementThatWasInterrupted) {
  const auto submitted = scripts_.Submit(Request("a wait c"));
  runner_.AwaitRan(2);
  Cancellation waiter;
  ASSERT_TRUE(scripts_.Stop(submitted->id(), waiter).ok());
  const auto answer = scripts_.Restart({submitted->id(), 0, "again"}, waiter);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->attempt, 2);
  runner_.AwaitRan(3);
  EXPECT_THAT(runner_.ran, ElementsAre("a", "wait", "wait"));
  v1::JobRecord record = *store_.Get(submitted->id());
  EXPECT_EQ(record.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(record.steps(2).state(), v1::STEP_STATE_WAITING);
  // The answer was lost, and the request is made again.
  EXPECT_EQ(scripts_.Restart({submitted->id(), 0, "again"}, waiter)->attempt, 2);
  EXPECT_EQ(store_.Get(submitted->id())->attempt(), 2);
}

TEST_F(ScriptJobsTest, FailedScriptIsRestartedAtTheStatementThatHasFailed) {
  const v1::JobRecord failed = RunToEnd("a fail b");
  ASSERT_EQ(failed.state(), v1::JOB_STATE_FAILED);
  Cancellation waiter;
  ASSERT_TRUE(scripts_.Restart({failed.id(), 0, ""}, waiter).ok());
  threads_.JoinAll();
  EXPECT_THAT(runner_.ran, ElementsAre("a", "fail", "fail"));
  EXPECT_EQ(store_.Get(failed.id())->state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(store_.Get(failed.id())->attempt(), 2);
}

TEST_F(ScriptJobsTest, FinishedAndCancelledScriptsAreNotRestarted) {
  Cancellation waiter;
  const v1::JobRecord finished = RunToEnd("a");
  EXPECT_EQ(GetErrorDetail(scripts_.Restart({finished.id(), 0, ""}, waiter).status()).state,
            SqlState::kObjectNotInPrerequisiteState);
  const auto submitted = scripts_.Submit(Request("wait"));
  runner_.AwaitRan(2);
  ASSERT_TRUE(scripts_.Cancel(submitted->id(), waiter).ok());
  EXPECT_EQ(GetErrorDetail(scripts_.Restart({submitted->id(), 0, ""}, waiter).status()).state,
            SqlState::kObjectNotInPrerequisiteState);
}

TEST_F(ScriptJobsTest, RestartGoesOnWithTheFirstStatementThatIsNotDone) {
  v1::JobRecord record = Request("a b c");
  record.set_id(77);
  record.set_state(v1::JOB_STATE_RUNNING);
  record.set_committed_steps(1);
  ASSERT_TRUE(store_.Create(record).ok());
  ASSERT_TRUE(scripts_.Recover(*store_.Get(77)).ok());
  threads_.JoinAll();
  EXPECT_THAT(runner_.ran, ElementsAre("b", "c"));
  EXPECT_EQ(store_.Get(77)->state(), v1::JOB_STATE_FINISHED);
}

// What was done before the crash its record says: a name that is taken is somebody else's.
TEST_F(ScriptJobsTest, RepeatedStatementWhoseNameIsTakenFails) {
  v1::JobRecord record = Request("exists b");
  record.set_id(77);
  record.set_state(v1::JOB_STATE_RUNNING);
  for (uint32_t i = 0; i < 2; ++i) record.add_steps()->set_index(i);
  record.mutable_steps(0)->set_state(v1::STEP_STATE_RUNNING);
  ASSERT_TRUE(store_.Create(record).ok());
  ASSERT_TRUE(scripts_.Recover(*store_.Get(77)).ok());
  threads_.JoinAll();
  EXPECT_THAT(runner_.ran, ElementsAre("exists"));
  EXPECT_EQ(store_.Get(77)->state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(store_.Get(77)->error_sqlstate(), "42P07");
}

TEST_F(ScriptJobsTest, ShutdownRecordsNothingSoThatTheScriptGoesOn) {
  const auto submitted = scripts_.Submit(Request("wait"));
  runner_.AwaitRan(1);
  scripts_.Shutdown();
  threads_.JoinAll();
  EXPECT_EQ(store_.Get(submitted->id())->state(), v1::JOB_STATE_RUNNING);
  EXPECT_FALSE(scripts_.Submit(Request("b")).ok());
}

}  // namespace
}  // namespace millrace
