#include "coordinator/job/stale_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using ::testing::UnorderedElementsAre;

TEST(StaleFilesTest, EarlierAttemptsOfTheJobLoseWhatTheyHaveStaged) {
  const TempFolder folder;
  for (const char* name : {"_staging-c0-7-1-part-5-0-0.csv", "_staging-c0-7-2-part-5-0-0.csv",
                           "_staging-c0-7-3-part-5-0-0.csv", "_staging-c0-8-1-part-5-0-0.csv",
                           "part-c0-7-5-0-11-0.csv"}) {
    folder.Write(name, "x");
  }
  v1::PhysicalPlan plan;
  v1::FileSinkNode* sink = plan.add_fragments()->mutable_root()->mutable_file_sink();
  (*sink->mutable_options())["path"] = folder.path();
  (*sink->mutable_options())["format"] = "csv";
  ASSERT_OK(RemoveStaleFiles(plan, {"c0", 7}, 3));
  EXPECT_THAT(folder.Names(),
              UnorderedElementsAre("_staging-c0-7-3-part-5-0-0.csv",
                                   "_staging-c0-8-1-part-5-0-0.csv", "part-c0-7-5-0-11-0.csv"));
  (*sink->mutable_options())["path"] = folder.Path("x.csv");
  ASSERT_OK(RemoveStaleFiles(plan, {"c0", 7}, 4));
  EXPECT_EQ(folder.Names().size(), 2U);
  (*sink->mutable_options())["path"] = folder.Path("not/there/");
  ASSERT_OK(RemoveStaleFiles(plan, {"c0", 7}, 5));
}

TEST(StaleFilesTest, SegmentsOfEarlierAttemptsAreRemoved) {
  const TempFolder folder;
  for (const char* name : {"part-7-1-0-0.parquet", "part-7-2-0-0.parquet", "part-70-1-0-0.parquet",
                           "part-6-9-0-0.parquet"}) {
    folder.Write(name, "x");
  }
  v1::PhysicalPlan plan;
  plan.add_fragments()->mutable_root()->mutable_table_sink()->set_staging_path(folder.path());
  ASSERT_OK(RemoveStaleFiles(plan, {"c0", 7}, 2));
  EXPECT_THAT(folder.Names(), UnorderedElementsAre("part-7-2-0-0.parquet", "part-70-1-0-0.parquet",
                                                   "part-6-9-0-0.parquet"));
  EXPECT_TRUE(StagingFolders(plan).empty());
}

}  // namespace
}  // namespace millrace
