#include "coordinator/epoch/checkpoint_files.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/status.h"
#include "common/storage/data_folder.h"
#include "common/storage/record_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class CheckpointFilesTest : public ::testing::Test {
 protected:
  CheckpointFilesTest() {
    folder_.Write(kStorageTokenFile, "ours");
    EXPECT_OK(files_.MakeJobFolder(7));
  }
  // A checkpoint of job 7 with files that are there.
  std::string Store(uint64_t epoch, const std::vector<std::string>& paths) {
    v1::CheckpointManifest manifest;
    manifest.set_job_id(7);
    manifest.set_attempt(1);
    manifest.set_epoch(epoch);
    for (const std::string& path : paths) {
      manifest.add_files()->set_path(path);
      Touch(path);
    }
    return files_.WriteManifest(manifest).value();
  }
  void Touch(const std::string& path) {
    const std::filesystem::path full = std::filesystem::path(folder_.path()) / "job-7" / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << "x";
  }
  bool Has(const std::string& path) const {
    return std::filesystem::exists(std::filesystem::path(folder_.path()) / "job-7" / path);
  }

  const TempFolder folder_;
  const CheckpointFiles files_{folder_.path(), "ours"};
};

TEST_F(CheckpointFilesTest, FilesOfKeptCheckpointsStayAndTheOthersGo) {
  const std::string oldest = Store(3, {"1-w1/sst/1", "1-w1/e3/CURRENT"});
  const std::string middle = Store(5, {"1-w1/sst/1", "1-w1/sst/2", "1-w1/e5/CURRENT"});
  const std::string newest = Store(8, {"1-w1/sst/2", "1-w1/sst/4"});
  // What came to nothing: an abandoned epoch, and an attempt that was lost.
  Touch("1-w1/e7/CURRENT");
  Touch("0-w9/sst/1");
  ASSERT_OK(files_.RemoveUnused(7, {middle, newest}));
  EXPECT_TRUE(Has("1-w1/sst/1") && Has("1-w1/sst/2") && Has("1-w1/sst/4"));
  EXPECT_TRUE(Has("1-w1/e5/CURRENT"));
  EXPECT_FALSE(Has("1-w1/e3") || Has("1-w1/e7") || Has("0-w9"));
  EXPECT_EQ(GetErrorDetail(files_.ReadManifest(oldest).status()).state, SqlState::kUndefinedFile);
  ASSERT_OK(files_.ReadManifest(middle));
  ASSERT_OK(files_.ReadManifest(newest));
}

TEST_F(CheckpointFilesTest, NothingIsRemovedWhenAKeptManifestCannotBeRead) {
  const std::string newest = Store(8, {"1-w1/sst/2"});
  Touch("1-w1/sst/1");
  EXPECT_FALSE(files_.RemoveUnused(7, {"job-7/manifest-6-1.pb", newest}).ok());
  EXPECT_TRUE(Has("1-w1/sst/1"));
}

TEST_F(CheckpointFilesTest, NewerOrUnversionedManifestIsRefused) {
  const std::string name = Store(3, {});
  v1::CheckpointManifest manifest = *files_.ReadManifest(name);
  const auto refusal = [&](uint32_t format) {
    manifest.set_format_version(format);
    folder_.Write(name, SealedRecord(manifest.SerializeAsString()));
    return files_.ReadManifest(name).status();
  };
  const absl::Status newer = refusal(manifest.format_version() + 1);
  EXPECT_EQ(GetErrorDetail(newer).state, SqlState::kFeatureNotSupported);
  EXPECT_THAT(std::string(newer.message()), HasSubstr("this version reads up to"));
  EXPECT_EQ(GetErrorDetail(refusal(0)).state, SqlState::kDataCorrupted);
}

TEST_F(CheckpointFilesTest, EveryBitOfAManifestIsChecked) {
  const std::string name = Store(3, {"1-w1/sst/1"});
  const std::string written = TempFolder::Read(folder_.Path(name));
  for (size_t bit = 0; bit < 8 * written.size(); ++bit) {
    std::string damaged = written;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    folder_.Write(name, damaged);
    EXPECT_ERROR(files_.ReadManifest(name), SqlState::kDataCorrupted, "manifest-3-1.pb");
  }
  for (size_t size = 0; size < written.size(); ++size) {
    folder_.Write(name, written.substr(0, size));
    EXPECT_ERROR(files_.ReadManifest(name), SqlState::kDataCorrupted, "manifest-3-1.pb");
  }
  folder_.Write(name, written);
  EXPECT_OK(files_.ReadManifest(name));
}

TEST_F(CheckpointFilesTest, NothingGoesIntoAnEmptyMountPoint) {
  const std::string name = Store(3, {});
  std::filesystem::rename(folder_.path(), folder_.path() + "-away");
  std::filesystem::create_directory(folder_.path());
  v1::CheckpointManifest manifest;
  manifest.set_job_id(7);
  manifest.set_epoch(5);
  EXPECT_ERROR(files_.WriteManifest(manifest), SqlState::kIoError, "checkpoint-dir");
  EXPECT_ERROR(files_.MakeJobFolder(7), SqlState::kIoError, "checkpoint-dir");
  // Not lost: it comes back with the file system.
  EXPECT_ERROR(files_.ReadManifest(name), SqlState::kIoError, "checkpoint-dir");
  EXPECT_TRUE(folder_.Names().empty());
  std::filesystem::remove(folder_.path());
  std::filesystem::rename(folder_.path() + "-away", folder_.path());
  EXPECT_OK(files_.ReadManifest(name));
  EXPECT_OK(files_.WriteManifest(manifest));
}

// Job numbers of two clusters are the same, and so may be the names of their manifests.
TEST_F(CheckpointFilesTest, TheFolderOfAnotherClusterStaysAsItIs) {
  const std::string name = Store(3, {"1-w1/sst/1"});
  Touch("1-w2/theirs");
  folder_.Write(kStorageTokenFile, "theirs");
  v1::CheckpointManifest manifest;
  manifest.set_job_id(7);
  manifest.set_epoch(5);
  const absl::Status refused = files_.RemoveUnused(7, {name});
  EXPECT_ERROR(refused, SqlState::kIoError, "checkpoint-dir " + folder_.path() + " is another");
  EXPECT_FALSE(GetErrorDetail(refused).hint.empty());
  EXPECT_ERROR(files_.RemoveAll(7), SqlState::kIoError, "is another folder");
  EXPECT_ERROR(files_.MakeJobFolder(8), SqlState::kIoError, "is another folder");
  EXPECT_ERROR(files_.WriteManifest(manifest), SqlState::kIoError, "is another folder");
  EXPECT_ERROR(files_.ReadManifest(name), SqlState::kIoError, "is another folder");
  EXPECT_TRUE(Has("1-w2/theirs") && Has("1-w1/sst/1") && Has("manifest-3-1.pb"));
  EXPECT_FALSE(Has("manifest-5-0.pb") || std::filesystem::exists(folder_.Path("job-8")));
  folder_.Write(kStorageTokenFile, "ours");
  ASSERT_OK(files_.RemoveUnused(7, {name}));
  EXPECT_FALSE(Has("1-w2/theirs"));
}

TEST_F(CheckpointFilesTest, AManifestUnderTheNameOfAnotherOneIsDamaged) {
  const std::string older = Store(3, {});
  const std::string newest = Store(5, {});
  const std::string written = TempFolder::Read(folder_.Path(older));
  std::filesystem::create_directories(folder_.Path("job-8"));
  for (const std::string& name :
       {newest, std::string("job-7/manifest-3-2.pb"), std::string("job-8/manifest-3-1.pb")}) {
    SCOPED_TRACE(name);
    folder_.Write(name, written);
    const absl::Status refused = files_.ReadManifest(name).status();
    EXPECT_ERROR(refused, SqlState::kDataCorrupted, "manifest is damaged: " + folder_.Path(name));
    EXPECT_THAT(GetErrorDetail(refused).hint, HasSubstr("epoch 3 of job 7, attempt 1"));
  }
  EXPECT_OK(files_.ReadManifest(older));
}

TEST_F(CheckpointFilesTest, FilesOfACheckpointAreThereWithTheirSizes) {
  v1::CheckpointManifest manifest = *files_.ReadManifest(Store(3, {"1-w1/sst/1", "1-w1/sst/2"}));
  for (v1::CheckpointFile& file : *manifest.mutable_files()) file.set_size_bytes(1);
  EXPECT_OK(files_.CheckFiles(manifest));
  folder_.Write("job-7/1-w1/sst/2", "xx");
  EXPECT_ERROR(files_.CheckFiles(manifest), SqlState::kDataCorrupted,
               folder_.Path("job-7/1-w1/sst/2") + " has 2 bytes instead of 1");
  std::filesystem::remove(folder_.Path("job-7/1-w1/sst/1"));
  EXPECT_ERROR(files_.CheckFiles(manifest), SqlState::kDataCorrupted,
               folder_.Path("job-7/1-w1/sst/1") + " is not there");
}

TEST_F(CheckpointFilesTest, JobsAreThoseWithAFolder) {
  Store(3, {});
  std::filesystem::create_directories(folder_.Path("job-12"));
  std::filesystem::create_directories(folder_.Path("job-x"));
  std::filesystem::create_directories(folder_.Path("job-012"));
  std::ofstream(folder_.Path("job-13")) << "a file";
  EXPECT_THAT(*files_.Jobs(), UnorderedElementsAre(7, 12));
  ASSERT_OK(files_.RemoveAll(7));
  EXPECT_THAT(*files_.Jobs(), ElementsAre(12));
  EXPECT_THAT(*CheckpointFiles(folder_.Path("none"), "").Jobs(), ElementsAre());
}

TEST_F(CheckpointFilesTest, AFolderBelongsToOneCluster) {
  ASSERT_OK(files_.Claim("0011223344556677"));
  ASSERT_OK(files_.Claim("0011223344556677"));
  const absl::Status other = files_.Claim("ffff223344556677");
  EXPECT_EQ(GetErrorDetail(other).state, SqlState::kObjectInUse);
  EXPECT_THAT(std::string(other.message()), HasSubstr("belongs to another cluster"));
}

TEST_F(CheckpointFilesTest, AnOwnerIsReadAsTheFirstVersionsWroteItAndRefusedInANewerFormat) {
  const auto write = [this](const char* text) {
    std::ofstream(folder_.Path("cluster-id")) << text;
  };
  write("0011223344556677");
  ASSERT_OK(files_.Claim("0011223344556677"));
  EXPECT_EQ(GetErrorDetail(files_.Claim("ffff223344556677")).state, SqlState::kObjectInUse);
  write("2 and what else");
  EXPECT_EQ(GetErrorDetail(files_.Claim("0011223344556677")).state, SqlState::kFeatureNotSupported);
  write("");
  EXPECT_EQ(GetErrorDetail(files_.Claim("0011223344556677")).state, SqlState::kDataCorrupted);
}

}  // namespace
}  // namespace millrace
