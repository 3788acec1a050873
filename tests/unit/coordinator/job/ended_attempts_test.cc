#include "coordinator/job/ended_attempts.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

AttemptTasks AttemptOf(uint64_t job_id, size_t plan_bytes = 0) {
  auto plan = std::make_shared<v1::PhysicalPlan>();
  if (plan_bytes > 0)
    plan->add_fragments()->mutable_root()->mutable_scan()->set_table_name(
        std::string(plan_bytes, 'x'));
  AttemptTasks attempt;
  attempt.job_id = job_id;
  attempt.plan = std::move(plan);
  attempt.tasks.emplace_back().set_job_id(job_id);
  return attempt;
}

TEST(EndedAttemptsTest, KeepsTheNewestAttemptOfAJob) {
  EndedAttempts ended;
  AttemptTasks first = AttemptOf(1);
  first.tasks[0].set_attempt(1);
  ended.Remember(std::move(first));
  AttemptTasks second = AttemptOf(1);
  second.tasks[0].set_attempt(2);
  ended.Remember(std::move(second));
  ASSERT_EQ(ended.All().size(), 1);
  EXPECT_EQ(ended.Find(1)->tasks[0].attempt(), 2);
  EXPECT_EQ(ended.Find(2), nullptr);
}

TEST(EndedAttemptsTest, ForgetsTheOldestOfTooMany) {
  EndedAttempts ended;
  for (uint64_t job = 1; job <= EndedAttempts::kAttemptsMax + 2; ++job) {
    ended.Remember(AttemptOf(job));
  }
  EXPECT_EQ(ended.All().size(), EndedAttempts::kAttemptsMax);
  EXPECT_EQ(ended.Find(2), nullptr);
  EXPECT_NE(ended.Find(3), nullptr);
}

TEST(EndedAttemptsTest, LargePlansPushOthersOutButNotThemselves) {
  EndedAttempts ended;
  ended.Remember(AttemptOf(1));
  ended.Remember(AttemptOf(2, EndedAttempts::kBytesMax + 1));
  EXPECT_EQ(ended.Find(1), nullptr);
  EXPECT_NE(ended.Find(2), nullptr);
  ended.Remember(AttemptOf(3));
  EXPECT_EQ(ended.Find(2), nullptr);
  EXPECT_NE(ended.Find(3), nullptr);
}

}  // namespace
}  // namespace millrace
