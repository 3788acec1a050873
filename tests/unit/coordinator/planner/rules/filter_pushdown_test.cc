#include "coordinator/planner/rules/filter_pushdown.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

std::string Pushed(const LogicalPtr& node) { return LogicalToString(*PushDownFilters(node)); }

// x = 1 / (y - 5) fails for some rows.
ExprPtr MayFail(const ExprPtr& y) { return Eq(Lit(1), Op("/", Lit(1), Op("-", y, Lit(5)))); }

class FilterPushdownTest : public ::testing::Test {
 protected:
  LogicalPtr Join(JoinType type, ExprPtr condition = nullptr) {
    if (condition == nullptr) condition = Eq(In("sa"), In("ta"));
    return NewJoin(type, s_, t_, std::move(condition));
  }
  ExprPtr In(const std::string& name) { return Col(s_, t_, name); }

  const LogicalPtr s_ = Abc("s");
  const LogicalPtr t_ = Abc("t");
};

TEST_F(FilterPushdownTest, ReachesTheScanThroughAProjection) {
  const LogicalPtr project =
      Project(s_, {Op("+", Col(s_, "sa"), Lit(1)), Col(s_, "sb")}, {"x", "y"});
  const LogicalPtr filter =
      NewFilter(project, And({Op(">", Col(project, "x"), Lit(3)), Eq(Col(project, "y"), Lit(4))}));
  EXPECT_EQ(Pushed(filter),
            "Project sa + 1 AS x, sb AS y\n"
            "  Scan s [sa, sb, sc] filter ((sa + 1) > 3) AND (sb = 4)\n");
}

TEST_F(FilterPushdownTest, KeepsTheOrderOfConditionsInAScan) {
  const LogicalPtr filter =
      NewFilter(NewFilter(s_, Op("<>", Col(s_, "sa"), Lit(5))), MayFail(Col(s_, "sa")));
  EXPECT_EQ(Pushed(filter), "Scan s [sa, sb, sc] filter (sa <> 5) AND (1 = (1 / (sa - 5)))\n");
}

TEST_F(FilterPushdownTest, SplitsBetweenTheSidesOfAnInnerJoin) {
  const LogicalPtr filter = NewFilter(
      Join(JoinType::kInner),
      And({Op(">", In("sb"), Lit(1)), Op(">", In("tb"), Lit(2)), Op("<", In("sc"), In("tc"))}));
  EXPECT_EQ(Pushed(filter),
            "InnerJoin on (sa = ta) AND (sc < tc)\n"
            "  Scan s [sa, sb, sc] filter sb > 1\n"
            "  Scan t [ta, tb, tc] filter tb > 2\n");
}

TEST_F(FilterPushdownTest, TurnsACrossJoinIntoAnInnerJoin) {
  const LogicalPtr filter =
      NewFilter(NewJoin(JoinType::kInner, s_, t_, nullptr), Eq(In("sa"), In("tb")));
  EXPECT_EQ(Pushed(filter), "InnerJoin on sa = tb\n  Scan s [sa, sb, sc]\n  Scan t [ta, tb, tc]\n");
}

TEST_F(FilterPushdownTest, NeverMeetsRowsBelowAJoinThatItCouldFailOn) {
  const LogicalPtr filter = NewFilter(Join(JoinType::kInner), MayFail(In("sb")));
  EXPECT_EQ(Pushed(filter),
            "InnerJoin on (sa = ta) AND (1 = (1 / (sb - 5)))\n"
            "  Scan s [sa, sb, sc]\n  Scan t [ta, tb, tc]\n");
}

TEST_F(FilterPushdownTest, LeftJoinTakesConditionsOnTheLeftOnly) {
  const LogicalPtr filter =
      NewFilter(Join(JoinType::kLeft), And({Op(">", In("sb"), Lit(1)), IsTest("null", In("tb"))}));
  EXPECT_EQ(Pushed(filter),
            "Filter tb IS NULL\n"
            "  LeftJoin on sa = ta\n"
            "    Scan s [sa, sb, sc] filter sb > 1\n"
            "    Scan t [ta, tb, tc]\n");
}

TEST_F(FilterPushdownTest, ConditionsOfALeftJoinGoToTheRightOnly) {
  const LogicalPtr join =
      Join(JoinType::kLeft,
           And({Eq(In("sa"), In("ta")), Op(">", In("sb"), Lit(1)), Op(">", In("tb"), Lit(2))}));
  EXPECT_EQ(Pushed(join),
            "LeftJoin on (sa = ta) AND (sb > 1)\n"
            "  Scan s [sa, sb, sc]\n"
            "  Scan t [ta, tb, tc] filter tb > 2\n");
}

TEST_F(FilterPushdownTest, LeftJoinWhoseNullsAreRejectedIsInner) {
  const LogicalPtr filter = NewFilter(Join(JoinType::kLeft), Op(">", In("tb"), Lit(2)));
  EXPECT_EQ(Pushed(filter),
            "InnerJoin on sa = ta\n"
            "  Scan s [sa, sb, sc]\n"
            "  Scan t [ta, tb, tc] filter tb > 2\n");
}

TEST_F(FilterPushdownTest, FullJoinLosesTheSideThatIsRejected) {
  const LogicalPtr left = NewFilter(Join(JoinType::kFull), Op(">", In("sb"), Lit(2)));
  EXPECT_EQ(Pushed(left),
            "LeftJoin on sa = ta\n"
            "  Scan s [sa, sb, sc] filter sb > 2\n"
            "  Scan t [ta, tb, tc]\n");
  const LogicalPtr right = NewFilter(Join(JoinType::kFull), Op(">", In("tb"), Lit(2)));
  EXPECT_EQ(Pushed(right),
            "RightJoin on sa = ta\n"
            "  Scan s [sa, sb, sc]\n"
            "  Scan t [ta, tb, tc] filter tb > 2\n");
}

TEST_F(FilterPushdownTest, FullJoinKeepsConditionsThatAcceptNulls) {
  const ExprPtr either = Or({Op(">", In("sb"), Lit(2)), Op(">", In("tb"), Lit(2))});
  EXPECT_EQ(Pushed(NewFilter(Join(JoinType::kFull), either)),
            "Filter (sb > 2) OR (tb > 2)\n"
            "  FullJoin on sa = ta\n"
            "    Scan s [sa, sb, sc]\n"
            "    Scan t [ta, tb, tc]\n");
}

TEST_F(FilterPushdownTest, AJoinAboveMakesAnOuterJoinBelowInner) {
  const LogicalPtr below = Join(JoinType::kLeft);
  const LogicalPtr u = Abc("u");
  const LogicalPtr join =
      NewJoin(JoinType::kInner, below, u, Eq(Col(below, u, "tb"), Col(below, u, "ua")));
  EXPECT_EQ(Pushed(join),
            "InnerJoin on tb = ua\n"
            "  InnerJoin on sa = ta\n"
            "    Scan s [sa, sb, sc]\n"
            "    Scan t [ta, tb, tc]\n"
            "  Scan u [ua, ub, uc]\n");
}

TEST_F(FilterPushdownTest, AnOuterJoinAboveLeavesOneBelowOnItsKeptSide) {
  const LogicalPtr below = Join(JoinType::kLeft);
  const LogicalPtr u = Abc("u");
  const LogicalPtr join =
      NewJoin(JoinType::kLeft, below, u, Eq(Col(below, u, "tb"), Col(below, u, "ua")));
  EXPECT_NE(Pushed(join).find("  LeftJoin on sa = ta"), std::string::npos);
}

TEST_F(FilterPushdownTest, AntiJoinKeepsItsConditionsOnTheLeft) {
  const LogicalPtr join =
      Join(JoinType::kAnti,
           And({Eq(In("sa"), In("ta")), Op(">", In("sb"), Lit(1)), Op(">", In("tb"), Lit(2))}));
  EXPECT_EQ(Pushed(NewFilter(join, Op(">", Col(join, "sc"), Lit(3)))),
            "AntiJoin on (sa = ta) AND (sb > 1)\n"
            "  Scan s [sa, sb, sc] filter sc > 3\n"
            "  Scan t [ta, tb, tc] filter tb > 2\n");
}

TEST_F(FilterPushdownTest, NotInKeepsItsWholeCondition) {
  const LogicalPtr join =
      Join(JoinType::kNullAwareAnti, And({Eq(In("sa"), In("ta")), Op(">", In("tb"), Lit(2))}));
  EXPECT_EQ(Pushed(join),
            "NullAwareAntiJoin on (sa = ta) AND (tb > 2)\n"
            "  Scan s [sa, sb, sc]\n  Scan t [ta, tb, tc]\n");
}

TEST_F(FilterPushdownTest, PassesAnAggregationOnKeysOnly) {
  const LogicalPtr aggregate =
      NewAggregate(s_, {1}, {Aggregate(AggregateFunction::kMax, 2, Int())});
  const LogicalPtr filter = NewFilter(aggregate, And({Op(">", Col(aggregate, "sb"), Lit(1)),
                                                      Op(">", MakeColumn(1, Int()), Lit(2))}));
  EXPECT_EQ(Pushed(filter),
            "Filter max > 2\n"
            "  Aggregate max(sc) by sb\n"
            "    Scan s [sa, sb, sc] filter sb > 1\n");
}

TEST_F(FilterPushdownTest, StaysAboveAnAggregationWithoutKeys) {
  const LogicalPtr filter =
      NewFilter(NewAggregate(s_, {}, {CountStar()}), Eq(MakeColumn(0, Int()), Lit(0)));
  EXPECT_EQ(Pushed(filter), "Filter count = 0\n  Aggregate count(*)\n    Scan s [sa, sb, sc]\n");
}

TEST_F(FilterPushdownTest, PassesOverOnPartitionKeysOnly) {
  const LogicalPtr over = RowNumber(s_, {0}, {Asc(Col(s_, "sb"))});
  const LogicalPtr filter =
      NewFilter(over, And({Op(">", Col(over, "sa"), Lit(1)), Op(">", Col(over, "sb"), Lit(2))}));
  EXPECT_EQ(Pushed(filter),
            "Filter sb > 2\n"
            "  Over row_number() partition sa order sb\n"
            "    Scan s [sa, sb, sc] filter sa > 1\n");
}

TEST_F(FilterPushdownTest, GoesIntoEveryInputOfAUnion) {
  const LogicalPtr all = NewUnionAll({s_, t_});
  EXPECT_EQ(Pushed(NewFilter(all, Op(">", Col(all, "sb"), Lit(1)))),
            "UnionAll\n"
            "  Scan s [sa, sb, sc] filter sb > 1\n"
            "  Scan t [ta, tb, tc] filter tb > 1\n");
}

TEST_F(FilterPushdownTest, StopsAtALimit) {
  const LogicalPtr limit = NewLimit(s_, 5, 0);
  EXPECT_EQ(Pushed(NewFilter(limit, Op(">", Col(limit, "sb"), Lit(1)))),
            "Filter sb > 1\n  Limit 5\n    Scan s [sa, sb, sc]\n");
}

TEST_F(FilterPushdownTest, PassesAWindowUnlessItSpeaksOfIt) {
  const LogicalPtr events = Scan(SourceOf("e", {{"k", Int()}, {"ts", Time()}}));
  const LogicalPtr windowed = Tumble(events, "ts");
  const LogicalPtr filter =
      NewFilter(windowed, And({Op(">", Col(windowed, "k"), Lit(1)),
                               Op("<", Col(windowed, "ts"), Col(windowed, "window_end"))}));
  EXPECT_EQ(Pushed(filter),
            "Filter ts < window_end\n"
            "  Tumble ts size 60000000 us\n"
            "    Scan e [k, ts] filter k > 1\n");
}

TEST_F(FilterPushdownTest, VolatileConditionsStay) {
  const LogicalPtr project = Project(s_, {Random()}, {"r"});
  const LogicalPtr filter =
      NewFilter(project, Op("<", Col(project, "r"), MakeLiteral(Value{Float(), 0.5})));
  EXPECT_EQ(Pushed(filter).substr(0, 6), "Filter");
}

TEST_F(FilterPushdownTest, AConditionOnAKeyHoldsForTheOtherSidesKey) {
  const ExprPtr one = Eq(In("sa"), Lit(1));
  const std::string inner = Pushed(NewFilter(Join(JoinType::kInner), one));
  EXPECT_NE(inner.find("Scan t [ta, tb, tc] filter ta = 1"), std::string::npos) << inner;
  const std::string left = Pushed(NewFilter(Join(JoinType::kLeft), one));
  EXPECT_NE(left.find("Scan t [ta, tb, tc] filter ta = 1"), std::string::npos) << left;
}

TEST_F(FilterPushdownTest, AConditionOnTheKeyOfAnOuterSideStaysThere) {
  const LogicalPtr join =
      Join(JoinType::kLeft, And({Eq(In("sa"), In("ta")), Eq(In("ta"), Lit(1))}));
  EXPECT_EQ(Pushed(join),
            "LeftJoin on sa = ta\n"
            "  Scan s [sa, sb, sc]\n"
            "  Scan t [ta, tb, tc] filter ta = 1\n");
}

TEST_F(FilterPushdownTest, DerivesConditionsOnASideFromAnOr) {
  const ExprPtr either = Or({And({Eq(In("sb"), Lit(1)), Eq(In("tb"), Lit(2))}),
                             And({Eq(In("sb"), Lit(2)), Eq(In("tb"), Lit(1))})});
  const std::string plan = Pushed(NewFilter(Join(JoinType::kInner), either));
  EXPECT_NE(plan.find("Scan s [sa, sb, sc] filter (sb = 1) OR (sb = 2)"), std::string::npos)
      << plan;
  EXPECT_NE(plan.find("Scan t [ta, tb, tc] filter (tb = 2) OR (tb = 1)"), std::string::npos)
      << plan;
}

TEST_F(FilterPushdownTest, FindsTheEqualityThatAllBranchesShare) {
  const ExprPtr either = Or({And({Eq(In("sa"), In("ta")), Op(">", In("sb"), In("tb"))}),
                             And({Op(">", In("sc"), In("tc")), Eq(In("sa"), In("ta"))})});
  const std::string plan = Pushed(NewFilter(NewJoin(JoinType::kInner, s_, t_, nullptr), either));
  EXPECT_EQ(plan.substr(0, plan.find('\n')), "InnerJoin on (sa = ta) AND ((sb > tb) OR (sc > tc))");
}

}  // namespace
}  // namespace millrace
