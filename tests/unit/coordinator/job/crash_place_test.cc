#include "coordinator/job/crash_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

v1::PhysicalPlan PlanOf(const std::string& connector) {
  v1::PhysicalPlan plan;
  v1::ScanNode* scan = plan.add_fragments()->mutable_root()->mutable_scan();
  scan->set_scan_id(4);
  scan->set_connector(connector);
  scan->set_table_name("events");
  return plan;
}

v1::SplitPosition Position(const std::string& path, uint64_t offset, uint64_t rows,
                           bool ended = false) {
  v1::SplitPosition position;
  position.set_path(path);
  position.set_offset(offset);
  position.set_rows(rows);
  position.set_ended(ended);
  return position;
}

// Two parts of one file.
std::vector<ScanSplits> TwoParts(const std::string& format) {
  std::vector<ScanSplits> scans(1);
  scans[0].scan_id = 4;
  for (const uint64_t id : {0, 1}) {
    v1::Split& split = scans[0].splits.emplace_back();
    split.set_id(id);
    split.mutable_file()->set_path("/in/a");
    split.mutable_file()->set_format(format);
    if (format == "parquet") {
      split.mutable_file()->set_first_row_group(static_cast<uint32_t>(3 * id));
    } else {
      split.mutable_file()->set_begin_byte(id * 1000);
    }
  }
  return scans;
}

TEST(CrashPlaceTest, NamesTheRowOfAFile) {
  const PositionMap positions = {{{4, 0}, Position("/in/a", 60, 7)}};
  EXPECT_EQ(NextRow(PlanOf("file"), TwoParts("csv"), *positions.begin(), positions),
            "and read row 8 of file \"/in/a\", which begins at byte 60");
}

TEST(CrashPlaceTest, CountsTheRowsOfEarlierPartsIfTheyAreRead) {
  PositionMap positions = {{{4, 0}, Position("/in/a", 1000, 50, /*ended=*/true)},
                           {{4, 1}, Position("/in/a", 1200, 9)}};
  EXPECT_EQ(NextRow(PlanOf("file"), TwoParts("csv"), *positions.rbegin(), positions),
            "and read row 60 of file \"/in/a\", which begins at byte 1200");
  positions[{4, 0}].set_ended(false);
  EXPECT_EQ(NextRow(PlanOf("file"), TwoParts("json"), *positions.rbegin(), positions),
            "and read row 10 of this part of file \"/in/a\", which begins at byte 1200");
  EXPECT_EQ(NextRow(PlanOf("file"), TwoParts("parquet"), *positions.rbegin(), positions),
            "and read row 10 of this part of file \"/in/a\", which begins with row group 3");
}

TEST(CrashPlaceTest, NamesTheMessageOfAPartition) {
  const PositionMap positions = {{{4, 3}, Position("clicks/3", 812, 12)}};
  EXPECT_EQ(NextRow(PlanOf("kafka"), {}, *positions.begin(), positions),
            "and read the message at offset 812 of partition clicks/3");
}

TEST(CrashPlaceTest, NamesTheRowOfWhatHasNoFiles) {
  const PositionMap positions = {{{4, 3}, Position("", 12, 12)}};
  EXPECT_EQ(NextRow(PlanOf("datagen"), {}, *positions.begin(), positions),
            "and read row 13 of split 3 of table events");
}

TEST(CrashPlaceTest, ARangeIsEverythingThatHasNotEnded) {
  const PositionMap positions = {{{4, 0}, Position("/in/a", 60, 7)},
                                 {{4, 1}, Position("/in/b", 80, 9, /*ended=*/true)}};
  EXPECT_EQ(RangeBehind(positions),
            "and read the same place of the input: /in/a from offset 60 (after row 7)");
  EXPECT_THAT(RangeBehind({}), HasSubstr("the beginning of its input"));
}

TEST(CrashPlaceTest, ErrorNamesTasksAndPlace) {
  const absl::Status error = CrashError({{0, 2}, {1, 0}}, 8, "and read row 4");
  EXPECT_EQ(error.message(),
            "worker processes have ended 8 times in a row while they ran task 0.2, 1.0 and read "
            "row 4");
  EXPECT_THAT(GetErrorDetail(error).hint, HasSubstr("restart the job"));
}

}  // namespace
}  // namespace millrace
