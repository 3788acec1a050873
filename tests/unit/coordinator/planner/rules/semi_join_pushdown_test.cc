#include "coordinator/planner/rules/semi_join_pushdown.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

LogicalPtr SemiOverJoin(uint64_t right_rows, const std::string& column) {
  const LogicalPtr s = Abc("s", 100000);
  const LogicalPtr t = Abc("t", 100000);
  const LogicalPtr join = NewJoin(JoinType::kInner, s, t, Eq(Col(s, t, "sa"), Col(s, t, "ta")));
  const LogicalPtr u = Abc("u", 100000);
  const LogicalPtr few = NewLimit(u, right_rows, 0);
  return NewJoin(JoinType::kSemi, join, few, Eq(Col(join, few, column), Col(join, few, "ua")));
}

std::string SemiJoinPushed(const LogicalPtr& node) {
  return LogicalToString(*PushDownSemiJoins(node, CardinalityEstimator(nullptr)));
}

TEST(SemiJoinPushdownTest, ASelectiveOneMovesToItsSide) {
  const std::string plan = SemiJoinPushed(SemiOverJoin(100, "tb"));
  EXPECT_EQ(plan.substr(0, plan.find("Limit")),
            "InnerJoin on sa = ta\n"
            "  Scan s [sa, sb, sc]\n"
            "  SemiJoin on tb = ua\n"
            "    Scan t [ta, tb, tc]\n"
            "    ");
}

TEST(SemiJoinPushdownTest, OneOnTheSmallSideOfALargeJoinMoves) {
  const LogicalPtr s = Abc("s", 6000000);
  const LogicalPtr t = Abc("t", 1500000);
  const LogicalPtr join = NewJoin(JoinType::kInner, s, t, Eq(Col(s, t, "sa"), Col(s, t, "ta")));
  const LogicalPtr u = Abc("u", 1500000);
  const LogicalPtr semi =
      NewJoin(JoinType::kSemi, join, u, Eq(Col(join, u, "tb"), Col(join, u, "ua")));
  EXPECT_EQ(SemiJoinPushed(semi).substr(0, 9), "InnerJoin");
}

TEST(SemiJoinPushdownTest, OneThatKeepsMostRowsStays) {
  EXPECT_EQ(SemiJoinPushed(SemiOverJoin(90000, "sb")).substr(0, 8), "SemiJoin");
}

}  // namespace
}  // namespace millrace
