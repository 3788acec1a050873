#include "coordinator/planner/rules/join_keys.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

class JoinKeysTest : public ::testing::Test {
 protected:
  ExprPtr In(const std::string& name) { return Col(s_, t_, name); }
  LogicalPtr Join(JoinType type, ExprPtr condition) {
    return NewJoin(type, s_, t_, std::move(condition));
  }

  const LogicalPtr s_ = Abc("s");
  const LogicalPtr t_ = Abc("t");
};

TEST_F(JoinKeysTest, PlainColumnsAreLeftAlone) {
  const LogicalPtr join = Join(JoinType::kInner, Eq(In("tb"), In("sa")));
  EXPECT_EQ(ProjectJoinKeys(join), join);
  const JoinKeys keys = SplitJoinCondition(static_cast<const LogicalJoin&>(*join));
  EXPECT_EQ(keys.left, std::vector<int>{0});
  EXPECT_EQ(keys.right, std::vector<int>{1});
  EXPECT_TRUE(keys.residual.empty());
}

TEST_F(JoinKeysTest, ExpressionsAreComputedBelowOnce) {
  const ExprPtr sum = Op("+", In("sa"), In("sb"));
  const LogicalPtr join = Join(
      JoinType::kLeft, And({Eq(sum, In("ta")), Eq(sum, In("tb")), Op("<", In("sc"), In("tc"))}));
  EXPECT_EQ(LogicalToString(*ProjectJoinKeys(join)),
            "Project sa, sb, sc, ta, tb, tc\n"
            "  LeftJoin on (join_key = ta) AND (join_key = tb) AND (sc < tc)\n"
            "    Project sa, sb, sc, sa + sb AS join_key\n"
            "      Scan s [sa, sb, sc]\n"
            "    Scan t [ta, tb, tc]\n");
}

TEST_F(JoinKeysTest, SemiJoinsGiveTheirLeftColumnsOnly) {
  const LogicalPtr join = Join(JoinType::kSemi, Eq(Op("+", In("sa"), Lit(1)), In("ta")));
  EXPECT_EQ(ProjectJoinKeys(join)->output, s_->output);
}

TEST_F(JoinKeysTest, ConditionsWithinASideOrAgainstConstantsAreNoKeys) {
  const LogicalPtr join =
      Join(JoinType::kLeft,
           And({Eq(In("sa"), In("sb")), Eq(In("ta"), Lit(1)), Op(">", In("sa"), In("ta"))}));
  EXPECT_EQ(ProjectJoinKeys(join), join);
  EXPECT_TRUE(SplitJoinCondition(static_cast<const LogicalJoin&>(*join)).left.empty());
}

TEST_F(JoinKeysTest, NotInLooksUpConstantsToo) {
  const LogicalPtr join = Join(JoinType::kNullAwareAnti, Eq(Lit(5), In("ta")));
  const LogicalPtr projected = ProjectJoinKeys(join);
  ASSERT_EQ(projected->kind, LogicalKind::kProject);
  EXPECT_EQ(SplitJoinCondition(static_cast<const LogicalJoin&>(*projected->inputs[0])).left,
            std::vector<int>{3});
}

TEST_F(JoinKeysTest, NumbersOfDifferentScaleAreBroughtTogether) {
  const LogicalPtr n = Scan(TableOf("n", {{"na", SqlType::Numeric(10, 2)}}));
  const LogicalPtr m = Scan(TableOf("m", {{"ma", SqlType::Numeric(12, 4)}}));
  const LogicalPtr join = NewJoin(JoinType::kInner, n, m, Eq(Col(n, m, "na"), Col(n, m, "ma")));
  const LogicalPtr projected = ProjectJoinKeys(join);
  ASSERT_EQ(projected->kind, LogicalKind::kProject);
  const auto& keyed = static_cast<const LogicalJoin&>(*projected->inputs[0]);
  const JoinKeys keys = SplitJoinCondition(keyed);
  ASSERT_EQ(keys.left.size(), 1u);
  EXPECT_EQ(keyed.inputs[0]->output[keys.left[0]].type.scale, 4);
}

TEST(SameKeyTypeTest, TextsAgreeButPaddedOnesDoNot) {
  EXPECT_TRUE(SameKeyType(Text(), SqlType::Of(TypeId::kVarchar)));
  EXPECT_FALSE(SameKeyType(Text(), SqlType::Of(TypeId::kChar)));
  EXPECT_FALSE(SameKeyType(Int(), SqlType::Of(TypeId::kInt32)));
  EXPECT_FALSE(SameKeyType(SqlType::Numeric(5, 1), SqlType::Numeric(5, 2)));
  EXPECT_TRUE(SameKeyType(SqlType::Numeric(5, 2), SqlType::Numeric(9, 2)));
}

}  // namespace
}  // namespace millrace
