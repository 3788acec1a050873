#include "coordinator/service/statement_losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const LostAttempt kOnlyAConnection = {.rows_seen = 10};

absl::Status Lost() {
  return MakeError(SqlState::kConnectionFailure, "connection to worker 6 was lost");
}

// Fragment 0 has a scan.
v1::PhysicalPlan Plan() {
  v1::PhysicalPlan plan;
  plan.add_fragments()->mutable_root()->mutable_scan()->set_table_name("events");
  return plan;
}

// Task 0 was lost with its worker.
LostAttempt Crash(const std::set<std::string>& reading, uint64_t rows_seen = 10) {
  return {rows_seen, {TaskKey{0, 0}}, reading};
}

TEST(StatementLossesTest, EndingWorkersEachTimeIsNoBrokenConnection) {
  StatementLosses losses;
  while (losses.Add(Crash({"/in/a.csv", "/in/b.csv"})).has_value()) {
  }
  const absl::Status error = losses.Error(Lost(), Plan());
  EXPECT_EQ(GetErrorDetail(error).state, SqlState::kInternalError);
  EXPECT_EQ(GetErrorDetail(error).retry, Retry::kNever);
  EXPECT_THAT(std::string(error.message()),
              AllOf(HasSubstr("have ended 6 times in a row while they ran the statement"),
                    HasSubstr("at last in fragment 0 (Scan"),
                    HasSubstr("while they read \"/in/a.csv\", \"/in/b.csv\": connection")));
}

TEST(StatementLossesTest, NamesWhatAllLostWorkersHaveRead) {
  StatementLosses losses;
  losses.Add(Crash({"/in/a.csv", "/in/b.csv"}));
  losses.Add(Crash({"/in/b.csv", "/in/c.csv"}));
  while (losses.Add(Crash({"/in/a.csv", "/in/b.csv", "/in/c.csv"})).has_value()) {
  }
  EXPECT_THAT(std::string(losses.Error(Lost(), Plan()).message()),
              HasSubstr("while they read \"/in/b.csv\": "));
}

TEST(StatementLossesTest, BrokenConnectionsStayWhatTheyAre) {
  StatementLosses losses;
  while (losses.Add(kOnlyAConnection).has_value()) {
  }
  const absl::Status error = losses.Error(Lost(), Plan());
  EXPECT_EQ(GetErrorDetail(error).state, SqlState::kConnectionFailure);
  EXPECT_EQ(GetErrorDetail(error).retry, Retry::kNever);
  EXPECT_THAT(std::string(error.message()), HasSubstr("6 times without getting on"));
}

TEST(StatementLossesTest, WorkersThatEndedBeforeAnAttemptGotFartherDoNotCount) {
  StatementLosses losses;
  for (int i = 0; i < 4; ++i) losses.Add(Crash({"/in/a.csv"}));
  for (int i = 0; i < 4; ++i) losses.Add(Crash({"/in/a.csv"}, 1000));
  while (losses.Add({.rows_seen = 1000}).has_value()) {
  }
  EXPECT_THAT(std::string(losses.Error(Lost(), Plan()).message()), Not(HasSubstr("have ended")));
}

}  // namespace
}  // namespace millrace
