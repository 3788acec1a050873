#include "coordinator/epoch/kept_row_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::EpochAck AckWith(uint64_t epoch, std::vector<uint64_t> positions) {
  v1::EpochAck ack;
  ack.set_epoch(epoch);
  for (const uint64_t position : positions) ack.add_kept_rows()->set_position(position);
  return ack;
}

std::vector<std::string> Shown(const KeptRowLog& log) {
  std::vector<std::string> rows;
  for (const v1::KeptRow& row : *log.rows()) {
    rows.push_back(std::to_string(row.epoch()) + ":" + std::to_string(row.position()));
  }
  return rows;
}

TEST(KeptRowLogTest, RowsCanBeSeenWhenTheirEpochIsPublished) {
  KeptRowLog log;
  log.Add(AckWith(7, {30, 10}), 5);
  log.Add(AckWith(8, {40}), 5);
  log.Add(AckWith(7, {20}), 5);
  EXPECT_THAT(Shown(log), IsEmpty());
  log.Publish(7);
  EXPECT_THAT(Shown(log), ElementsAre("7:10", "7:20", "7:30"));
  const auto seen_before = log.rows();
  log.Publish(8);
  EXPECT_THAT(Shown(log), ElementsAre("7:10", "7:20", "7:30", "8:40"));
  EXPECT_EQ(seen_before->size(), 3U);
}

TEST(KeptRowLogTest, GoesOnFromACheckpointWithoutWhatCameAfterIt) {
  KeptRowLog log;
  log.Add(AckWith(7, {1}), 5);
  log.Publish(7);
  log.Add(AckWith(8, {2}), 5);
  log.Publish(8);
  v1::CheckpointManifest manifest;
  manifest.set_epoch(7);
  log.AddTo(&manifest);
  KeptRowLog restored(manifest);
  EXPECT_THAT(Shown(restored), ElementsAre("7:1"));
  restored.Add(AckWith(9, {2}), 5);
  restored.Publish(9);
  EXPECT_THAT(Shown(restored), ElementsAre("7:1", "9:2"));
}

TEST(KeptRowLogTest, HoldsABoundedNumberOfRowsAndBytes) {
  KeptRowLog log;
  log.Add(AckWith(1, std::vector<uint64_t>(KeptRowLog::kRowsMax - 1, 3)), 5);
  log.Publish(1);
  log.Add(AckWith(2, {4, 5, 6}), 5);
  log.Publish(2);
  EXPECT_EQ(log.rows()->size(), KeptRowLog::kRowsMax);

  KeptRowLog large;
  v1::EpochAck ack = AckWith(1, {1, 2, 3});
  for (v1::KeptRow& row : *ack.mutable_kept_rows()) {
    row.set_text(std::string(KeptRowLog::kBytesMax / 2 + 1, 'x'));
  }
  large.Add(ack, 5);
  large.Publish(1);
  EXPECT_EQ(large.rows()->size(), 2U);
}

}  // namespace
}  // namespace millrace
