#include "worker/service/storage_proof.h"

#include <filesystem>
#include <string>

#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "common/storage/local_file_system.h"
#include "common/storage/staged_commit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

v1::StorageChallenge ChallengeFor(const std::string& path) {
  v1::StorageChallenge challenge;
  challenge.add_folders()->set_path(path);
  challenge.mutable_folders(0)->set_token_file("token");
  return challenge;
}

TEST(ProveStorageTest, ReadsTheTokenAndLeavesNothing) {
  TempFolder folder;
  LocalFileSystem files;
  ASSERT_TRUE(WriteFileAtomically(files, folder.path() + "/token", "abc").ok());
  const v1::StorageProof proof = ProveStorage(ChallengeFor(folder.path()), "1");
  EXPECT_EQ(proof.folders(0).token(), "abc");
  EXPECT_EQ(proof.folders(0).path(), folder.path());
  EXPECT_EQ(files.List(folder.path())->size(), 1);
}

TEST(ProveStorageTest, MissingFolderIsAnErrorThatNamesTheFile) {
  TempFolder folder;
  const v1::StorageProof proof = ProveStorage(ChallengeFor(folder.path() + "/none"), "1");
  ASSERT_TRUE(proof.folders(0).has_error());
  const absl::Status error = FromProto(proof.folders(0).error());
  EXPECT_EQ(GetErrorDetail(error).state, SqlState::kUndefinedFile);
  EXPECT_THAT(std::string(error.message()), HasSubstr("on machine "));
  EXPECT_THAT(std::string(error.message()), HasSubstr("none/token"));
}

TEST(ProveStorageTest, FolderThatCannotBeWrittenIsAnError) {
  TempFolder folder;
  LocalFileSystem files;
  ASSERT_TRUE(WriteFileAtomically(files, folder.path() + "/token", "abc").ok());
  // In the way of the probe; permissions would not stop a root user.
  std::filesystem::create_directory(folder.path() + "/_staging-probe-1");
  const v1::StorageProof proof = ProveStorage(ChallengeFor(folder.path()), "1");
  EXPECT_TRUE(proof.folders(0).has_error());
  EXPECT_TRUE(proof.folders(0).token().empty());
}

}  // namespace
}  // namespace millrace
