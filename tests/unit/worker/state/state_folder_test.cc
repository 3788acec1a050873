#include "worker/state/state_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

TEST(StateFolderTest, RemovesWhatProcessesThatAreGoneHaveLeft) {
  const TempFolder data;
  const fs::path left = fs::path(data.path()) / "state" / "process-1-2";
  fs::create_directories(left / "job-1-1-w1" / "db");
  std::ofstream(left / "LOCK").put('x');
  auto folder = StateFolder::Open(data.path());
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists((*folder)->path()));
  const std::string path = (*folder)->path();
  folder->reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST(StateFolderTest, LeavesTheFolderOfAProcessThatLives) {
  const TempFolder data;
  auto first = StateFolder::Open(data.path());
  auto second = StateFolder::Open(data.path());
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE((*first)->path(), (*second)->path());
  EXPECT_TRUE(fs::exists((*first)->path()));
  EXPECT_TRUE(fs::exists((*second)->path()));
}

TEST(StateFolderTest, SaysWhereNoFolderCanBeMade) {
  const TempFolder data;
  std::ofstream(fs::path(data.path()) / "state").put('x');
  auto folder = StateFolder::Open(data.path());
  ASSERT_FALSE(folder.ok());
  EXPECT_NE(folder.status().message().find(data.path()), std::string::npos);
}

}  // namespace
}  // namespace millrace
