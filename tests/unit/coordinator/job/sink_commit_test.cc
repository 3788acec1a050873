#include "coordinator/job/sink_commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "common/storage/local_file_system.h"
#include "tests/support/recording_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

using ::testing::UnorderedElementsAre;

const FileOwner kOwner{"c0", 7};
constexpr char kFirstFile[] = "part-c0-7-5-0-12-0.csv";
constexpr char kSecondFile[] = "part-c0-7-5-1-12-0.csv";
constexpr char kManifest[] = "_manifest/c0-7-12.json";
constexpr char kManifestText[] =
    "{\"format\": 1, \"cluster\": \"c0\", \"job\": 7, \"epoch\": 12, \"files\": [\n"
    "  {\"name\": \"part-c0-7-5-0-12-0.csv\", \"rows\": 2, \"bytes\": 3, "
    "\"xxh3\": \"%016x\"},\n"
    "  {\"name\": \"part-c0-7-5-1-12-0.csv\", \"rows\": 2, \"bytes\": 3, "
    "\"xxh3\": \"%016x\"}\n"
    "]}\n";

class SinkCommitTest : public ::testing::Test {
 protected:
  static v1::StagedFile Stage(const TempFolder& folder, const std::string& name,
                              const std::string& content) {
    v1::StagedFile file;
    file.set_final_path(folder.Path(name));
    file.set_staged_path(StagedPath(file.final_path(), kOwner, 1));
    file.set_size_bytes(content.size());
    file.set_rows(2);
    file.set_checksum_xxh3(Xxh3(content));
    folder.Write(FileNameOf(file.staged_path()), content);
    return file;
  }
  // Two files of epoch 12, the later name first.
  static SinkCommit StageTwo(const TempFolder& folder) {
    return {kOwner, 12, {Stage(folder, kSecondFile, "two"), Stage(folder, kFirstFile, "one")}};
  }
  static std::string TextOfTwo() {
    return absl::StrFormat(kManifestText, Xxh3("one"), Xxh3("two"));
  }
  // Ends when the files have their names, before the manifest is written.
  void CommitHalf(const SinkCommit& commit) {
    RecordingFileSystem whole(file_system_);
    const TempFolder other;
    ASSERT_OK(CommitSinkFiles(whole, StageTwo(other), CommitRound::kFirst));
    const int manifest = whole.Find(absl::StrCat("create ", other.Path("_manifest")));
    ASSERT_GE(manifest, 0);
    RecordingFileSystem cut_short(file_system_);
    cut_short.FailAt(manifest + 1);
    ASSERT_FALSE(CommitSinkFiles(cut_short, commit, CommitRound::kFirst).ok());
    ASSERT_THAT(folder_.Names(), ElementsAre("_manifest", kFirstFile, kSecondFile));
    ASSERT_FALSE(std::filesystem::exists(folder_.Path(kManifest)));
  }
  // While `act` runs the folder is away, or there is an empty one in its place.
  template <typename Act>
  void WithoutFolder(const Act& act) {
    const std::string away = folder_.path() + ".away";
    std::filesystem::rename(folder_.path(), away);
    act();
    std::filesystem::create_directory(folder_.path());
    act();
    std::filesystem::remove(folder_.path());
    std::filesystem::rename(away, folder_.path());
  }
  std::string Manifest() const { return TempFolder::Read(folder_.Path(kManifest)); }

  TempFolder folder_;
  LocalFileSystem file_system_;
};

TEST_F(SinkCommitTest, TheManifestComesWhenAllFilesHaveTheirDurableNames) {
  const TempFolder other;
  SinkCommit commit = StageTwo(folder_);
  commit.files.push_back(Stage(other, "part-c0-7-6-0-12-0.csv", "three"));
  RecordingFileSystem recorder(file_system_);
  ASSERT_OK(CommitSinkFiles(recorder, commit, CommitRound::kFirst));
  EXPECT_THAT(folder_.Names(), ElementsAre("_manifest", kFirstFile, kSecondFile));
  EXPECT_THAT(other.Names(), ElementsAre("_manifest", "part-c0-7-6-0-12-0.csv"));
  EXPECT_EQ(Manifest(), TextOfTwo());
  int first_manifest = static_cast<int>(recorder.calls().size());
  for (const std::string& path : {folder_.Path(kManifest), other.Path(kManifest)}) {
    const std::string staged = JoinPath(FolderOf(path), "_staging-c0-7-12.json");
    const int named = recorder.Find(absl::StrCat("rename ", staged, " ", path));
    EXPECT_LT(recorder.Find(absl::StrCat("sync ", staged)), named);
    EXPECT_GT(recorder.FindLast(absl::StrCat("sync-folder ", FolderOf(path))), named);
    first_manifest = std::min(first_manifest, named);
  }
  for (const v1::StagedFile& file : commit.files) {
    const int named = recorder.Find(absl::StrCat("rename ", file.staged_path()));
    EXPECT_GE(named, 0);
    EXPECT_LT(named, first_manifest);
    const auto manifest = recorder.calls().begin() + first_manifest;
    EXPECT_NE(std::find(recorder.calls().begin() + named, manifest,
                        absl::StrCat("sync-folder ", FolderOf(file.final_path()))),
              manifest);
  }
}

// Whatever fails, the commit can be repeated, and a manifest lists only what is there.
TEST_F(SinkCommitTest, ACommitIsRepeatedFromWhereverItFailed) {
  for (int n = 1; n < 100; ++n) {
    SCOPED_TRACE(n);
    const TempFolder folder;
    const SinkCommit commit = StageTwo(folder);
    RecordingFileSystem faulty(file_system_);
    faulty.FailAt(n);
    const absl::Status status = CommitSinkFiles(faulty, commit, CommitRound::kFirst);
    if (std::filesystem::exists(folder.Path(kManifest))) {
      EXPECT_EQ(TempFolder::Read(folder.Path(kFirstFile)), "one");
      EXPECT_EQ(TempFolder::Read(folder.Path(kSecondFile)), "two");
    }
    if (!status.ok()) {
      EXPECT_ERROR(status, SqlState::kDiskFull, "planned");
    }
    ASSERT_OK(CommitSinkFiles(file_system_, commit, CommitRound::kRepeated));
    EXPECT_THAT(folder.Names(), ElementsAre("_manifest", kFirstFile, kSecondFile));
    EXPECT_EQ(TempFolder::Read(folder.Path(kManifest)), TextOfTwo());
    if (status.ok()) return;
  }
  FAIL() << "the commit never succeeds";
}

TEST_F(SinkCommitTest, ATargetThatIsOneFileHasNoManifest) {
  const SinkCommit commit{kOwner, 0, {Stage(folder_, "x.csv", "new")}};
  folder_.Write("x.csv", "old");
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(CommitSinkFiles(file_system_, commit, CommitRound::kFirst));
    EXPECT_THAT(folder_.Names(), ElementsAre("x.csv"));
    EXPECT_EQ(TempFolder::Read(folder_.Path("x.csv")), "new");
  }
  // The old content cannot be given back.
  ASSERT_OK(WithdrawSinkFiles(file_system_, commit));
  EXPECT_THAT(folder_.Names(), ElementsAre("x.csv"));
}

TEST_F(SinkCommitTest, TheManifestIsWithdrawnBeforeAnyFile) {
  const SinkCommit commit = StageTwo(folder_);
  ASSERT_OK(CommitSinkFiles(file_system_, commit, CommitRound::kFirst));
  RecordingFileSystem recorder(file_system_);
  ASSERT_OK(WithdrawSinkFiles(recorder, commit));
  EXPECT_THAT(folder_.Names(), ElementsAre("_manifest"));
  EXPECT_FALSE(std::filesystem::exists(folder_.Path(kManifest)));
  const int removed = recorder.Find(absl::StrCat("remove ", folder_.Path(kManifest)));
  const int durable = recorder.Find(absl::StrCat("sync-folder ", folder_.Path("_manifest")));
  EXPECT_GE(removed, 0);
  EXPECT_GT(durable, removed);
  for (const char* name : {kFirstFile, kSecondFile}) {
    EXPECT_GT(recorder.Find(absl::StrCat("remove ", folder_.Path(name))), durable);
  }
  EXPECT_EQ(recorder.calls().back(), absl::StrCat("sync-folder ", folder_.path()));
}

TEST_F(SinkCommitTest, WithdrawalLeavesWhatIsNotOursAnyMore) {
  SinkCommit commit = StageTwo(folder_);
  ASSERT_OK(CommitSinkFiles(file_system_, commit, CommitRound::kFirst));
  folder_.Write(kFirstFile, "changed");
  folder_.Write("part-c0-7-5-0-11-0.csv", "of another epoch");
  folder_.Write("_manifest/c0-7-11.json", "{}");
  // Promised by the checkpoint, and not committed yet.
  commit.files.push_back(Stage(folder_, "part-c0-7-5-2-12-0.csv", "three"));
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(WithdrawSinkFiles(file_system_, commit));
    EXPECT_THAT(folder_.Names(), ElementsAre("_manifest", "part-c0-7-5-0-11-0.csv", kFirstFile));
    EXPECT_TRUE(std::filesystem::exists(folder_.Path("_manifest/c0-7-11.json")));
    EXPECT_FALSE(std::filesystem::exists(folder_.Path(kManifest)));
  }
}

TEST_F(SinkCommitTest, FilesThatReadersHaveTakenAwayCountAsCommitted) {
  const SinkCommit commit = StageTwo(folder_);
  CommitHalf(commit);
  std::filesystem::remove(folder_.Path(kFirstFile));
  folder_.Write(kSecondFile, "changed");
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(CommitSinkFiles(file_system_, commit, CommitRound::kRepeated));
    EXPECT_THAT(folder_.Names(), ElementsAre("_manifest", kSecondFile));
    EXPECT_EQ(TempFolder::Read(folder_.Path(kSecondFile)), "changed");
    EXPECT_EQ(Manifest(), TextOfTwo());
  }
}

// Nobody but a stranger can have removed the staged file.
TEST_F(SinkCommitTest, TheFirstRoundMissesNoFile) {
  ASSERT_OK(CommitSinkFiles(file_system_, StageTwo(folder_), CommitRound::kFirst));
  SinkCommit next{kOwner, 13, {Stage(folder_, "part-c0-7-5-0-13-0.csv", "x")}};
  std::filesystem::remove(next.files[0].staged_path());
  EXPECT_ERROR(CommitSinkFiles(file_system_, next, CommitRound::kFirst), SqlState::kDataCorrupted,
               "is gone");
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("_manifest/c0-7-13.json")));
}

TEST_F(SinkCommitTest, NothingIsDecidedWhileTheFolderIsAway) {
  const auto fails = [](const absl::Status& status) {
    EXPECT_ERROR(status, SqlState::kIoError, "is not there, or not the one");
    EXPECT_EQ(GetErrorDetail(status).retry, Retry::kSafe);
  };
  const SinkCommit commit = StageTwo(folder_);
  WithoutFolder([&] {
    for (const CommitRound round : {CommitRound::kFirst, CommitRound::kRepeated}) {
      fails(CommitSinkFiles(file_system_, commit, round));
    }
    fails(WithdrawSinkFiles(file_system_, commit));
  });
  CommitHalf(commit);
  WithoutFolder([&] { fails(CommitSinkFiles(file_system_, commit, CommitRound::kRepeated)); });
  ASSERT_OK(CommitSinkFiles(file_system_, commit, CommitRound::kRepeated));
  EXPECT_EQ(Manifest(), TextOfTwo());
  WithoutFolder([&] { fails(WithdrawSinkFiles(file_system_, commit)); });
  EXPECT_THAT(folder_.Names(), ElementsAre("_manifest", kFirstFile, kSecondFile));
  ASSERT_OK(WithdrawSinkFiles(file_system_, commit));
  EXPECT_THAT(folder_.Names(), ElementsAre("_manifest"));
}

TEST_F(SinkCommitTest, ASingleFileThatIsNotThereIsNotTakenForCommitted) {
  const SinkCommit commit{kOwner, 0, {Stage(folder_, "x.csv", "new")}};
  std::filesystem::remove(commit.files[0].staged_path());
  EXPECT_ERROR(CommitSinkFiles(file_system_, commit, CommitRound::kRepeated), SqlState::kIoError,
               "is not there, or not the one");
  // A later statement has replaced it.
  folder_.Write("x.csv", "newer");
  ASSERT_OK(CommitSinkFiles(file_system_, commit, CommitRound::kRepeated));
  EXPECT_EQ(TempFolder::Read(folder_.Path("x.csv")), "newer");
}

TEST_F(SinkCommitTest, WhatACheckpointWithoutItsManifestHasCommittedGoesByItsName) {
  for (const char* name :
       {"part-c0-7-5-0-9-0.csv", "part-c0-7-5-0-12-0.csv", "part-c0-7-6-3-40-2.parquet",
        // Another job's, another cluster's, a user's.
        "part-c0-77-5-0-12-0.csv", "part-c1-7-5-0-12-0.csv", "part-c0-7-notes.csv",
        "_manifest/c0-7-9.json", "_manifest/c0-7-12.json", "_manifest/_staging-c0-7-40.json",
        "_manifest/c0-77-12.json"}) {
    folder_.Write(name, "x");
  }
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(WithdrawSinkFilesBehind(file_system_, folder_.path(), kOwner, 9));
    EXPECT_THAT(folder_.Names(),
                ElementsAre("_manifest", "part-c0-7-5-0-9-0.csv", "part-c0-7-notes.csv",
                            "part-c0-77-5-0-12-0.csv", "part-c1-7-5-0-12-0.csv"));
    std::vector<std::string> manifests;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.Path("_manifest"))) {
      manifests.push_back(entry.path().filename());
    }
    EXPECT_THAT(manifests, UnorderedElementsAre("c0-7-9.json", "c0-77-12.json"));
  }
}

TEST_F(SinkCommitTest, WhereNothingWasCommittedNothingIsWithdrawnByName) {
  // Another job's, another cluster's, a user's, and what was only staged.
  for (const char* name : {"part-c0-77-5-0-12-0.csv", "part-c1-7-5-0-12-0.csv", "notes.csv",
                           "_staging-c0-7-1-part-c0-7-5-0-12-0.csv"}) {
    folder_.Write(name, "x");
  }
  const std::vector<std::string> before = folder_.Names();
  EXPECT_FALSE(*HoldsCommits(file_system_, folder_.path(), kOwner));
  ASSERT_OK(WithdrawSinkFilesBehind(file_system_, folder_.path(), kOwner, 9));
  EXPECT_EQ(folder_.Names(), before);
  // Files without what has come before the first of them.
  folder_.Write(kFirstFile, "x");
  for (const std::string& folder : {folder_.path(), folder_.Path("none")}) {
    const absl::Status refused = WithdrawSinkFilesBehind(file_system_, folder, kOwner, 9);
    EXPECT_ERROR(refused, SqlState::kIoError, folder);
    EXPECT_EQ(GetErrorDetail(refused).retry, Retry::kSafe);
  }
  folder_.Write("_manifest/c0-77-12.json", "{}");
  EXPECT_TRUE(*HoldsCommits(file_system_, folder_.path(), kOwner));
}

}  // namespace
}  // namespace millrace
