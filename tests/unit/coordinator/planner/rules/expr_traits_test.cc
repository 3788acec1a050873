#include "coordinator/planner/rules/expr_traits.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

ExprPtr A() { return MakeColumn(0, Int()); }
ExprPtr B() { return MakeColumn(1, Int()); }
ExprPtr S() { return MakeColumn(2, Text()); }

ExprPtr CastTo(ExprPtr expr, TypeId type) {
  return BuildCast(std::move(expr), SqlType::Of(type), CastContext::kExplicit, 0).value();
}

TEST(ExprTraitsTest, ComparisonsNeverFail) {
  EXPECT_EQ(FailureOf(*Op("<", A(), B())), Failure::kNever);
  EXPECT_EQ(FailureOf(*And({Eq(A(), Lit(1)), IsTest("null", B())})), Failure::kNever);
  EXPECT_EQ(FailureOf(*Op("~~", S(), Lit("a%"))), Failure::kNever);
}

TEST(ExprTraitsTest, ArithmeticFailsAtTheEndOfItsRange) {
  EXPECT_EQ(FailureOf(*Op("+", A(), B())), Failure::kOverflow);
  EXPECT_EQ(FailureOf(*Op("/", A(), Lit(2))), Failure::kOverflow);
}

TEST(ExprTraitsTest, DivisionAndCastsFromTextFailOnData) {
  EXPECT_EQ(FailureOf(*Op("/", A(), B())), Failure::kData);
  EXPECT_EQ(FailureOf(*Op("/", A(), Lit(0))), Failure::kData);
  EXPECT_EQ(FailureOf(*CastTo(S(), TypeId::kInt64)), Failure::kData);
  EXPECT_EQ(FailureOf(*CastTo(A(), TypeId::kText)), Failure::kNever);
}

TEST(ExprTraitsTest, SubstringFailsForNegativeLengthsOnly) {
  const auto one = [](int64_t value) { return MakeLiteral(Value{Int4(), value}); };
  EXPECT_EQ(FailureOf(*Call("substring", {S(), one(1), one(2)})), Failure::kNever);
  EXPECT_EQ(FailureOf(*Call("substring", {S(), one(1), CastTo(A(), TypeId::kInt32)})),
            Failure::kData);
}

TEST(ExprTraitsTest, RandomIsVolatileNowIsNot) {
  EXPECT_TRUE(IsVolatile(*Op("<", Random(), Random())));
  EXPECT_FALSE(IsVolatile(*IsTest("null", Call("now", {}))));
}

TEST(ExprTraitsTest, StrictExpressionsRejectNulls) {
  EXPECT_EQ(ColumnsNotNullIfTrue(*Op("<", Op("+", A(), B()), Lit(1))), (std::set<int>{0, 1}));
  EXPECT_EQ(ColumnsNotNullIfTrue(*IsTest("not_null", A())), (std::set<int>{0}));
  EXPECT_EQ(ColumnsNotNullIfTrue(*BuildNot(Eq(A(), Lit(1)), 0).value()), (std::set<int>{0}));
  EXPECT_EQ(ColumnsNotNullIfTrue(*BuildInList(A(), {Lit(1), B()}, false, 0).value()),
            (std::set<int>{0}));
}

TEST(ExprTraitsTest, TestsForNullDoNotRejectIt) {
  EXPECT_TRUE(ColumnsNotNullIfTrue(*IsTest("null", A())).empty());
  EXPECT_TRUE(ColumnsNotNullIfTrue(*Eq(Call("coalesce", {A(), Lit(1)}), Lit(1))).empty());
  EXPECT_TRUE(ColumnsNotNullIfTrue(*BuildIsDistinct(A(), Lit(1), false, 0).value()).empty());
  EXPECT_TRUE(ColumnsNotNullIfTrue(*IsTest("not_true", Eq(A(), Lit(1)))).empty());
}

TEST(ExprTraitsTest, AnOrRejectsWhatAllItsBranchesReject) {
  const ExprPtr both = Or({Eq(A(), B()), Eq(A(), Lit(2))});
  EXPECT_EQ(ColumnsNotNullIfTrue(*both), (std::set<int>{0}));
  EXPECT_EQ(ColumnsNotNullIfTrue(*And({Eq(A(), Lit(1)), Eq(B(), Lit(2))})), (std::set<int>{0, 1}));
}

}  // namespace
}  // namespace millrace
