#include "coordinator/planner/rules/limit_pushdown.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

std::string LimitPushed(const LogicalPtr& node) { return LogicalToString(*PushDownLimits(node)); }

TEST(LimitPushdownTest, MeetsTheSortBelowAProjection) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr sorted = NewSort(s, {Asc(Col(s, "sb"))});
  EXPECT_EQ(LimitPushed(NewLimit(Pick(sorted, {"sa"}), 3, 2)),
            "Project sa\n  Limit 3 offset 2\n    Sort sb\n      Scan s [sa, sb, sc]\n");
}

TEST(LimitPushdownTest, LimitsOverLimitsBecomeOne) {
  EXPECT_EQ(LimitPushed(NewLimit(NewLimit(Abc("s"), 10, 5), 7, 4)),
            "Limit 6 offset 9\n  Scan s [sa, sb, sc]\n");
  EXPECT_EQ(LimitPushed(NewLimit(NewLimit(Abc("s"), std::nullopt, 5), 7, 0)),
            "Limit 7 offset 5\n  Scan s [sa, sb, sc]\n");
  EXPECT_EQ(LimitPushed(NewLimit(NewLimit(Abc("s"), 3, 0), 7, 4)), "Values [sa, sb, sc] \n");
}

TEST(LimitPushdownTest, LimitZeroGivesNoRowsAndNoLimitGoes) {
  EXPECT_EQ(LimitPushed(NewLimit(Abc("s"), 0, 0)), "Values [sa, sb, sc] \n");
  EXPECT_EQ(LimitPushed(NewLimit(Abc("s"), std::nullopt, 0)), "Scan s [sa, sb, sc]\n");
}

TEST(LimitPushdownTest, EachInputOfAUnionGivesNoMoreThanNeeded) {
  EXPECT_EQ(LimitPushed(NewLimit(NewUnionAll({Abc("s"), Abc("t")}), 3, 2)),
            "Limit 3 offset 2\n"
            "  UnionAll\n"
            "    Limit 5\n      Scan s [sa, sb, sc]\n"
            "    Limit 5\n      Scan t [ta, tb, tc]\n");
}

TEST(LimitPushdownTest, DoesNotPassAFilter) {
  const LogicalPtr s = Abc("s");
  EXPECT_EQ(LimitPushed(NewLimit(NewFilter(s, Eq(Col(s, "sa"), Lit(1))), 3, 0)).substr(0, 16),
            "Limit 3\n  Filter");
}

TEST(LimitPushdownTest, SortsThatNobodySeesGo) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr sorted = NewSort(s, {Asc(Col(s, "sb"))});
  EXPECT_EQ(LimitPushed(NewAggregate(sorted, {0}, {CountStar()})),
            "Aggregate count(*) by sa\n  Scan s [sa, sb, sc]\n");
  const AggregateCall joined = Aggregate(AggregateFunction::kStringAgg, 1, Text());
  EXPECT_NE(LimitPushed(NewAggregate(sorted, {0}, {joined})).find("Sort"), std::string::npos);
  EXPECT_NE(LimitPushed(NewAggregate(NewLimit(sorted, 5, 0), {0}, {CountStar()})).find("Sort"),
            std::string::npos);
}

}  // namespace
}  // namespace millrace
