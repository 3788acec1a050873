#include "coordinator/service/step_counters.h"

#include <gtest/gtest.h>

#include <memory>

#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

constexpr uint32_t kScanNode = 1;
constexpr uint32_t kFirstSink = 3;
constexpr uint32_t kSecondSink = 5;

void AddSinkFragment(uint32_t step, uint32_t sink_node, v1::PhysicalPlan* plan) {
  v1::Fragment* fragment = plan->add_fragments();
  fragment->set_id(static_cast<uint32_t>(plan->fragments_size() - 1));
  fragment->set_step(step);
  fragment->set_parallelism(1);
  fragment->mutable_root()->set_id(sink_node);
  fragment->mutable_root()->mutable_view_sink();
  v1::PlanNode* exchange = fragment->mutable_root()->add_inputs();
  exchange->set_id(sink_node - 1);
  exchange->mutable_exchange();
}

// A scan that two views share: fragment 0 of step 4 feeds the views of steps 4 and 5.
AttemptTasks SharedScan() {
  auto plan = std::make_shared<v1::PhysicalPlan>();
  v1::Fragment* scan = plan->add_fragments();
  scan->set_step(4);
  scan->set_parallelism(1);
  scan->mutable_root()->set_id(kScanNode);
  scan->mutable_root()->mutable_scan()->set_scan_id(7);
  for (uint32_t consumer : {1, 2}) {
    v1::Output* output = scan->add_outputs();
    output->set_distribution(v1::DISTRIBUTION_HASH);
    output->set_consumer_fragment(consumer);
  }
  AddSinkFragment(4, kFirstSink, plan.get());
  AddSinkFragment(5, kSecondSink, plan.get());
  AttemptTasks attempt;
  attempt.job_id = 9;
  attempt.plan = plan;
  for (uint32_t fragment : {0, 1, 2}) {
    v1::TaskProgress& task = attempt.tasks.emplace_back();
    task.set_job_id(9);
    task.set_fragment(fragment);
    task.set_worker_id(fragment + 1);
    task.set_epoch_rows_touched(10 * fragment);
    v1::OperatorProgress* progress = task.add_operators();
    progress->set_node_id(fragment == 0 ? kScanNode : fragment == 1 ? kFirstSink : kSecondSink);
    progress->set_rows_in(100);
    progress->set_state_rows(fragment);
  }
  return attempt;
}

StreamView PublishedView(const AttemptTasks& attempt) {
  StreamView stream;
  stream.plan = attempt.plan;
  PublishedEpoch epoch;
  epoch.epoch = 12;
  v1::SplitPosition position;
  position.set_rows(100);
  position.set_late_rows(2);
  position.set_bad_rows(1);
  epoch.positions[{7, 0}] = position;
  epoch.positions[{7, 1}] = position;
  // Of a scan that the plan's steps do not have.
  epoch.positions[{8, 0}] = position;
  stream.published.push_back(epoch);
  return stream;
}

TEST(StepCountersTest, TasksBelongToTheStepOfTheirFragment) {
  AttemptTasks attempt = SharedScan();
  NameTasks(&attempt, nullptr);
  EXPECT_EQ(attempt.tasks[0].step(), 4u);
  EXPECT_EQ(attempt.tasks[2].step(), 5u);
  EXPECT_EQ(attempt.tasks[0].operators(0).name(), "Scan");
  EXPECT_EQ(attempt.tasks[1].operators(0).name(), "ViewSink");
}

TEST(StepCountersTest, AStepCountsTheScansThatItSharesWithOthers) {
  AttemptTasks attempt = SharedScan();
  NameTasks(&attempt, nullptr);
  const StreamView stream = PublishedView(attempt);
  for (uint32_t index : {4, 5}) {
    SCOPED_TRACE(index);
    v1::StepStatus step;
    step.set_index(index);
    CountStreamStep(stream, attempt, &step);
    EXPECT_EQ(step.rows_in(), 200u);
    EXPECT_EQ(step.late_rows(), 4u);
    EXPECT_EQ(step.bad_rows(), 2u);
    EXPECT_EQ(step.rows(), index - 3);
    EXPECT_EQ(step.epoch(), 12u);
    EXPECT_EQ(step.epoch_rows_touched(), 10 * (index - 3));
    EXPECT_FALSE(step.has_watermark());
  }
}

TEST(StepCountersTest, TheWatermarkIsTheLeastOfTheLastTasks) {
  AttemptTasks attempt = SharedScan();
  NameTasks(&attempt, nullptr);
  attempt.tasks[0].set_has_watermark(true);
  attempt.tasks[0].set_watermark_micros(90);
  attempt.tasks[1].set_has_watermark(true);
  attempt.tasks[1].set_watermark_micros(70);
  v1::StepStatus step;
  step.set_index(4);
  CountStreamStep(PublishedView(attempt), attempt, &step);
  EXPECT_TRUE(step.has_watermark());
  EXPECT_EQ(step.watermark_micros(), 70);
}

TEST(StepCountersTest, ABoundedStepCountsWhatItsScansHaveRead) {
  AttemptTasks attempt = SharedScan();
  const uint32_t index = 2;
  NameTasks(&attempt, &index);
  v1::StepStatus step;
  step.set_index(index);
  step.set_rows(3);
  CountBoundedStep(attempt, &step);
  EXPECT_EQ(step.rows_in(), 100u);
  EXPECT_EQ(step.rows(), 3u);
  ASSERT_EQ(step.worker_ids_size(), 3);
}

}  // namespace
}  // namespace millrace
