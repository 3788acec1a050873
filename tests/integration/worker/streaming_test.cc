#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/worker/datagen_plans.h"
#include "tests/integration/worker/worker_cluster.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::SizeIs;

constexpr uint64_t kView = 11;

// datagen → hash exchange on k → count by k, with changes → view.
v1::PhysicalPlan CountingView(uint64_t keys) {
  v1::PhysicalPlan plan = TwoFragments(keys, true);
  plan.set_streaming(true);
  plan.set_num_shards(8);
  plan.set_hash_version(1);
  plan.clear_result();
  v1::Fragment& root = *plan.mutable_fragments(1);
  root.clear_outputs();
  v1::PlanNode count = root.root();
  count.mutable_hash_aggregate()->set_emit(v1::EMIT_MODE_CHANGES);
  count.set_changing(true);
  v1::PlanNode& sink = *root.mutable_root();
  sink = v1::PlanNode();
  sink.set_id(3);
  sink.set_changing(true);
  *sink.mutable_output() = count.output();
  sink.mutable_view_sink()->set_object_id(kView);
  sink.mutable_view_sink()->set_view_name("counts");
  sink.mutable_view_sink()->add_key_columns(0);
  sink.mutable_view_sink()->add_shard_columns(0);
  *sink.add_inputs() = std::move(count);
  return plan;
}

// SELECT * FROM the view, one task for each part.
v1::PhysicalPlan ReadView() {
  v1::PhysicalPlan plan;
  v1::Fragment* root = plan.add_fragments();
  root->set_parallelism(2);
  root->add_outputs()->set_distribution(v1::DISTRIBUTION_RESULT);
  v1::PlanNode* node = root->mutable_root();
  node->set_id(1);
  node->mutable_scan()->set_scan_id(9);
  node->mutable_scan()->set_connector("view");
  node->mutable_scan()->add_projection(0);
  node->mutable_scan()->add_projection(1);
  AddField("k", v1::TYPE_ID_INT64, node);
  AddField("count", v1::TYPE_ID_INT64, node);
  *node->mutable_scan()->mutable_columns() = node->output();
  *plan.mutable_result()->mutable_fields() = node->output();
  return plan;
}

class StreamingTest : public ::testing::Test {
 protected:
  // The sum of the counts in the view at an epoch.
  uint64_t RowsCounted(uint64_t epoch) {
    const uint64_t job = next_job_++;
    std::vector<v1::Split> splits(2);
    for (uint32_t part = 0; part < 2; ++part) {
      splits[part].set_id(part);
      splits[part].set_worker_id(part + 1);
      v1::ViewSplit* view = splits[part].mutable_view();
      view->set_object_id(kView);
      view->set_job_id(WorkerCluster::kJob);
      view->set_attempt(1);
      view->set_task_index(part);
      view->set_epoch(epoch);
    }
    cluster_.SetSplits(9, splits);
    EXPECT_TRUE(cluster_.Run(ReadView(), 1, job).ok());
    uint64_t sum = 0;
    for (uint32_t task = 0; task < 2; ++task) {
      auto rows = cluster_.FetchRows(0, task, 1, job);
      EXPECT_TRUE(rows.ok()) << rows.status();
      if (rows.ok()) sum += SumOfCounts(*rows);
    }
    return sum;
  }

  WorkerCluster cluster_;
  uint64_t next_job_ = 100;
};

TEST_F(StreamingTest, EveryTaskAcknowledgesEveryEpoch) {
  cluster_.SetSplits(1, DatagenSplits(4, 50'000));
  ASSERT_OK(cluster_.Run(CountingView(100)));
  cluster_.InjectBarrier(1);
  EXPECT_THAT(cluster_.WaitForAcks(1, 6), SizeIs(6));
  // Until the sources have given out everything; they go on acknowledging.
  uint64_t epoch = 1;
  std::vector<v1::EpochAck> acks;
  cluster_.WaitUntil([&] {
    cluster_.InjectBarrier(++epoch);
    acks = cluster_.WaitForAcks(epoch, 6);
    return std::all_of(acks.begin(), acks.end(), [](const auto& ack) { return ack.ended(); });
  });
  uint64_t rows = 0;
  for (const v1::EpochAck& ack : acks) {
    for (const auto& scan : ack.scans()) {
      for (const auto& position : scan.positions()) {
        EXPECT_TRUE(position.ended());
        rows += position.rows();
      }
    }
  }
  EXPECT_EQ(rows, 200'000);
  cluster_.InjectBarrier(epoch + 1, /*final=*/true);
  EXPECT_THAT(cluster_.WaitForAcks(epoch + 1, 6), SizeIs(6));
  for (const v1::TaskUpdate& task : cluster_.WaitForEndedTasks(6)) {
    EXPECT_EQ(task.progress().state(), v1::TASK_STATE_FINISHED) << task.error().message();
    EXPECT_EQ(task.progress().watermark_micros(), INT64_MAX);
  }
  for (const auto& done : cluster_.WaitFor(v1::WorkerMessage::kCheckpointDone, 2)) {
    EXPECT_FALSE(done.checkpoint_done().has_error()) << done.checkpoint_done().error().message();
    EXPECT_GT(done.checkpoint_done().files_size(), 0);
  }
}

TEST_F(StreamingTest, ViewHoldsWhatTheBarrierCut) {
  cluster_.SetSplits(1, DatagenSplits(4, 50'000));
  ASSERT_OK(cluster_.Run(CountingView(100)));
  cluster_.InjectBarrier(1);
  uint64_t rows_read = 0;
  for (const v1::EpochAck& ack : cluster_.WaitForAcks(1, 6)) {
    for (const auto& scan : ack.scans()) {
      for (const auto& position : scan.positions()) rows_read += position.rows();
    }
  }
  EXPECT_EQ(RowsCounted(1), rows_read);
  cluster_.Cancel(1);
  EXPECT_THAT(cluster_.WaitFor(v1::WorkerMessage::kCancelled, 2), SizeIs(2));
}

}  // namespace
}  // namespace millrace
