#include "coordinator/planner/rules/column_pruning.h"

#include "coordinator/planner/rules/projection_merging.h"
#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

std::string Pruned(const LogicalPtr& node) {
  return LogicalToString(*MergeProjections(PruneColumns(node)));
}

TEST(ColumnPruningTest, ScansReadWhatIsNeeded) {
  const LogicalPtr s = Abc("s");
  EXPECT_EQ(Pruned(Pick(s, {"sc", "sa"})), "Project sc, sa\n  Scan s [sa, sc]\n");
}

TEST(ColumnPruningTest, WhatOnlyAFilterNeedsIsDroppedAboveIt) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr filter = NewFilter(s, Op(">", Col(s, "sb"), Lit(1)));
  EXPECT_EQ(Pruned(Pick(filter, {"sa"})), "Project sa\n  Filter sb > 1\n    Scan s [sa, sb]\n");
}

TEST(ColumnPruningTest, CountingReadsTheCheapestColumn) {
  const LogicalPtr s = Scan(TableOf("s", {{"name", Text()}, {"flag", Bool()}, {"value", Int()}}));
  EXPECT_EQ(Pruned(NewAggregate(s, {}, {CountStar()})), "Aggregate count(*)\n  Scan s [flag]\n");
}

TEST(ColumnPruningTest, JoinsKeepKeysBelowOnly) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr t = Abc("t");
  const LogicalPtr join = NewJoin(JoinType::kInner, s, t, Eq(Col(s, t, "sa"), Col(s, t, "tb")));
  EXPECT_EQ(Pruned(Pick(join, {"tc"})),
            "Project tc\n"
            "  InnerJoin on sa = tb\n"
            "    Scan s [sa]\n"
            "    Scan t [tb, tc]\n");
}

TEST(ColumnPruningTest, SemiJoinsReadKeysOfTheRightOnly) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr t = Abc("t");
  const LogicalPtr join = NewJoin(JoinType::kSemi, s, t, Eq(Col(s, t, "sa"), Col(s, t, "tb")));
  EXPECT_EQ(Pruned(Pick(join, {"sc"})),
            "Project sc\n  SemiJoin on sa = tb\n    Scan s [sa, sc]\n    Scan t [tb]\n");
}

TEST(ColumnPruningTest, UnusedAggregatesGoButKeysStay) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr aggregate =
      NewAggregate(s, {0}, {CountStar(), Aggregate(AggregateFunction::kMax, 2, Int())});
  EXPECT_EQ(Pruned(Pick(aggregate, {"max"})),
            "Project max\n  Aggregate max(sc) by sa\n    Scan s [sa, sc]\n");
}

TEST(ColumnPruningTest, OverWithoutUsedCallsGoes) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr over = RowNumber(s, {0}, {Asc(Col(s, "sb"))});
  EXPECT_EQ(Pruned(Pick(over, {"sc"})), "Scan s [sc]\n");
  EXPECT_EQ(Pruned(Pick(over, {"row_number"})),
            "Project row_number\n"
            "  Over row_number() partition sa order sb\n"
            "    Scan s [sa, sb]\n");
}

TEST(ColumnPruningTest, UnionsPruneAllInputsAlike) {
  const LogicalPtr all = NewUnionAll({Abc("s"), Abc("t")});
  EXPECT_EQ(Pruned(Pick(all, {"sb"})), "UnionAll\n  Scan s [sb]\n  Scan t [tb]\n");
  EXPECT_EQ(Pruned(NewAggregate(all, {}, {CountStar()})),
            "Aggregate count(*)\n  UnionAll\n    Scan s [sa]\n    Scan t [ta]\n");
}

TEST(ColumnPruningTest, TheFilterOfAScanKeepsItsColumns) {
  auto scan = std::make_shared<LogicalScan>(static_cast<const LogicalScan&>(*Abc("s")));
  scan->filter = Op(">", Col(scan->output, "sc"), Lit(1));
  EXPECT_EQ(Pruned(Pick(scan, {"sa"})), "Project sa\n  Scan s [sa, sc] filter sc > 1\n");
}

TEST(ColumnPruningTest, AProjectionToNoColumnsReadsTheCheapest) {
  const LogicalPtr s = Scan(TableOf("s", {{"name", Text()}, {"flag", Bool()}}));
  const LogicalPtr bare = NewProject(s, {}, {});
  EXPECT_EQ(Pruned(NewAggregate(bare, {}, {CountStar()})), "Aggregate count(*)\n  Scan s [flag]\n");
  EXPECT_EQ(Pruned(NewJoin(JoinType::kInner, bare, bare, nullptr)),
            "InnerJoin\n"
            "  Project no columns\n    Scan s [flag]\n"
            "  Project no columns\n    Scan s [flag]\n");
}

TEST(ColumnPruningTest, SelectWithoutFromHasNoColumns) {
  EXPECT_EQ(Pruned(NewAggregate(NewOneRow(), {}, {CountStar()})),
            "Aggregate count(*)\n  Values 1 empty rows\n");
}

}  // namespace
}  // namespace millrace
