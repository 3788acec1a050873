#include "coordinator/planner/rules/distinct_aggregate.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

using F = AggregateFunction;

std::string Split(std::vector<int> keys, std::vector<AggregateCall> calls) {
  return LogicalToString(
      *SplitDistinctAggregates(NewAggregate(Abc("s"), std::move(keys), std::move(calls))));
}

TEST(DistinctAggregateTest, CountsDifferentValuesAfterFindingThem) {
  EXPECT_EQ(Split({0}, {Aggregate(F::kCount, 1, Int(), true), Aggregate(F::kSum, 1, Int(), true)}),
            "Aggregate count(sb), sum(sb) by sa\n"
            "  Distinct by sa, sb\n"
            "    Scan s [sa, sb, sc]\n");
}

TEST(DistinctAggregateTest, MixedAggregatesStayInOne) {
  EXPECT_EQ(Split({0}, {Aggregate(F::kCount, 1, Int(), true), CountStar()}).substr(0, 10),
            "Aggregate ");
  EXPECT_EQ(
      Split({0}, {Aggregate(F::kCount, 1, Int(), true), Aggregate(F::kCount, 2, Int(), true)}),
      "Aggregate count(DISTINCT sb), count(DISTINCT sc) by sa\n  Scan s [sa, sb, sc]\n");
}

TEST(DistinctAggregateTest, FilteredOnesStayInOne) {
  AggregateCall call = Aggregate(F::kCount, 1, Int(), true);
  call.filter = 2;
  EXPECT_NE(Split({0}, {call}).find("DISTINCT"), std::string::npos);
}

TEST(DistinctAggregateTest, RepeatsMakeNoDifferenceToMinAndMax) {
  EXPECT_EQ(Split({}, {Aggregate(F::kMax, 1, Int(), true), Aggregate(F::kMin, 2, Int(), true)}),
            "Aggregate max(sb), min(sc)\n  Scan s [sa, sb, sc]\n");
}

}  // namespace
}  // namespace millrace
