#include "coordinator/service/file_commits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "common/storage/staged_commit.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/file_commit.pb.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr uint64_t kJob = 7;
// Names that only this job gives.
constexpr char kA[] = "part-c0-7-5-0-0-0.csv";
constexpr char kB[] = "part-c0-7-5-1-0-0.csv";

class FileCommitsTest : public ::testing::Test {
 protected:
  FileCommitsTest() {
    v1::FileSinkNode* sink = plan_.add_fragments()->mutable_root()->mutable_file_sink();
    (*sink->mutable_options())["path"] = folder_.path();
    (*sink->mutable_options())["format"] = "csv";
  }
  v1::StagedFile Stage(const std::string& name, uint32_t attempt = 1) {
    v1::StagedFile staged;
    staged.set_final_path(folder_.Path(name));
    staged.set_staged_path(StagedPath(staged.final_path(), {"c0", kJob}, attempt));
    staged.set_size_bytes(name.size());
    staged.set_checksum_xxh3(Xxh3(name));
    folder_.Write(FileNameOf(staged.staged_path()), name);
    return staged;
  }
  // What a coordinator that has decided leaves when it ends before it has renamed anything.
  void Decide(const std::vector<v1::StagedFile>& files) {
    ASSERT_OK(FileCommits(store_, "c0").Begin(kJob, plan_));
    const auto entries = *store_.List("file_commit/");
    ASSERT_THAT(entries, SizeIs(1));
    v1::FileCommitRecord record;
    ASSERT_TRUE(record.ParseFromString(entries[0].value));
    record.set_committing(true);
    for (const v1::StagedFile& file : files) *record.add_files() = file;
    ASSERT_OK(
        store_.CompareAndSwap(entries[0].key, entries[0].revision, record.SerializeAsString()));
  }
  size_t NumRecords() const { return store_.List("file_commit/")->size(); }

  TempFolder folder_;
  MemoryMetadataStore store_;
  v1::PhysicalPlan plan_;
};

TEST_F(FileCommitsTest, FilesGetTheirNamesAndTheRecordOfTheRequestIsThere) {
  FileCommits commits(store_, "c0");
  ASSERT_OK(commits.Begin(kJob, plan_));
  ASSERT_OK(commits.Commit(kJob, {Stage(kA), Stage(kB)}, {{"request/1", "done"}}));
  EXPECT_THAT(folder_.Names(), ElementsAre("_manifest", kA, kB));
  EXPECT_TRUE(store_.Get("request/1")->has_value());
  EXPECT_EQ(NumRecords(), 0U);
}

TEST_F(FileCommitsTest, WhatWasDecidedIsFinishedByTheNextProcess) {
  const std::vector<v1::StagedFile> files = {Stage(kA), Stage(kB)};
  Decide(files);
  // One of the two had its name already.
  folder_.Write(kA, kA);
  std::remove(files[0].staged_path().c_str());
  Stage("late.csv", 3);
  for (int start = 0; start < 2; ++start) {
    ASSERT_OK(FileCommits(store_, "c0").Recover());
    EXPECT_THAT(folder_.Names(), ElementsAre("_manifest", kA, kB));
    EXPECT_EQ(NumRecords(), 0U);
  }
}

TEST_F(FileCommitsTest, WhatWasOnlyStagedIsRemovedByTheNextProcess) {
  ASSERT_OK(FileCommits(store_, "c0").Begin(kJob, plan_));
  Stage(kA, 1);
  Stage(kA, 2);
  folder_.Write("_staging-c1-7-1-other.csv", "of another cluster");
  ASSERT_OK(FileCommits(store_, "c0").Recover());
  EXPECT_THAT(folder_.Names(), ElementsAre("_staging-c1-7-1-other.csv"));
  EXPECT_EQ(NumRecords(), 0U);
}

TEST_F(FileCommitsTest, CommitThatFailsLeavesNoFileAndNoRecord) {
  FileCommits commits(store_, "c0");
  ASSERT_OK(commits.Begin(kJob, plan_));
  std::vector<v1::StagedFile> files = {Stage(kA), Stage(kB)};
  std::remove(files[1].staged_path().c_str());
  EXPECT_ERROR(commits.Commit(kJob, files, {{"request/1", "done"}}), SqlState::kDataCorrupted,
               "is gone");
  EXPECT_THAT(folder_.Names(), Each("_manifest"));
  EXPECT_FALSE(store_.Get("request/1")->has_value());
  EXPECT_EQ(NumRecords(), 0U);
}

TEST_F(FileCommitsTest, AbandonedJobLosesWhatItHasStaged) {
  FileCommits commits(store_, "c0");
  ASSERT_OK(commits.Begin(kJob, plan_));
  Stage(kA);
  folder_.Write("kept.csv", "x");
  commits.Abandon(kJob);
  EXPECT_THAT(folder_.Names(), ElementsAre("kept.csv"));
  EXPECT_EQ(NumRecords(), 0U);
}

}  // namespace
}  // namespace millrace
