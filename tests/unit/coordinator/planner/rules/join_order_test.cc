#include "coordinator/planner/rules/join_order.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

std::string Ordered(const LogicalPtr& node) {
  return LogicalToString(*OrderJoins(node, CardinalityEstimator(nullptr)));
}

TEST(JoinOrderTest, TwoRelationsStayAsTheyAre) {
  const LogicalPtr s = Abc("s", 10);
  const LogicalPtr t = Abc("t", 1000);
  const LogicalPtr join = NewJoin(JoinType::kInner, s, t, Eq(Col(s, t, "sa"), Col(s, t, "ta")));
  EXPECT_EQ(OrderJoins(join, CardinalityEstimator(nullptr)), join);
}

TEST(JoinOrderTest, AvoidsTheCrossJoinOfTheStatementsOrder) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr t = Abc("t");
  const LogicalPtr u = Abc("u");
  const LogicalPtr cross = NewJoin(JoinType::kInner, s, t, nullptr);
  const LogicalPtr join = NewJoin(JoinType::kInner, cross, u,
                                  And({Eq(Col(cross, u, "sa"), Col(cross, u, "ua")),
                                       Eq(Col(cross, u, "tb"), Col(cross, u, "ub"))}));
  EXPECT_EQ(Ordered(join),
            "Project sa, sb, sc, ta, tb, tc, ua, ub, uc\n"
            "  InnerJoin on tb = ub\n"
            "    InnerJoin on sa = ua\n"
            "      Scan s [sa, sb, sc]\n"
            "      Scan u [ua, ub, uc]\n"
            "    Scan t [ta, tb, tc]\n");
}

TEST(JoinOrderTest, StartsWhereTheFewestRowsComeOut) {
  const LogicalPtr s = Abc("s", 1000000);
  const LogicalPtr t = Abc("t", 1000000);
  const LogicalPtr u = Abc("u", 10);
  const LogicalPtr st = NewJoin(JoinType::kInner, s, t, Eq(Col(s, t, "sa"), Col(s, t, "ta")));
  const LogicalPtr filtered = NewFilter(u, Eq(Col(u, "uc"), Lit(1)));
  const LogicalPtr join =
      NewJoin(JoinType::kInner, st, filtered, Eq(Col(st, filtered, "tb"), Col(st, filtered, "ub")));
  const std::string plan = Ordered(join);
  EXPECT_NE(plan.find("  InnerJoin on sa = ta\n"
                      "    Scan s [sa, sb, sc]\n"
                      "    InnerJoin on tb = ub\n"),
            std::string::npos)
      << plan;
}

TEST(JoinOrderTest, ConditionsThatMayFailComeLast) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr t = Abc("t");
  const LogicalPtr u = Abc("u");
  const LogicalPtr st = NewJoin(JoinType::kInner, s, t,
                                And({Op(">", Op("/", Lit(1), Col(s, t, "sb")), Lit(0)),
                                     Eq(Col(s, t, "sa"), Col(s, t, "ta"))}));
  const LogicalPtr join = NewJoin(JoinType::kInner, st, u, Eq(Col(st, u, "ta"), Col(st, u, "ua")));
  const std::string plan = Ordered(join);
  const std::string last = plan.substr(plan.find('\n') + 1);
  EXPECT_NE(last.substr(0, last.find('\n')).find("(1 / sb) > 0"), std::string::npos) << plan;
}

TEST(JoinOrderTest, OuterJoinsAreRelationsOfTheirOwn) {
  const LogicalPtr s = Abc("s");
  const LogicalPtr t = Abc("t");
  const LogicalPtr u = Abc("u");
  const LogicalPtr left = NewJoin(JoinType::kLeft, s, t, Eq(Col(s, t, "sa"), Col(s, t, "ta")));
  const LogicalPtr join =
      NewJoin(JoinType::kInner, left, u, Eq(Col(left, u, "sa"), Col(left, u, "ua")));
  EXPECT_EQ(OrderJoins(join, CardinalityEstimator(nullptr)), join);
}

TEST(JoinOrderTest, EveryConditionIsUsedOnce) {
  LogicalPtr all = Abc("a");
  std::vector<LogicalPtr> others = {Abc("b"), Abc("c"), Abc("d"), Abc("e")};
  std::string previous = "aa";
  for (const LogicalPtr& other : others) {
    const std::string key = other->output[0].name;
    all =
        NewJoin(JoinType::kInner, all, other, Eq(Col(all, other, previous), Col(all, other, key)));
    previous = key;
  }
  const std::string plan = Ordered(all);
  size_t equalities = 0;
  for (size_t at = plan.find(" = "); at != std::string::npos; at = plan.find(" = ", at + 1)) {
    ++equalities;
  }
  EXPECT_EQ(equalities, others.size()) << plan;
}

}  // namespace
}  // namespace millrace
