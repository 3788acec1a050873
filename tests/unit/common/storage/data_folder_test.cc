#include "common/storage/data_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/storage/local_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using testing::ElementsAre;

class DataFolderTest : public testing::Test {
 protected:
  TempFolder folder_;
  LocalFileSystem file_system_;
};

TEST_F(DataFolderTest, AWorkerTakesItsFolderAgain) {
  const std::string path = folder_.Path("new/w1");
  EXPECT_OK(RefuseWorkerFolder(file_system_, "data-dir", path));
  ASSERT_OK(ClaimWorkerFolder(file_system_, path));
  EXPECT_OK(ClaimWorkerFolder(file_system_, path));
}

TEST_F(DataFolderTest, ACoordinatorDoesNotTakeAWorkersFolder) {
  EXPECT_OK(RefuseWorkerFolder(file_system_, "data-dir", folder_.path()));
  ASSERT_OK(ClaimWorkerFolder(file_system_, folder_.path()));
  const absl::Status refused = RefuseWorkerFolder(file_system_, "checkpoint-dir", folder_.path());
  EXPECT_ERROR(refused, SqlState::kObjectNotInPrerequisiteState,
               "checkpoint-dir " + folder_.path() + " belongs to a worker");
  EXPECT_FALSE(GetErrorDetail(refused).hint.empty());
}

TEST_F(DataFolderTest, AnotherFolderInPlaceOfTheOwnOneIsNoticed) {
  const auto check = [&] {
    return CheckOwnFolder(file_system_, "checkpoint-dir", folder_.path(), "ours");
  };
  EXPECT_ERROR(check(), SqlState::kIoError, "checkpoint-dir " + folder_.path() + " is not there");
  folder_.Write(kStorageTokenFile, "theirs");
  EXPECT_ERROR(check(), SqlState::kIoError, "is another folder than when the process started");
  folder_.Write(kStorageTokenFile, "ours");
  EXPECT_OK(check());
}

TEST_F(DataFolderTest, AWorkerDoesNotTakeACoordinatorsFolder) {
  folder_.Write(kStorageTokenFile, "any");
  EXPECT_ERROR(ClaimWorkerFolder(file_system_, folder_.path()),
               SqlState::kObjectNotInPrerequisiteState,
               "data-dir " + folder_.path() + " belongs to a coordinator");
  EXPECT_THAT(folder_.Names(), ElementsAre(kStorageTokenFile));
}

}  // namespace
}  // namespace millrace
