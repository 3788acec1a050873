#include "coordinator/job/task_rates.h"

#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr uint32_t kScanNode = 2;
constexpr uint32_t kExchangeNode = 3;
constexpr TaskKey kTask{0, 1};

// A join of what one scan reads with what comes from other tasks.
v1::PhysicalPlan Plan() {
  v1::PhysicalPlan plan;
  v1::PlanNode* root = plan.add_fragments()->mutable_root();
  root->set_id(1);
  v1::PlanNode* scan = root->add_inputs();
  scan->set_id(kScanNode);
  scan->mutable_scan();
  v1::PlanNode* exchange = root->add_inputs();
  exchange->set_id(kExchangeNode);
  exchange->mutable_exchange();
  return plan;
}

v1::TaskProgress Report(uint64_t scanned, uint64_t received, uint64_t rows_out) {
  v1::TaskProgress progress;
  progress.set_task_index(kTask.task_index);
  progress.set_state(v1::TASK_STATE_RUNNING);
  progress.set_rows_in(scanned + received);
  progress.set_rows_out(rows_out);
  v1::OperatorProgress* scan = progress.add_operators();
  scan->set_node_id(kScanNode);
  scan->set_rows_in(scanned);
  v1::OperatorProgress* exchange = progress.add_operators();
  exchange->set_node_id(kExchangeNode);
  exchange->set_rows_in(received);
  return progress;
}

TEST(TaskRatesTest, RatesAreTheGrowthBetweenReports) {
  TaskRates rates(Plan());
  rates.Observe(Report(1000, 50, 10), 10 * kSecond);
  EXPECT_EQ(rates.Of(kTask, 10 * kSecond).rows_in, 0);
  rates.Observe(Report(3000, 150, 20), 12 * kSecond);
  const TaskRate rate = rates.Of(kTask, 12 * kSecond + kSecond / 2);
  EXPECT_DOUBLE_EQ(rate.rows_in, 1050);
  EXPECT_DOUBLE_EQ(rate.rows_out, 5);
  EXPECT_DOUBLE_EQ(rate.rows_scanned, 1000);
}

TEST(TaskRatesTest, WhatLiesBeforeTheWindowDoesNotCount) {
  TaskRates rates(Plan());
  for (int64_t second = 0; second <= 20; ++second) {
    // Fast for ten seconds, slow for ten.
    const int64_t scanned = second <= 10 ? 1000 * second : 10'000 + 10 * (second - 10);
    rates.Observe(Report(static_cast<uint64_t>(scanned), 0, 0), second * kSecond);
  }
  EXPECT_DOUBLE_EQ(rates.Of(kTask, 20 * kSecond).rows_scanned, 10);
}

TEST(TaskRatesTest, ReportsThatFollowEachOtherAtOnceAreOne) {
  TaskRates rates(Plan());
  rates.Observe(Report(0, 0, 0), 0);
  for (int64_t i = 1; i <= 100; ++i) {
    rates.Observe(Report(static_cast<uint64_t>(100 * i), 0, 0), i * 10'000);
  }
  EXPECT_DOUBLE_EQ(rates.Of(kTask, kSecond).rows_scanned, 10'000);
}

TEST(TaskRatesTest, ASilentTaskSlowsDownAndStands) {
  TaskRates rates(Plan());
  rates.Observe(Report(0, 0, 0), 0);
  rates.Observe(Report(1000, 0, 0), kSecond);
  EXPECT_DOUBLE_EQ(rates.Of(kTask, 2 * kSecond).rows_in, 1000);
  EXPECT_DOUBLE_EQ(rates.Of(kTask, 4 * kSecond).rows_in, 250);
  EXPECT_DOUBLE_EQ(rates.Of(kTask, 7 * kSecond).rows_in, 0);
}

TEST(TaskRatesTest, ATaskThatHasEndedHasNone) {
  TaskRates rates(Plan());
  rates.Observe(Report(0, 0, 0), 0);
  rates.Observe(Report(1000, 0, 0), kSecond);
  v1::TaskProgress last = Report(2000, 0, 0);
  last.set_state(v1::TASK_STATE_FINISHED);
  rates.Observe(last, 2 * kSecond);
  EXPECT_EQ(rates.Of(kTask, 2 * kSecond).rows_in, 0);
  EXPECT_EQ(rates.Of({5, 5}, 2 * kSecond).rows_in, 0);
}

}  // namespace
}  // namespace millrace
