#include "worker/assembly/attempt_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/v1/control.pb.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Fragment 0 (3 tasks) → exchange 5 → fragment 1 (2 tasks); tasks lie on workers 1 and 2 in turn.
v1::DeployAttempt Deploy(v1::Distribution distribution) {
  v1::DeployAttempt deploy;
  v1::PhysicalPlan& plan = *deploy.mutable_plan();
  v1::Fragment* producer = plan.add_fragments();
  producer->set_parallelism(3);
  producer->mutable_root()->mutable_values();
  v1::Output* output = producer->add_outputs();
  output->set_distribution(distribution);
  output->set_consumer_fragment(1);
  output->set_exchange_id(5);
  v1::Fragment* consumer = plan.add_fragments();
  consumer->set_id(1);
  consumer->set_parallelism(2);
  consumer->mutable_root()->mutable_limit();
  consumer->mutable_root()->add_inputs()->mutable_exchange()->set_exchange_id(5);
  consumer->add_outputs()->set_distribution(v1::DISTRIBUTION_RESULT);
  for (const v1::Fragment& fragment : plan.fragments()) {
    for (uint32_t i = 0; i < fragment.parallelism(); ++i) {
      v1::TaskPlacement* task = deploy.add_placements();
      task->set_fragment(fragment.id());
      task->set_task_index(i);
      task->set_worker_id(1 + i % 2);
    }
  }
  (*deploy.mutable_worker_addresses())[2] = "localhost:9";
  return deploy;
}

TEST(AttemptPlanTest, FindsTasksAndExchanges) {
  const v1::DeployAttempt deploy = Deploy(v1::DISTRIBUTION_HASH);
  auto plan = AttemptPlan::Create(deploy, 1);
  ASSERT_OK(plan);
  EXPECT_THAT(plan->own_tasks(), SizeIs(3));
  EXPECT_THAT(plan->exchanges(1), SizeIs(1));
  EXPECT_THAT(plan->exchanges(0), IsEmpty());
  EXPECT_EQ(plan->producer_fragment(5), 0);
  EXPECT_EQ(plan->WorkerAddress(2), "localhost:9");
  EXPECT_EQ(plan->WorkerAddress(3), "");
}

TEST(AttemptPlanTest, ProducersOfAConsumerFollowTheDistribution) {
  const v1::DeployAttempt hash = Deploy(v1::DISTRIBUTION_HASH);
  EXPECT_THAT(AttemptPlan::Create(hash, 1)->producer_tasks(5, 1), ElementsAre(0, 1, 2));
  const v1::DeployAttempt forward = Deploy(v1::DISTRIBUTION_FORWARD);
  EXPECT_THAT(AttemptPlan::Create(forward, 1)->producer_tasks(5, 1), ElementsAre(1));
  const v1::DeployAttempt single = Deploy(v1::DISTRIBUTION_SINGLE);
  EXPECT_THAT(AttemptPlan::Create(single, 1)->producer_tasks(5, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(AttemptPlan::Create(single, 1)->producer_tasks(5, 1), IsEmpty());
}

TEST(AttemptPlanTest, RefusesPlansThatDoNotFitTogether) {
  v1::DeployAttempt deploy = Deploy(v1::DISTRIBUTION_HASH);
  deploy.mutable_placements()->RemoveLast();
  EXPECT_ERROR(AttemptPlan::Create(deploy, 1), SqlState::kInternalError, "not placed");
  deploy = Deploy(v1::DISTRIBUTION_HASH);
  deploy.mutable_placements(0)->set_task_index(9);
  EXPECT_ERROR(AttemptPlan::Create(deploy, 1), SqlState::kInternalError, "not in the plan");
  deploy = Deploy(v1::DISTRIBUTION_HASH);
  deploy.mutable_plan()->mutable_fragments(0)->clear_outputs();
  EXPECT_ERROR(AttemptPlan::Create(deploy, 1), SqlState::kInternalError, "no producer");
  deploy = Deploy(v1::DISTRIBUTION_HASH);
  deploy.mutable_plan()->mutable_fragments(0)->mutable_outputs(0)->set_consumer_fragment(7);
  EXPECT_ERROR(AttemptPlan::Create(deploy, 1), SqlState::kInternalError, "not in the plan");
  deploy = Deploy(v1::DISTRIBUTION_HASH);
  deploy.mutable_plan()->mutable_fragments(1)->set_id(0);
  EXPECT_ERROR(AttemptPlan::Create(deploy, 1), SqlState::kInternalError, "well formed");
}

TEST(AttemptPlanTest, WindowsShareWhatATaskMayHold) {
  v1::DeployAttempt deploy = Deploy(v1::DISTRIBUTION_HASH);
  EXPECT_EQ(AttemptPlan::Create(deploy, 1)->WindowBytes(5), 2 << 20);
  deploy.mutable_plan()->mutable_fragments(0)->set_parallelism(100);
  for (uint32_t i = 3; i < 100; ++i) deploy.add_placements()->set_task_index(i);
  EXPECT_EQ(AttemptPlan::Create(deploy, 1)->WindowBytes(5), 512 << 10);
}

TEST(AttemptPlanTest, RestoredWatermarkIsTheLeastOfTheFragment) {
  v1::DeployAttempt deploy = Deploy(v1::DISTRIBUTION_HASH);
  v1::CheckpointManifest& manifest = *deploy.mutable_restore_manifest();
  for (const auto& [fragment, micros] : {std::pair(0, 3), std::pair(1, 20), std::pair(1, 10)}) {
    v1::TaskWatermark* watermark = manifest.add_watermarks();
    watermark->set_fragment(static_cast<uint32_t>(fragment));
    watermark->set_watermark_micros(micros);
  }
  v1::TaskPlacement task;
  task.set_fragment(1);
  EXPECT_EQ(AttemptPlan::Create(deploy, 1)->InitialWatermark(task), Watermark::kMinWatermark);
  deploy.set_restore_epoch(4);
  EXPECT_EQ(AttemptPlan::Create(deploy, 1)->InitialWatermark(task), 10);
  task.set_fragment(0);
  EXPECT_EQ(AttemptPlan::Create(deploy, 1)->InitialWatermark(task), 3);
  // One of the two tasks had seen no row with a time: it may still come with any.
  for (uint32_t index : {0, 1}) {
    manifest.add_placements()->set_task_index(index);
    EXPECT_EQ(AttemptPlan::Create(deploy, 1)->InitialWatermark(task),
              index == 0 ? 3 : Watermark::kMinWatermark);
  }
}

}  // namespace
}  // namespace millrace
