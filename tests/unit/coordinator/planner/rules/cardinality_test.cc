#include "coordinator/planner/rules/cardinality.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

TableStatistics Nations(const v1::CatalogObject& object) {
  TableStatistics statistics;
  statistics.rows = object.name() == "n" ? 25 : 10000;
  statistics.distinct_max = {{0, 25}};
  return statistics;
}

TEST(CardinalityTest, TablesKnowTheirRowsFilesDoNot) {
  const CardinalityEstimator estimator(nullptr);
  EXPECT_EQ(estimator.EstimateOf(*Abc("s", 123)).rows, 123);
  const Estimate unknown = estimator.EstimateOf(*Scan(SourceOf("u", {{"ua", Int()}})));
  EXPECT_FALSE(unknown.known);
  EXPECT_EQ(unknown.rows, kUnknownRows);
}

TEST(CardinalityTest, GeneratedSourcesSaySo) {
  auto source = SourceOf("g", {{"ga", Int()}});
  (*source->mutable_options())["rows"] = "777";
  const Estimate estimate = CardinalityEstimator(nullptr).EstimateOf(*Scan(source));
  EXPECT_TRUE(estimate.known);
  EXPECT_EQ(estimate.rows, 777);
}

TEST(CardinalityTest, AJoinOnAKeyKeepsTheReferencingRows) {
  const CardinalityEstimator estimator(nullptr);
  const LogicalPtr s = Abc("s", 6000000);
  const LogicalPtr t = Abc("t", 1500000);
  const LogicalPtr join = NewJoin(JoinType::kInner, s, t, Eq(Col(s, t, "sa"), Col(s, t, "ta")));
  EXPECT_DOUBLE_EQ(estimator.EstimateOf(*join).rows, 6000000);
}

TEST(CardinalityTest, FewValuesMeanManyMatches) {
  const CardinalityEstimator estimator(Nations);
  const LogicalPtr s = Scan(TableOf("s", {{"sa", Int()}}));
  const LogicalPtr t = Scan(TableOf("t", {{"ta", Int()}}));
  const LogicalPtr join = NewJoin(JoinType::kInner, s, t, Eq(Col(s, t, "sa"), Col(s, t, "ta")));
  EXPECT_DOUBLE_EQ(estimator.EstimateOf(*join).rows, 10000.0 * 10000 / 25);
}

TEST(CardinalityTest, OuterJoinsKeepTheirRows) {
  const CardinalityEstimator estimator(nullptr);
  const LogicalPtr s = Abc("s", 1000);
  const LogicalPtr t = Abc("t", 10);
  const ExprPtr on = Eq(Col(s, t, "sa"), Col(s, t, "ta"));
  EXPECT_GE(estimator.EstimateOf(*NewJoin(JoinType::kLeft, s, t, on)).rows, 1000);
  EXPECT_LE(estimator.EstimateOf(*NewJoin(JoinType::kSemi, s, t, on)).rows, 1000);
  EXPECT_GT(estimator.EstimateOf(*NewJoin(JoinType::kAnti, s, t, on)).rows, 0);
}

TEST(CardinalityTest, TotalsAreOneRowOfKnownSize) {
  const LogicalPtr u = Scan(SourceOf("u", {{"ua", Int()}}));
  const Estimate total =
      CardinalityEstimator(nullptr).EstimateOf(*NewAggregate(u, {}, {CountStar()}));
  EXPECT_TRUE(total.known);
  EXPECT_EQ(total.rows, 1);
}

TEST(CardinalityTest, FiltersLessenRows) {
  const CardinalityEstimator estimator(Nations);
  const LogicalPtr s = Scan(TableOf("s", {{"sa", Int()}}));
  const Estimate all = estimator.EstimateOf(*s);
  EXPECT_DOUBLE_EQ(estimator.Selectivity(*Eq(Col(s, "sa"), Lit(3)), all), 1.0 / 25);
  EXPECT_LT(estimator.Selectivity(
                *And({Op(">", Col(s, "sa"), Lit(3)), Op("<", Col(s, "sa"), Lit(9))}), all),
            estimator.Selectivity(*Op(">", Col(s, "sa"), Lit(3)), all));
}

}  // namespace
}  // namespace millrace
