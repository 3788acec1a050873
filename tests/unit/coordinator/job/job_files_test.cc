#include "coordinator/job/job_files.h"

#include "common/base/status.h"
#include "common/storage/data_folder.h"
#include "common/storage/record_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(JobFilesTest, FilesAreFoundByTheirJobs) {
  const TempFolder folder;
  folder.Write(kStorageTokenFile, "ours");
  const JobFiles files(folder.path(), "ours");
  EXPECT_THAT(*files.Jobs(), IsEmpty());
  v1::StreamJobFile file;
  (*file.mutable_settings())["parallelism"] = "3";
  ASSERT_OK(files.Write(4, file));
  ASSERT_OK(files.Write(11, file));
  folder.Write("jobs/_staging-job-12.pb", "half");
  folder.Write("jobs/notes.txt", "not ours");
  EXPECT_THAT(*files.Jobs(), UnorderedElementsAre(4, 11));
  EXPECT_EQ(files.Read(4)->settings().at("parallelism"), "3");
  ASSERT_OK(files.Remove(4));
  EXPECT_THAT(*files.Jobs(), UnorderedElementsAre(11));
}

TEST(JobFilesTest, FileOfANewerFormatIsRefused) {
  const TempFolder folder;
  folder.Write(kStorageTokenFile, "ours");
  v1::StreamJobFile file;
  file.set_format_version(99);
  folder.Write("jobs/job-4.pb", SealedRecord(file.SerializeAsString()));
  const absl::Status read = JobFiles(folder.path(), "ours").Read(4).status();
  EXPECT_EQ(GetErrorDetail(read).state, SqlState::kFeatureNotSupported);
  EXPECT_THAT(std::string(read.message()), HasSubstr("has format 99"));
}

TEST(JobFilesTest, AnEmptyMountPointGetsNoFile) {
  const TempFolder folder;
  EXPECT_ERROR(JobFiles(folder.path(), "ours").Write(4, {}), SqlState::kIoError, "data-dir");
  EXPECT_THAT(*JobFiles(folder.path(), "ours").Jobs(), IsEmpty());
}

TEST(JobFilesTest, AFileOfAnotherJobOrClusterIsRefused) {
  const TempFolder folder;
  folder.Write(kStorageTokenFile, "ours");
  const JobFiles files(folder.path(), "ours");
  ASSERT_OK(files.Write(4, {}));
  ASSERT_OK(files.Write(5, {}));
  folder.Write("jobs/job-5.pb", TempFolder::Read(folder.Path("jobs/job-4.pb")));
  EXPECT_ERROR(files.Read(5), SqlState::kDataCorrupted, "job-5.pb");
  EXPECT_OK(files.Read(4));
  folder.Write(kStorageTokenFile, "theirs");
  EXPECT_ERROR(files.Read(4), SqlState::kIoError, "is another folder");
  EXPECT_ERROR(files.Remove(4), SqlState::kIoError, "is another folder");
  EXPECT_THAT(*files.Jobs(), UnorderedElementsAre(4, 5));
}

TEST(JobFilesTest, AFileOfAnEarlierVersionDoesNotSayWhose) {
  const TempFolder folder;
  folder.Write(kStorageTokenFile, "ours");
  v1::StreamJobFile file;
  file.set_format_version(2);
  folder.Write("jobs/job-4.pb", SealedRecord(file.SerializeAsString()));
  EXPECT_OK(JobFiles(folder.path(), "ours").Read(4));
}

TEST(JobFilesTest, ABitThatHasChangedIsNoticed) {
  const TempFolder folder;
  folder.Write(kStorageTokenFile, "ours");
  v1::StreamJobFile file;
  file.set_format_version(2);
  file.set_parallelism(2);
  std::string record = SealedRecord(file.SerializeAsString());
  record.back() ^= 1;
  folder.Write("jobs/job-4.pb", record);
  EXPECT_ERROR(JobFiles(folder.path(), "ours").Read(4), SqlState::kDataCorrupted, "job-4.pb");
}

}  // namespace
}  // namespace millrace
