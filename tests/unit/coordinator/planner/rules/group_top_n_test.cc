#include "coordinator/planner/rules/group_top_n.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

class GroupTopNTest : public ::testing::Test {
 protected:
  std::optional<GroupTopNMatch> Match(const ExprPtr& predicate) {
    const LogicalPtr filter = NewFilter(over_, predicate);
    return MatchGroupTopN(static_cast<const LogicalFilter&>(*filter));
  }
  ExprPtr Number() { return Col(over_, "row_number"); }

  const LogicalPtr s_ = Abc("s");
  const LogicalPtr over_ = RowNumber(s_, {0}, {Asc(Col(s_, "sb"))});
};

TEST_F(GroupTopNTest, FindsTheBoundOfTheRowNumber) {
  EXPECT_EQ(Match(Op("<=", Number(), Lit(10)))->limit, 10u);
  EXPECT_EQ(Match(Op("<", Number(), Lit(10)))->limit, 9u);
  EXPECT_EQ(Match(Op(">=", Lit(3), Number()))->limit, 3u);
  EXPECT_EQ(Match(Eq(Number(), Lit(1)))->limit, 1u);
}

TEST_F(GroupTopNTest, TakesTheTightestBoundAndKeepsTheRest) {
  const auto match = Match(
      And({Op("<=", Number(), Lit(10)), Op("<", Number(), Lit(5)), Op(">", Number(), Lit(2))}));
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->limit, 4u);
  EXPECT_EQ(match->rest.size(), 1u);
}

TEST_F(GroupTopNTest, OtherConditionsAreNoBounds) {
  EXPECT_FALSE(Match(Eq(Number(), Lit(2))).has_value());
  EXPECT_FALSE(Match(Op(">", Number(), Lit(2))).has_value());
  EXPECT_FALSE(Match(Op("<", Col(over_, "sb"), Lit(2))).has_value());
  EXPECT_FALSE(Match(Op("<=", Number(), Lit(0))).has_value());
}

TEST_F(GroupTopNTest, OtherFunctionsAreNotNumbers) {
  OverCall rank;
  rank.ranking = "rank";
  rank.type = Int();
  const LogicalPtr over = NewOver(s_, {0}, {Asc(Col(s_, "sb"))}, {rank});
  const LogicalPtr filter = NewFilter(over, Op("<=", MakeColumn(3, Int()), Lit(1)));
  EXPECT_FALSE(MatchGroupTopN(static_cast<const LogicalFilter&>(*filter)).has_value());
}

}  // namespace
}  // namespace millrace
