#include "coordinator/membership/shared_storage.h"

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "common/storage/data_folder.h"
#include "common/storage/local_file_system.h"
#include "common/storage/staged_commit.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

TEST(OpenSharedStorageTest, TokenIsDrawnOnceForEachFolder) {
  TempFolder one;
  TempFolder two;
  LocalFileSystem files;
  const auto first = OpenSharedStorage(files, "data-dir", one.path(), "c1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(OpenSharedStorage(files, "data-dir", one.path(), "c1")->token, first->token);
  EXPECT_NE(OpenSharedStorage(files, "data-dir", two.path(), "c1")->token, first->token);
}

TEST(OpenSharedStorageTest, FolderOfAnotherClusterIsRefused) {
  TempFolder folder;
  LocalFileSystem files;
  ASSERT_TRUE(OpenSharedStorage(files, "checkpoint-dir", folder.path(), "c1").ok());
  const auto other = OpenSharedStorage(files, "checkpoint-dir", folder.path(), "c2");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("checkpoint-dir"));
  EXPECT_FALSE(GetErrorDetail(other.status()).hint.empty());
}

TEST(OpenSharedStorageTest, NewerFormatIsRefused) {
  TempFolder folder;
  LocalFileSystem files;
  const std::string path = folder.path() + "/" + kStorageTokenFile;
  ASSERT_TRUE(WriteFileAtomically(files, path, "millrace shared storage, format 2\n").ok());
  const auto opened = OpenSharedStorage(files, "data-dir", folder.path(), "c1");
  EXPECT_EQ(GetErrorDetail(opened.status()).state, SqlState::kDataCorrupted);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("newer release"));
}

class OpenSharedFoldersTest : public ::testing::Test {
 protected:
  absl::StatusOr<SharedFolders> Open(const std::string& cluster_id = "c1") {
    return OpenSharedFolders(files_, metadata_, data_.path(), checkpoints_.path(), cluster_id);
  }

  const TempFolder data_;
  const TempFolder checkpoints_;
  LocalFileSystem files_;
  MemoryMetadataStore metadata_;
};

TEST_F(OpenSharedFoldersTest, TheSameFoldersAreOpenedAgain) {
  const auto first = Open();
  ASSERT_OK(first);
  EXPECT_EQ(first->data_dir.path, data_.path());
  EXPECT_EQ(first->checkpoint_dir.path, checkpoints_.path());
  const auto again = Open();
  ASSERT_OK(again);
  EXPECT_EQ(again->data_dir.token, first->data_dir.token);
  EXPECT_EQ(again->checkpoint_dir.token, first->checkpoint_dir.token);
}

TEST_F(OpenSharedFoldersTest, NothingIsMadeInAMountPointWithoutItsFileSystem) {
  ASSERT_OK(Open());
  const std::string token = TempFolder::Read(checkpoints_.Path(kStorageTokenFile));
  std::filesystem::remove(checkpoints_.Path(kStorageTokenFile));
  for (int start = 0; start < 2; ++start) {
    const auto refused = Open();
    EXPECT_ERROR(refused, SqlState::kIoError, "checkpoint-dir " + checkpoints_.path());
    EXPECT_ERROR(refused, SqlState::kIoError, "_shared-storage-token is missing");
    EXPECT_THAT(GetErrorDetail(refused.status()).hint, HasSubstr("is its file system mounted?"));
    EXPECT_TRUE(checkpoints_.Names().empty());
  }
  checkpoints_.Write(kStorageTokenFile, token);
  EXPECT_EQ(Open()->checkpoint_dir.token, token);
}

TEST_F(OpenSharedFoldersTest, AnotherFolderOfTheClusterIsNotTakenForTheOneBefore) {
  ASSERT_OK(Open());
  const std::string token = TempFolder::Read(checkpoints_.Path(kStorageTokenFile));
  checkpoints_.Write(kStorageTokenFile, token + "left in a mount point");
  EXPECT_ERROR(Open(), SqlState::kIoError, "holds another token than before");
  checkpoints_.Write(kStorageTokenFile, token);
  EXPECT_OK(Open());
}

TEST_F(OpenSharedFoldersTest, AFolderThatNamesTheClusterGetsANewToken) {
  ASSERT_OK(Open());
  std::filesystem::remove(checkpoints_.Path(kStorageTokenFile));
  checkpoints_.Write(kClusterIdFile, "c2\n");
  EXPECT_ERROR(Open(), SqlState::kIoError, "is missing");
  checkpoints_.Write(kClusterIdFile, "c1\n");
  const auto opened = Open();
  ASSERT_OK(opened);
  EXPECT_EQ(Open()->checkpoint_dir.token, opened->checkpoint_dir.token);
}

TEST_F(OpenSharedFoldersTest, AStoreThatKnowsNoTokenTakesTheFolderThatIsThere) {
  const auto before = OpenSharedStorage(files_, "checkpoint-dir", checkpoints_.path(), "c1");
  ASSERT_OK(before);
  EXPECT_EQ(Open()->checkpoint_dir.token, before->token);
  std::filesystem::remove(checkpoints_.Path(kStorageTokenFile));
  EXPECT_ERROR(Open(), SqlState::kIoError, "is missing");
}

TEST_F(OpenSharedFoldersTest, MetadataThatWasLostIsCalledSo) {
  ASSERT_OK(Open());
  const auto refused = Open("c2");
  EXPECT_ERROR(refused, SqlState::kObjectNotInPrerequisiteState, "is missing");
  EXPECT_ERROR(refused, SqlState::kObjectNotInPrerequisiteState, data_.Path("metadata"));
  EXPECT_THAT(GetErrorDetail(refused.status()).hint, HasSubstr("back from a copy"));
}

class CheckStorageProofTest : public ::testing::Test {
 protected:
  static v1::StorageProof GoodProof() {
    v1::StorageProof proof;
    proof.add_folders()->set_path("/data");
    proof.mutable_folders(0)->set_token("a");
    proof.add_folders()->set_path("/checkpoints");
    proof.mutable_folders(1)->set_token("b");
    return proof;
  }
  void ExpectRefused(const v1::StorageProof& proof, const std::string& what) {
    const absl::Status status = CheckStorageProof(folders_, proof, "worker w at host:1");
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr(what));
    EXPECT_THAT(message, HasSubstr("worker w at host:1"));
    EXPECT_THAT(message, HasSubstr("checkpoint-dir /checkpoints"));
    EXPECT_THAT(GetErrorDetail(status).hint, HasSubstr("/checkpoints"));
  }

  const std::vector<SharedStorage> folders_ = {{"data-dir", "/data", "a"},
                                               {"checkpoint-dir", "/checkpoints", "b"}};
};

TEST_F(CheckStorageProofTest, RightTokensPass) {
  EXPECT_TRUE(CheckStorageProof(folders_, GoodProof(), "w").ok());
}

TEST_F(CheckStorageProofTest, OtherTokenIsRefused) {
  v1::StorageProof proof = GoodProof();
  proof.mutable_folders(1)->set_token("a");
  ExpectRefused(proof, "different");
}

TEST_F(CheckStorageProofTest, ErrorOfTheWorkerIsPassedOn) {
  v1::StorageProof proof = GoodProof();
  ToProto(MakeError(SqlState::kInsufficientPrivilege, "on machine m: cannot write"),
          proof.mutable_folders(1)->mutable_error());
  ExpectRefused(proof, "on machine m: cannot write");
}

TEST_F(CheckStorageProofTest, AFullDiskIsNoReasonToRefuseForGood) {
  v1::StorageProof proof = GoodProof();
  ToProto(MakeError(SqlState::kDiskFull, "no space left"),
          proof.mutable_folders(1)->mutable_error());
  EXPECT_EQ(GetErrorDetail(CheckStorageProof(folders_, proof, "w")).state, SqlState::kDiskFull);
}

TEST_F(CheckStorageProofTest, MissingFolderIsRefused) {
  v1::StorageProof proof = GoodProof();
  proof.mutable_folders()->RemoveLast();
  ExpectRefused(proof, "nothing");
}

}  // namespace
}  // namespace millrace
