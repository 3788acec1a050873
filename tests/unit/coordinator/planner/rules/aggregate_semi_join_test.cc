#include "coordinator/planner/rules/aggregate_semi_join.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

LogicalPtr JoinOfAverages(JoinType type, uint64_t few_rows, uint64_t items_rows) {
  const LogicalPtr items = Abc("i", items_rows);
  const LogicalPtr averages =
      NewAggregate(items, {0}, {Aggregate(AggregateFunction::kMax, 1, Int())});
  const LogicalPtr parts = Abc("p", few_rows);
  return NewJoin(type, parts, averages, Eq(Col(parts, averages, "pa"), Col(parts, averages, "ia")));
}

std::string Reduced(const LogicalPtr& node) {
  return LogicalToString(*ReduceAggregateInputs(node, CardinalityEstimator(nullptr)));
}

TEST(AggregateSemiJoinTest, OnlyGroupsThatTheJoinKeepsAreAggregated) {
  EXPECT_EQ(Reduced(JoinOfAverages(JoinType::kInner, 100, 1000000)),
            "InnerJoin on pa = ia\n"
            "  Scan p [pa, pb, pc]\n"
            "  Aggregate max(ib) by ia\n"
            "    SemiJoin on ia = pa\n"
            "      Scan i [ia, ib, ic]\n"
            "      Scan p [pa, pb, pc]\n");
}

TEST(AggregateSemiJoinTest, TheKeptSideOfAnOuterJoinIsWhole) {
  EXPECT_NE(Reduced(JoinOfAverages(JoinType::kLeft, 100, 1000000)).find("SemiJoin"),
            std::string::npos);
  EXPECT_EQ(Reduced(JoinOfAverages(JoinType::kRight, 100, 1000000)).find("SemiJoin"),
            std::string::npos);
  EXPECT_EQ(Reduced(JoinOfAverages(JoinType::kFull, 100, 1000000)).find("SemiJoin"),
            std::string::npos);
}

TEST(AggregateSemiJoinTest, ManyRowsAreNotComputedTwice) {
  EXPECT_EQ(Reduced(JoinOfAverages(JoinType::kInner, 500000, 1000000)).find("SemiJoin"),
            std::string::npos);
}

TEST(AggregateSemiJoinTest, AllOfAReferencedTableDropsNothing) {
  const auto statistics = [](const v1::CatalogObject& object) {
    return TableStatistics{object.name() == "p" ? 100 : 1000000, {{0, 100}}};
  };
  const LogicalPtr join = JoinOfAverages(JoinType::kInner, 100, 1000000);
  EXPECT_EQ(ReduceAggregateInputs(join, CardinalityEstimator(statistics)), join);
}

TEST(AggregateSemiJoinTest, ConditionsOnAggregatesReduceNothing) {
  const LogicalPtr averages =
      NewAggregate(Abc("i", 1000000), {0}, {Aggregate(AggregateFunction::kMax, 1, Int())});
  const LogicalPtr parts = Abc("p", 10);
  const LogicalPtr join = NewJoin(JoinType::kInner, parts, averages,
                                  Eq(Col(parts, averages, "pa"), Col(parts, averages, "max")));
  EXPECT_EQ(ReduceAggregateInputs(join, CardinalityEstimator(nullptr)), join);
}

}  // namespace
}  // namespace millrace
