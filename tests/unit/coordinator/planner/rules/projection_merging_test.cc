#include "coordinator/planner/rules/projection_merging.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

std::string Merged(const LogicalPtr& node) { return LogicalToString(*MergeProjections(node)); }

TEST(ProjectionMergingTest, TwoBecomeOne) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr inner = Project(s, {Op("+", Col(s, "sa"), Lit(1)), Col(s, "sb")}, {"x", "y"});
  const LogicalPtr outer =
      Project(inner, {Col(inner, "y"), Op("*", Col(inner, "x"), Lit(2))}, {"p", "q"});
  EXPECT_EQ(Merged(outer), "Project sb AS p, (sa + 1) * 2 AS q\n  Scan s [sa, sb, sc]\n");
}

TEST(ProjectionMergingTest, NothingIsComputedTwice) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr inner = Project(s, {Op("+", Col(s, "sa"), Lit(1))}, {"x"});
  const LogicalPtr outer = Project(inner, {Op("*", Col(inner, "x"), Col(inner, "x"))}, {"square"});
  EXPECT_EQ(MergeProjections(outer), outer);
}

TEST(ProjectionMergingTest, VolatileExpressionsStay) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr inner = Project(s, {Random()}, {"r"});
  const LogicalPtr outer = Project(inner, {Col(inner, "r"), Col(inner, "r")}, {"a", "b"});
  EXPECT_EQ(MergeProjections(outer), outer);
}

TEST(ProjectionMergingTest, IdentitiesGo) {
  const LogicalPtr s = Abc("s");
  EXPECT_EQ(Merged(Pick(s, {"sa", "sb", "sc"})), "Scan s [sa, sb, sc]\n");
  EXPECT_EQ(Merged(Pick(s, {"sb", "sa", "sc"})).substr(0, 7), "Project");
  EXPECT_EQ(Merged(Pick(s, {"sa", "sb"})).substr(0, 7), "Project");
}

}  // namespace
}  // namespace millrace
