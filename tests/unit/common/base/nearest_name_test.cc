#include "common/base/nearest_name.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace {
namespace {

const std::vector<std::string> kNames = {"path", "format", "header", "delimiter", "rows_per_file"};

TEST(NearestNameTest, FindsMisspelledNames) {
  EXPECT_EQ(NearestName("pth", kNames), "path");
  EXPECT_EQ(NearestName("fromat", kNames), "format");
  EXPECT_EQ(NearestName("HEADER", kNames), "header");
  EXPECT_EQ(NearestName("delimeter", kNames), "delimiter");
  EXPECT_EQ(NearestName("row_per_file", kNames), "rows_per_file");
}

TEST(NearestNameTest, FarNamesAreNotSuggested) {
  EXPECT_EQ(NearestName("compression", kNames), "");
  EXPECT_EQ(NearestName("x", kNames), "");
  EXPECT_EQ(NearestName("path", {}), "");
}

TEST(NearestNameTest, HintNamesTheNearestOrAll) {
  EXPECT_EQ(NearestNameHint("pathh", kNames), "did you mean \"path\"?");
  EXPECT_EQ(NearestNameHint("zzz", {"a", "b"}), "expected one of \"a\", \"b\"");
  EXPECT_EQ(NearestNameHint("zzz", {}), "");
}

TEST(NearestNameTest, HintSaysHowManyItDoesNotName) {
  const std::string forty = NearestNameHint("zzz", std::vector<std::string>(40, "a"));
  EXPECT_EQ(std::count(forty.begin(), forty.end(), 'a'), 40);
  EXPECT_EQ(NearestNameHint("zzz", std::vector<std::string>(43, "a")), forty + " and 3 more");
}

}  // namespace
}  // namespace millrace
