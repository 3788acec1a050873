#include "coordinator/service/file_commits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

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

// Fails the writes that it is told to.
class FailingStore final : public MetadataStore {
 public:
  // The `n`-th transaction from now on fails, and all after it; 0 = none.
  void FailFrom(int n) { until_failure_ = n; }

  absl::StatusOr<std::optional<MetadataValue>> Get(absl::string_view key) const override {
    return base_.Get(key);
  }
  absl::StatusOr<std::vector<MetadataEntry>> List(absl::string_view prefix) const override {
    return base_.List(prefix);
  }
  absl::StatusOr<uint64_t> Transact(const std::vector<MetadataCondition>& conditions,
                                    const std::vector<MetadataWrite>& writes) override {
    if (until_failure_ > 1) {
      --until_failure_;
    } else if (until_failure_ == 1) {
      return MakeError(SqlState::kDiskFull, "planned failure");
    }
    return base_.Transact(conditions, writes);
  }

 private:
  MemoryMetadataStore base_;
  int until_failure_ = 0;
};

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
  // No manifest can be written while this lies in its way.
  std::string BlockManifest() {
    const std::string path = folder_.Path(absl::StrCat("_manifest/_staging-c0-", kJob, "-0.json"));
    std::filesystem::create_directories(JoinPath(path, "x"));
    return path;
  }
  bool HasManifest() const {
    return std::filesystem::exists(folder_.Path(absl::StrCat("_manifest/c0-", kJob, "-0.json")));
  }
  size_t NumRecords() const { return store_.List("file_commit/")->size(); }

  TempFolder folder_;
  FailingStore store_;
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

// Also of one file: in a folder its name is new.
TEST_F(FileCommitsTest, CommitThatFailsBehindTheRenamesTakesThemBack) {
  const std::string blocked = BlockManifest();
  std::filesystem::remove(JoinPath(blocked, "x"));
  FileCommits commits(store_, "c0");
  ASSERT_OK(commits.Begin(kJob, plan_));
  EXPECT_ERROR(commits.Commit(kJob, {Stage(kA)}, {{"request/1", "done"}}), SqlState::kIoError,
               "_manifest");
  EXPECT_THAT(folder_.Names(), ElementsAre("_manifest"));
  EXPECT_FALSE(store_.Get("request/1")->has_value());
  EXPECT_EQ(NumRecords(), 0U);
}

TEST_F(FileCommitsTest, WhatCannotBeTakenBackAtOnceIsTakenBackLater) {
  const std::string blocked = BlockManifest();
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted);
    FileCommits commits(store_, "c0");
    ASSERT_OK(commits.Begin(kJob, plan_));
    EXPECT_FALSE(commits.Commit(kJob, {Stage(kA)}, {{"request/1", "done"}}).ok());
    commits.Abandon(kJob);
    commits.Tick();
    EXPECT_FALSE(store_.Get("request/1")->has_value());
    EXPECT_EQ(NumRecords(), 1U);
    std::filesystem::remove_all(blocked);
    if (restarted) {
      ASSERT_OK(FileCommits(store_, "c0").Recover());
    } else {
      commits.Tick();
    }
    EXPECT_THAT(folder_.Names(), ElementsAre("_manifest"));
    EXPECT_FALSE(HasManifest());
    EXPECT_EQ(NumRecords(), 0U);
    BlockManifest();
  }
}

// The client must not be told that nothing was done while the store says that all of it was.
TEST_F(FileCommitsTest, DecisionThatCannotBeRevokedStands) {
  const std::string blocked = BlockManifest();
  FileCommits commits(store_, "c0");
  ASSERT_OK(commits.Begin(kJob, plan_));
  store_.FailFrom(2);
  EXPECT_OK(commits.Commit(kJob, {Stage(kA)}, {{"request/1", "done"}}));
  EXPECT_TRUE(store_.Get("request/1")->has_value());
  store_.FailFrom(0);
  commits.Tick();
  EXPECT_EQ(NumRecords(), 1U);
  std::filesystem::remove_all(blocked);
  commits.Tick();
  EXPECT_THAT(folder_.Names(), ElementsAre("_manifest", kA));
  EXPECT_TRUE(HasManifest());
  EXPECT_EQ(NumRecords(), 0U);
}

TEST_F(FileCommitsTest, EndThatCannotBeRecordedIsRecordedLater) {
  FileCommits commits(store_, "c0");
  ASSERT_OK(commits.Begin(kJob, plan_));
  store_.FailFrom(2);
  EXPECT_OK(commits.Commit(kJob, {Stage(kA)}, {}));
  store_.FailFrom(0);
  EXPECT_EQ(NumRecords(), 1U);
  // Whoever reads the folder may be faster.
  std::filesystem::remove(folder_.Path(kA));
  commits.Tick();
  EXPECT_EQ(NumRecords(), 0U);
}

// The mount of the folder is late; in its place there is nothing, or an empty folder.
TEST_F(FileCommitsTest, WhatWasDecidedWaitsForItsFolder) {
  const std::string away = folder_.path() + ".away";
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted);
    Decide({Stage(kA), Stage(kB)});
    std::filesystem::rename(folder_.path(), away);
    FileCommits commits(store_, "c0");
    ASSERT_OK(commits.Recover());
    EXPECT_EQ(NumRecords(), 1U);
    std::filesystem::create_directory(folder_.path());
    commits.Tick();
    EXPECT_EQ(NumRecords(), 1U);
    std::filesystem::remove(folder_.path());
    std::filesystem::rename(away, folder_.path());
    if (restarted) {
      ASSERT_OK(FileCommits(store_, "c0").Recover());
    } else {
      commits.Tick();
    }
    EXPECT_THAT(folder_.Names(), ElementsAre("_manifest", kA, kB));
    EXPECT_TRUE(HasManifest());
    EXPECT_EQ(NumRecords(), 0U);
    std::filesystem::remove_all(folder_.Path(kManifestFolder));
  }
}

TEST_F(FileCommitsTest, LaterStatementDoesNotOvertakeADecidedOne) {
  Decide({Stage("x.csv")});
  const std::string away = folder_.path() + ".away";
  std::filesystem::rename(folder_.path(), away);
  FileCommits commits(store_, "c0");
  ASSERT_OK(commits.Recover());
  std::filesystem::rename(away, folder_.path());
  ASSERT_OK(commits.Begin(kJob + 1, plan_));
  EXPECT_THAT(folder_.Names(), ElementsAre("x.csv"));
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
