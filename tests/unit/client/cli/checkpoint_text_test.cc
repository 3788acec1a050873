#include "client/cli/checkpoint_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/checkpoint_service.pb.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::InspectCheckpointResponse Checkpoint() {
  v1::InspectCheckpointResponse response;
  response.mutable_checkpoint()->set_job_name("totals");
  v1::CheckpointSummary* summary = response.mutable_checkpoint()->mutable_checkpoint();
  summary->set_epoch(41);
  summary->set_duration_micros(12'500);
  summary->set_final(true);
  v1::CheckpointPosition* position = response.add_positions();
  position->set_table("events");
  position->set_split("a.csv");
  position->set_rows(7);
  response.add_files()->set_path("1-w1/sst/1.sst");
  v1::CheckpointFileStatus* damaged = response.add_files();
  damaged->set_path("1-w1/sst/2.sst");
  damaged->set_damage("has 3 bytes instead of 4");
  response.add_pending_files("out/part-1.csv");
  response.set_has_watermark(true);
  response.set_watermark_micros(INT64_MAX);
  return response;
}

TEST(CheckpointTextTest, ListHasALineForEachCheckpoint) {
  const std::string text = CheckpointsText({Checkpoint().checkpoint()});
  EXPECT_THAT(text, HasSubstr("totals"));
  EXPECT_THAT(text, HasSubstr("41"));
  EXPECT_THAT(text, HasSubstr("12 ms"));
  EXPECT_THAT(text, HasSubstr("yes"));
}

TEST(CheckpointTextTest, DamageIsShownIfItWasLookedFor) {
  EXPECT_EQ(NumDamaged(Checkpoint()), 1);
  const std::string verified = CheckpointText(Checkpoint(), true);
  EXPECT_THAT(verified, HasSubstr("has 3 bytes instead of 4"));
  EXPECT_THAT(verified, HasSubstr("ok"));
  EXPECT_THAT(verified, HasSubstr("watermark end"));
  EXPECT_THAT(verified, HasSubstr("sink file out/part-1.csv"));
  EXPECT_THAT(CheckpointText(Checkpoint(), false), Not(HasSubstr("verified")));
}

}  // namespace
}  // namespace millrace
