#include "coordinator/scheduler/table_log.h"

#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

constexpr uint64_t kTable = 3;

// Segments of two rows for each position, that end at these.
std::shared_ptr<const CatalogSnapshot> TableWith(const std::vector<uint64_t>& ends) {
  auto table = std::make_shared<v1::CatalogObject>();
  table->set_id(kTable);
  table->set_name("log");
  table->set_kind(v1::OBJECT_KIND_TABLE);
  table->set_state(v1::OBJECT_STATE_READY);
  uint64_t begin = 0;
  for (const uint64_t end : ends) {
    v1::TableSegment* segment = table->mutable_table_version()->add_segments();
    segment->set_path("tables/3/" + std::to_string(begin));
    segment->set_begin_position(begin);
    segment->set_end_position(end);
    segment->set_rows(2 * (end - begin));
    begin = end;
  }
  return std::make_shared<const CatalogSnapshot>(std::vector<CatalogObjectPtr>{std::move(table)},
                                                 1);
}

TEST(TableLogTest, GivesWhatWasCommittedFromThePositionOn) {
  const auto slice = ReadTableLog(TableWith({1, 4, 5}), "/data", kTable, 1);
  ASSERT_OK(slice);
  EXPECT_EQ(slice->splits.size(), 2);
  EXPECT_EQ(slice->rows, 8);
  EXPECT_EQ(slice->end_position, 5);
  EXPECT_NE(slice->pin, nullptr);
}

TEST(TableLogTest, NothingIsBehindTheEndAndInATableThatIsGone) {
  for (const uint64_t table : {kTable, kTable + 1}) {
    const auto slice = ReadTableLog(TableWith({1, 4}), "/data", table, 4);
    ASSERT_OK(slice);
    EXPECT_TRUE(slice->splits.empty());
    EXPECT_EQ(slice->end_position, 4);
  }
}

TEST(TableLogTest, APositionInsideASegmentIsAnError) {
  for (const uint64_t position : {2, 3}) {
    EXPECT_ERROR(ReadTableLog(TableWith({1, 4, 5}), "/data", kTable, position),
                 SqlState::kObjectNotInPrerequisiteState, "table log cannot be read from position");
  }
}

}  // namespace
}  // namespace millrace
