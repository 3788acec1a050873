#include "coordinator/service/view_progress.h"

#include <gtest/gtest.h>

#include <memory>

#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/job/stream_jobs.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

constexpr uint64_t kFinishedView = 7;

// A job that keeps a view and writes files, at its final epoch.
StreamView AtTheFinalEpoch(StreamPhase phase, uint64_t epoch, uint64_t durable_epoch) {
  auto plan = std::make_shared<v1::PhysicalPlan>();
  for (uint32_t id = 0; id < 2; ++id) {
    v1::Fragment* fragment = plan->add_fragments();
    fragment->set_id(id);
    fragment->set_parallelism(1);
  }
  plan->mutable_fragments(0)->mutable_root()->mutable_view_sink()->set_object_id(kFinishedView);
  plan->mutable_fragments(1)->mutable_root()->mutable_file_sink()->set_object_id(8);
  StreamView stream;
  stream.phase = phase;
  stream.durable_epoch = durable_epoch;
  stream.complete = true;
  stream.plan = std::move(plan);
  stream.published.emplace_back();
  stream.published.back().epoch = epoch;
  stream.published.back().kind = EpochKind::kFinal;
  return stream;
}

bool CompleteAt(StreamPhase phase, uint64_t epoch, uint64_t durable_epoch) {
  const CatalogSnapshot tables({}, 0);
  return ViewProgressOf(AtTheFinalEpoch(phase, epoch, durable_epoch), kFinishedView, tables)
      .complete;
}

TEST(ViewProgress, TheFilesOfTheJobAreThereToo) {
  EXPECT_FALSE(CompleteAt(StreamPhase::kRunning, 9, 8));
  EXPECT_TRUE(CompleteAt(StreamPhase::kRunning, 9, 9));
}

// After a restart of the processes its epochs are new, and none of them is made durable.
TEST(ViewProgress, AJobThatHadEndedBeforeARestartIsComplete) {
  EXPECT_TRUE(CompleteAt(StreamPhase::kServing, 4098, 9));
}

}  // namespace
}  // namespace millrace
