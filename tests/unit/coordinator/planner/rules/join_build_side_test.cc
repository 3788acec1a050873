#include "coordinator/planner/rules/join_build_side.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

LogicalPtr JoinOf(JoinType type, uint64_t left_rows, uint64_t right_rows) {
  const LogicalPtr s = Abc("s", left_rows);
  const LogicalPtr t = Abc("t", right_rows);
  return NewJoin(type, s, t, Eq(Col(s, t, "sa"), Col(s, t, "tb")));
}

std::string Chosen(const LogicalPtr& node) {
  return LogicalToString(*ChooseBuildSides(node, CardinalityEstimator(nullptr)));
}

TEST(JoinBuildSideTest, TheSmallerSideIsBuilt) {
  EXPECT_EQ(Chosen(JoinOf(JoinType::kInner, 10, 1000)),
            "Project sa, sb, sc, ta, tb, tc\n"
            "  InnerJoin on sa = tb\n"
            "    Scan t [ta, tb, tc]\n"
            "    Scan s [sa, sb, sc]\n");
  EXPECT_EQ(Chosen(JoinOf(JoinType::kInner, 1000, 10)).substr(0, 9), "InnerJoin");
}

TEST(JoinBuildSideTest, LeftJoinsBecomeRightJoins) {
  EXPECT_NE(Chosen(JoinOf(JoinType::kLeft, 10, 1000)).find("RightJoin"), std::string::npos);
  EXPECT_NE(Chosen(JoinOf(JoinType::kRight, 10, 1000)).find("LeftJoin"), std::string::npos);
  EXPECT_EQ(Chosen(JoinOf(JoinType::kLeft, 800, 1000)).substr(0, 8), "LeftJoin");
}

TEST(JoinBuildSideTest, SemiAndAntiJoinsStay) {
  EXPECT_EQ(Chosen(JoinOf(JoinType::kSemi, 10, 1000)).substr(0, 8), "SemiJoin");
  EXPECT_EQ(Chosen(JoinOf(JoinType::kAnti, 10, 1000)).substr(0, 8), "AntiJoin");
}

TEST(JoinBuildSideTest, AnUnknownSideIsTakenToBeLarge) {
  const LogicalPtr s = Abc("s", 10);
  const LogicalPtr u = Scan(SourceOf("u", {{"ua", Int()}}));
  const LogicalPtr known_left =
      NewJoin(JoinType::kInner, s, u, Eq(Col(s, u, "sa"), Col(s, u, "ua")));
  EXPECT_EQ(Chosen(known_left).substr(0, 7), "Project");
  const LogicalPtr known_right =
      NewJoin(JoinType::kInner, u, s, Eq(Col(u, s, "ua"), Col(u, s, "sa")));
  EXPECT_EQ(Chosen(known_right).substr(0, 9), "InnerJoin");
}

}  // namespace
}  // namespace millrace
