#include "coordinator/planner/relation.h"

#include "gtest/gtest.h"

namespace millrace {
namespace {

TEST(RelationTest, TraitsFollowTheirColumns) {
  Relation relation;
  relation.hashed_by = {{0, 1}, {2}};
  relation.key = std::vector<int>{1};
  relation.times = {{1, TimeColumn{}}, {2, TimeColumn{}}};
  RemapTraits({-1, 4, 0}, &relation);
  EXPECT_EQ(relation.hashed_by, (std::vector<std::vector<int>>{{0}}));
  EXPECT_EQ(relation.key, std::vector<int>{4});
  EXPECT_EQ(relation.times.size(), 2u);
  EXPECT_TRUE(relation.times.contains(4));
}

TEST(RelationTest, AKeyThatLosesAColumnIsNone) {
  Relation relation;
  relation.key = std::vector<int>{0, 1};
  RemapTraits({0, -1}, &relation);
  EXPECT_FALSE(relation.key.has_value());
}

}  // namespace
}  // namespace millrace
