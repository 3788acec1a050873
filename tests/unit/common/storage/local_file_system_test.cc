#include "common/storage/local_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/storage/checksum.h"
#include "common/storage/staged_commit.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/recording_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using testing::ElementsAre;

class LocalFileSystemTest : public testing::Test {
 protected:
  v1::StagedFile Stage(const std::string& name, const std::string& bytes) {
    v1::StagedFile staged;
    staged.set_final_path(folder_.Path(name));
    staged.set_staged_path(StagedPath(staged.final_path(), {"c0ffee", 1}, 2));
    staged.set_size_bytes(bytes.size());
    staged.set_checksum_xxh3(Xxh3(bytes));
    folder_.Write(FileNameOf(staged.staged_path()), bytes);
    return staged;
  }

  TempFolder folder_;
  LocalFileSystem file_system_;
};

TEST_F(LocalFileSystemTest, WritesAndReadsAnywhere) {
  const std::string path = folder_.Path("a");
  const auto file = file_system_.Create(path);
  ASSERT_OK(file);
  ASSERT_OK((*file)->Append("hello "));
  ASSERT_OK((*file)->Append("world"));
  ASSERT_OK((*file)->Sync());
  ASSERT_OK((*file)->Close());
  ASSERT_OK((*file)->Close());
  const auto opened = file_system_.OpenForRead(path);
  ASSERT_OK(opened);
  char buffer[16];
  EXPECT_EQ(*(*opened)->ReadAt(6, sizeof(buffer), buffer), 5U);
  EXPECT_EQ(std::string(buffer, 5), "world");
  EXPECT_EQ(*(*opened)->ReadAt(11, sizeof(buffer), buffer), 0U);
  EXPECT_EQ(file_system_.Stat(path)->size_bytes, 11U);
  EXPECT_EQ(*ChecksumOfFile(file_system_, path), Xxh3("hello world"));
}

TEST_F(LocalFileSystemTest, ErrorsNamePathAndCause) {
  const std::string missing = folder_.Path("missing/x");
  EXPECT_ERROR(file_system_.Stat(missing), SqlState::kUndefinedFile, missing);
  EXPECT_ERROR(file_system_.OpenForRead(missing), SqlState::kUndefinedFile, missing);
  EXPECT_ERROR(file_system_.Create(missing), SqlState::kUndefinedFile, missing);
  EXPECT_ERROR(file_system_.List(missing), SqlState::kUndefinedFile, missing);
  EXPECT_ERROR(file_system_.OpenForRead(folder_.path()), SqlState::kIoError, folder_.path());
  EXPECT_OK(file_system_.Remove(missing));
  // Refused for root as well.
  EXPECT_ERROR(file_system_.Create("/sys/millrace"), SqlState::kInsufficientPrivilege,
               "/sys/millrace");
  const auto full = file_system_.Create("/dev/full");
  ASSERT_OK(full);
  EXPECT_ERROR((*full)->Append("x"), SqlState::kDiskFull, "/dev/full");
}

TEST_F(LocalFileSystemTest, CreatesFoldersAndListsThem) {
  ASSERT_OK(file_system_.CreateFolders(folder_.Path("a/b/c")));
  ASSERT_OK(file_system_.CreateFolders(folder_.Path("a/b/c")));
  folder_.Write("a/file", "x");
  std::filesystem::create_symlink("nowhere", folder_.Path("a/dangling"));
  const auto listed = file_system_.List(folder_.Path("a"));
  ASSERT_OK(listed);
  EXPECT_EQ(listed->size(), 2U);
  EXPECT_FALSE(file_system_.CreateFolders(folder_.Path("a/file/d")).ok());
  EXPECT_FALSE(file_system_.CreateFolders(folder_.Path("a/file")).ok());
}

TEST_F(LocalFileSystemTest, OtherSchemesAreNotServed) {
  EXPECT_ERROR(FileSystemOf("s3://bucket/x"), SqlState::kFeatureNotSupported, "s3://");
  EXPECT_OK(FileSystemOf("/a/b"));
  EXPECT_OK(FileSystemOf("relative/http://x"));
}

TEST_F(LocalFileSystemTest, JoinsAndSplitsPaths) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(FolderOf("a/b.csv"), "a");
  EXPECT_EQ(FolderOf("b.csv"), ".");
  EXPECT_EQ(FolderOf("/b"), "/");
  EXPECT_EQ(FolderOf("a/b/"), "a");
  EXPECT_EQ(FileNameOf("a/b.csv"), "b.csv");
}

TEST_F(LocalFileSystemTest, CommitIsIdempotent) {
  const std::vector<v1::StagedFile> files = {Stage("x", "one"), Stage("y", "two")};
  ASSERT_OK(CommitStagedFiles(file_system_, files));
  EXPECT_THAT(folder_.Names(), ElementsAre("x", "y"));
  ASSERT_OK(CommitStagedFiles(file_system_, files));
  EXPECT_EQ(TempFolder::Read(folder_.Path("x")), "one");
  ASSERT_OK(AbortStagedFiles(file_system_, files));
  EXPECT_THAT(folder_.Names(), ElementsAre("x", "y"));
}

TEST_F(LocalFileSystemTest, CommitGoesOnWhereACrashStoppedIt) {
  const std::vector<v1::StagedFile> files = {Stage("x", "one"), Stage("y", "two")};
  RecordingFileSystem faulty(file_system_);
  faulty.FailAt(2);
  EXPECT_ERROR(CommitStagedFiles(faulty, files), SqlState::kDiskFull, "rename");
  ASSERT_OK(CommitStagedFiles(file_system_, files));
  EXPECT_THAT(folder_.Names(), ElementsAre("x", "y"));
}

TEST_F(LocalFileSystemTest, CommitDoesNotTakeAnotherFileForItsOwn) {
  const v1::StagedFile lost = Stage("x", "one");
  ASSERT_OK(file_system_.Remove(lost.staged_path()));
  EXPECT_ERROR(CommitStagedFiles(file_system_, {lost}), SqlState::kDataCorrupted, "is gone");
  folder_.Write("x", "two");
  EXPECT_ERROR(CommitStagedFiles(file_system_, {lost}), SqlState::kDataCorrupted, "something else");
  v1::StagedFile truncated = Stage("z", "three");
  truncated.set_size_bytes(99);
  EXPECT_ERROR(CommitStagedFiles(file_system_, {truncated}), SqlState::kDataCorrupted, "99");
}

TEST_F(LocalFileSystemTest, RemovesOnlyStaleStagedFilesOfTheJob) {
  for (const char* name :
       {"_staging-c0-1-1-a", "_staging-c0-1-2-a", "_staging-c0-11-1-a", "_staging-c1-1-1-a", "a"}) {
    folder_.Write(name, "x");
  }
  ASSERT_OK(RemoveStaleStagedFiles(file_system_, folder_.path(), {"c0", 1}, 2));
  EXPECT_THAT(folder_.Names(),
              ElementsAre("_staging-c0-1-2-a", "_staging-c0-11-1-a", "_staging-c1-1-1-a", "a"));
  EXPECT_OK(RemoveStaleStagedFiles(file_system_, folder_.Path("missing"), {"c0", 1}, 2));
}

TEST_F(LocalFileSystemTest, AtomicWriteSyncsBeforeItRenames) {
  RecordingFileSystem recorder(file_system_);
  const std::string path = folder_.Write("m", "old");
  const std::string staged = folder_.Path("_staging-m");
  ASSERT_OK(WriteFileAtomically(recorder, path, "new"));
  EXPECT_THAT(recorder.calls(),
              ElementsAre(absl::StrCat("create ", staged), absl::StrCat("write ", staged),
                          absl::StrCat("sync ", staged), absl::StrCat("rename ", staged, " ", path),
                          absl::StrCat("sync-folder ", folder_.path())));
  EXPECT_EQ(*ReadWholeFile(file_system_, path), "new");
  EXPECT_ERROR(ReadWholeFile(file_system_, path, 2), SqlState::kProgramLimitExceeded, "3 bytes");
}

}  // namespace
}  // namespace millrace
