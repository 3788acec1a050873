#include "common/storage/file_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/storage/local_file_system.h"
#include "common/storage/path_policy.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(GlobTest, MatchesNames) {
  EXPECT_TRUE(GlobMatches("*.csv", "a.csv"));
  EXPECT_TRUE(GlobMatches("a*b*c", "axxbyyc"));
  EXPECT_TRUE(GlobMatches("??.csv", "ab.csv"));
  EXPECT_TRUE(GlobMatches("[a-c]x[!0-9]", "bxz"));
  EXPECT_TRUE(GlobMatches("[]]", "]"));
  EXPECT_TRUE(GlobMatches("[ab", "[ab"));
  EXPECT_TRUE(GlobMatches("**", "anything"));
  EXPECT_FALSE(GlobMatches("*.csv", "a.csv.gz"));
  EXPECT_FALSE(GlobMatches("?.csv", ".csv"));
  EXPECT_FALSE(GlobMatches("[!a]", "a"));
  EXPECT_FALSE(GlobMatches("*", "a/b"));
  EXPECT_FALSE(GlobMatches("a?b", "a/b"));
  EXPECT_FALSE(GlobMatches("a*a*a*a*a*a*a*a*b", std::string(200, 'a')));
}

class FileListingTest : public testing::Test {
 protected:
  // Paths below the folder, relative to it.
  std::vector<std::string> List(const std::string& pattern) {
    std::vector<std::string> names;
    const auto files = ListFiles(file_system_, folder_.Path(pattern));
    EXPECT_TRUE(files.ok()) << files.status();
    for (const FileInfo& file : *files)
      names.push_back(file.path.substr(folder_.path().size() + 1));
    return names;
  }

  TempFolder folder_;
  LocalFileSystem file_system_;
};

TEST_F(FileListingTest, FoldersGlobsAndFiles) {
  for (const char* name : {"b.csv", "a.csv", "c.txt", "_staging-x.csv", ".hidden.csv", "d/e.csv",
                           "d/f/g.csv", "_tmp/h.csv"}) {
    folder_.Write(name, "x");
  }
  EXPECT_THAT(List(""), ElementsAre("a.csv", "b.csv", "c.txt"));
  EXPECT_THAT(List("*.csv"), ElementsAre("a.csv", "b.csv"));
  EXPECT_THAT(List("a.csv"), ElementsAre("a.csv"));
  EXPECT_THAT(List("*/*.csv"), ElementsAre("d/e.csv"));
  EXPECT_THAT(List("**/*.csv"), ElementsAre("a.csv", "b.csv", "d/e.csv", "d/f/g.csv"));
  EXPECT_THAT(List("d/**"), ElementsAre("d/e.csv", "d/f/g.csv"));
  EXPECT_THAT(List("**/f/*"), ElementsAre("d/f/g.csv"));
  EXPECT_THAT(List("_*.csv"), ElementsAre("_staging-x.csv"));
  EXPECT_THAT(List("nothing*"), IsEmpty());
  EXPECT_THAT(List("nowhere/*.csv"), IsEmpty());
  EXPECT_THAT(List("nowhere/"), IsEmpty());
}

TEST_F(FileListingTest, MissingFileIsAnErrorAndOddNamesAreFound) {
  EXPECT_ERROR(ListFiles(file_system_, folder_.Path("x.csv")), SqlState::kUndefinedFile, "x.csv");
  folder_.Write("a[1].csv", "x");
  EXPECT_THAT(List("a[1].csv"), ElementsAre("a[1].csv"));
}

TEST_F(FileListingTest, LoopsOfLinksEnd) {
  folder_.Write("d/a.csv", "x");
  std::filesystem::create_symlink(folder_.path(), folder_.Path("d/loop1"));
  std::filesystem::create_symlink(folder_.path(), folder_.Path("d/loop2"));
  EXPECT_THAT(List("**/*.csv"), ElementsAre("d/a.csv"));
}

TEST_F(FileListingTest, PolicyKeepsPathsInAllowedFolders) {
  folder_.Write("in/a.csv", "x");
  folder_.Write("out/b.csv", "x");
  std::filesystem::create_symlink(folder_.Path("out"), folder_.Path("in/link"));
  const auto policy = PathPolicy::Create(file_system_, {folder_.Path("in")}, {});
  ASSERT_OK(policy);
  const std::string in = folder_.Path("in");
  EXPECT_EQ(*policy->CheckPath(in, "a.csv"), in + "/a.csv");
  EXPECT_EQ(*policy->CheckPath("/", in + "/new/x.csv"), in + "/new/x.csv");
  EXPECT_OK(policy->CheckPath(in, "*.csv"));
  EXPECT_OK(policy->CheckPath(in, "."));
  for (const char* path :
       {"../out/b.csv", "link/b.csv", "/etc/passwd", "link/*.csv", "x/../../out", "../in2", "/"}) {
    SCOPED_TRACE(path);
    EXPECT_ERROR(policy->CheckPath(in, path), SqlState::kInsufficientPrivilege, "allowed folders");
  }
  EXPECT_ERROR(policy->CheckPath(in, "*/../../out/*"), SqlState::kInvalidParameterValue, "..");
  EXPECT_ERROR(policy->CheckPath(in, ""), SqlState::kInvalidParameterValue, "empty");
  EXPECT_ERROR(policy->CheckPath(in, "s3://b/x"), SqlState::kFeatureNotSupported, "s3");
  // A link that a glob finds is caught file by file.
  EXPECT_ERROR(policy->CheckFile(in + "/link/b.csv"), SqlState::kInsufficientPrivilege, "link");
  EXPECT_OK(PathPolicy::Create(file_system_, {"/"}, {})->CheckPath(in, "/etc/passwd"));
}

TEST_F(FileListingTest, PolicyKeepsPathsOutOfTheClustersOwnFolders) {
  folder_.Write("data/metadata/CURRENT", "x");
  folder_.Write("data2/a.csv", "x");
  folder_.Write("in/a.csv", "x");
  std::filesystem::create_symlink(folder_.Path("data/metadata"), folder_.Path("in/link"));
  std::filesystem::create_symlink(folder_.Path("data"), folder_.Path("other_name"));
  // They win over the allowed ones, under whatever name both were given.
  const auto policy = PathPolicy::Create(file_system_, {folder_.path(), folder_.Path("data")},
                                         {folder_.Path("other_name"), folder_.Path("checkpoints")});
  ASSERT_OK(policy);
  const std::string in = folder_.Path("in");
  for (const char* path :
       {"../data", "../data/", "../data/metadata/CURRENT", "../data/new.csv", "../data/*/*",
        "link/CURRENT", "link/*", "../other_name/x.csv", "../checkpoints/job-1/x.csv"}) {
    SCOPED_TRACE(path);
    EXPECT_ERROR(policy->CheckPath(in, path), SqlState::kInsufficientPrivilege,
                 "a folder of the cluster itself");
  }
  EXPECT_OK(policy->CheckPath(in, "a.csv"));
  EXPECT_OK(policy->CheckPath(in, "../data2/a.csv"));
  // What a glob of the folders above finds is caught file by file.
  EXPECT_OK(policy->CheckPath(in, "../**"));
  EXPECT_ERROR(policy->CheckFile(folder_.Path("data/metadata/CURRENT")),
               SqlState::kInsufficientPrivilege, "a folder of the cluster itself");
}

}  // namespace
}  // namespace millrace
