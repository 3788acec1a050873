#include "coordinator/planner/rules/semi_join_reduction.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

LogicalPtr JoinOfAverages(JoinType type, uint64_t few_rows, uint64_t items_rows) {
  const LogicalPtr items = Abc("i", items_rows);
  const LogicalPtr averages =
      NewAggregate(items, {0}, {Aggregate(AggregateFunction::kMax, 1, Int())});
  const LogicalPtr all = Abc("p", few_rows);
  const LogicalPtr parts = NewFilter(all, Eq(Col(all, "pb"), Lit(1)));
  return NewJoin(type, parts, averages, Eq(Col(parts, averages, "pa"), Col(parts, averages, "ia")));
}

std::string Reduced(const LogicalPtr& node) {
  return LogicalToString(*ReduceBySemiJoins(node, CardinalityEstimator(nullptr)));
}

TEST(SemiJoinReductionTest, OnlyGroupsThatTheJoinKeepsAreAggregated) {
  EXPECT_EQ(Reduced(JoinOfAverages(JoinType::kInner, 100, 1000000)),
            "InnerJoin on pa = ia\n"
            "  Filter pb = 1\n"
            "    Scan p [pa, pb, pc]\n"
            "  Aggregate max(ib) by ia\n"
            "    SemiJoin on ia = pa\n"
            "      Scan i [ia, ib, ic]\n"
            "      Filter pb = 1\n"
            "        Scan p [pa, pb, pc]\n");
}

TEST(SemiJoinReductionTest, TheKeptSideOfAnOuterJoinIsWhole) {
  EXPECT_NE(Reduced(JoinOfAverages(JoinType::kLeft, 100, 1000000)).find("SemiJoin"),
            std::string::npos);
  EXPECT_EQ(Reduced(JoinOfAverages(JoinType::kRight, 100, 1000000)).find("SemiJoin"),
            std::string::npos);
  EXPECT_EQ(Reduced(JoinOfAverages(JoinType::kFull, 100, 1000000)).find("SemiJoin"),
            std::string::npos);
}

TEST(SemiJoinReductionTest, ManyRowsAreNotComputedTwice) {
  EXPECT_EQ(Reduced(JoinOfAverages(JoinType::kInner, 500000, 1000000)).find("SemiJoin"),
            std::string::npos);
}

TEST(SemiJoinReductionTest, AllOfAReferencedTableDropsNothing) {
  const LogicalPtr averages =
      NewAggregate(Abc("i", 1000000), {0}, {Aggregate(AggregateFunction::kMax, 1, Int())});
  const LogicalPtr parts = Abc("p", 100);
  const LogicalPtr join = NewJoin(JoinType::kInner, parts, averages,
                                  Eq(Col(parts, averages, "pa"), Col(parts, averages, "ia")));
  EXPECT_EQ(ReduceBySemiJoins(join, CardinalityEstimator(nullptr)), join);
}

TEST(SemiJoinReductionTest, ConditionsOnAggregatesReduceNothing) {
  const LogicalPtr averages =
      NewAggregate(Abc("i", 1000000), {0}, {Aggregate(AggregateFunction::kMax, 1, Int())});
  const LogicalPtr parts = Abc("p", 10);
  const LogicalPtr join = NewJoin(JoinType::kInner, parts, averages,
                                  Eq(Col(parts, averages, "pa"), Col(parts, averages, "max")));
  EXPECT_EQ(ReduceBySemiJoins(join, CardinalityEstimator(nullptr)), join);
}

LogicalPtr ExistsFor(JoinType type, uint64_t few_rows) {
  const LogicalPtr orders = Abc("o", few_rows);
  const LogicalPtr filtered = NewFilter(orders, Eq(Col(orders, "ob"), Lit(1)));
  const LogicalPtr items = Abc("i", 1000000);
  return NewJoin(type, filtered, items, Eq(Col(orders, items, "oa"), Col(orders, items, "ia")));
}

TEST(SemiJoinReductionTest, ExistsForFewRowsHoldsOnlyWhatCanMatch) {
  EXPECT_EQ(Reduced(ExistsFor(JoinType::kAnti, 10000)),
            "AntiJoin on oa = ia\n"
            "  Filter ob = 1\n"
            "    Scan o [oa, ob, oc]\n"
            "  SemiJoin on ia = oa\n"
            "    Scan i [ia, ib, ic]\n"
            "    Filter ob = 1\n"
            "      Scan o [oa, ob, oc]\n");
  EXPECT_NE(Reduced(ExistsFor(JoinType::kSemi, 10000)).find("    Scan i"), std::string::npos);
}

TEST(SemiJoinReductionTest, NotInMustSeeEveryRow) {
  const LogicalPtr join = ExistsFor(JoinType::kNullAwareAnti, 10000);
  EXPECT_EQ(ReduceBySemiJoins(join, CardinalityEstimator(nullptr)), join);
}

TEST(SemiJoinReductionTest, ExistsForManyRowsStays) {
  const LogicalPtr join = ExistsFor(JoinType::kSemi, 5000000);
  EXPECT_EQ(ReduceBySemiJoins(join, CardinalityEstimator(nullptr)), join);
}

}  // namespace
}  // namespace millrace
