#include "coordinator/planner/rules/constant_folding.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

class ConstantFoldingTest : public ::testing::Test {
 protected:
  std::string Folded(const ExprPtr& expr) {
    return ExprToString(*FoldConstantsInExpr(expr), s_->output);
  }
  ExprPtr A() { return Col(s_, "sa"); }
  // A constant that fails when it is evaluated.
  ExprPtr Failing() { return Op("/", Lit(1), Lit(0)); }

  const LogicalPtr s_ = Abc("s");
};

TEST_F(ConstantFoldingTest, ComputesConstants) {
  EXPECT_EQ(Folded(Op("+", A(), Op("*", Lit(2), Lit(3)))), "sa + 6");
}

TEST_F(ConstantFoldingTest, LeavesErrorsToTheRowsThatReachThem) {
  const ExprPtr guarded = BuildCase({Op(">", A(), Lit(0))}, {Lit(1)}, Failing(), 0).value();
  EXPECT_EQ(FoldConstantsInExpr(guarded)->kind, ExprKind::kCase);
  EXPECT_EQ(Folded(Eq(A(), Failing())), "sa = (1 / 0)");
}

TEST_F(ConstantFoldingTest, BranchesThatAreNeverTakenGo) {
  const ExprPtr never = BuildCase({MakeBoolean(false)}, {Failing()}, A(), 0).value();
  EXPECT_EQ(Folded(never), "sa");
  const ExprPtr always = BuildCase({MakeBoolean(true)}, {A()}, Failing(), 0).value();
  EXPECT_EQ(Folded(always), "sa");
}

TEST_F(ConstantFoldingTest, LogicShrinks) {
  const ExprPtr test = Op(">", A(), Lit(1));
  EXPECT_EQ(Folded(And({MakeBoolean(true), test})), "sa > 1");
  EXPECT_EQ(Folded(And({test, MakeBoolean(false)})), Folded(MakeBoolean(false)));
  EXPECT_EQ(Folded(Or({test, MakeBoolean(true)})), Folded(MakeBoolean(true)));
  EXPECT_EQ(Folded(And({test, Null(Bool())})), "(sa > 1) AND NULL");
}

TEST_F(ConstantFoldingTest, CoalesceEndsAtItsFirstConstant) {
  EXPECT_EQ(Folded(Call("coalesce", {Null(Int()), A()})), "sa");
  EXPECT_EQ(Folded(Call("coalesce", {Lit(1), A()})), "1");
}

TEST_F(ConstantFoldingTest, FiltersThatAreConstantGo) {
  EXPECT_EQ(FoldConstants(NewFilter(s_, Eq(Lit(1), Lit(1))))->kind, LogicalKind::kScan);
  const LogicalPtr none = FoldConstants(NewFilter(s_, Eq(Lit(1), Lit(2))));
  EXPECT_EQ(LogicalToString(*none), "Values [sa, sb, sc] \n");
  EXPECT_EQ(FoldConstants(NewFilter(s_, Null(Bool())))->kind, LogicalKind::kValues);
}

TEST_F(ConstantFoldingTest, ASelectWithoutFromBecomesItsValues) {
  const LogicalPtr select = NewProject(NewOneRow(), {Op("+", Lit(1), Lit(2))}, {"x"});
  EXPECT_EQ(LogicalToString(*FoldConstants(select)), "Values [x] (3)\n");
}

TEST_F(ConstantFoldingTest, AJoinWithTheBareRowIsTheOtherSide) {
  const LogicalPtr join = NewJoin(JoinType::kInner, NewOneRow(), s_, nullptr);
  EXPECT_EQ(FoldConstants(join)->kind, LogicalKind::kScan);
  const LogicalPtr outer = NewJoin(JoinType::kLeft, NewOneRow(), s_, nullptr);
  EXPECT_EQ(FoldConstants(outer)->kind, LogicalKind::kJoin);
}

}  // namespace
}  // namespace millrace
