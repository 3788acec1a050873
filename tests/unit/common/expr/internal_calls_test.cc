#include "common/expr/internal_calls.h"

#include "tests/unit/common/expr/expr_builders.h"

namespace millrace {
namespace {

ExprPtr IntervalText(const char* text) { return Cast(Quoted(text), T(TypeId::kInterval)); }

TEST(InternalCallsTest, RefusesNullsWithBothNames) {
  EXPECT_EQ(Eval(BuildNotNullCheck(Int(5), "a", "t", 0)), "5");
  const ExprPtr null = MakeLiteral(Value::Null(T(TypeId::kInt32)));
  EXPECT_ERROR(EvaluateConstant(*BuildNotNullCheck(null, "a", "t", 7)), SqlState::kNotNullViolation,
               "null value in column \"a\" of relation \"t\" violates not-null constraint");
}

TEST(InternalCallsTest, RefusesSecondRowOfSubquery) {
  const ExprPtr no_count = MakeLiteral(Value::Null(T(TypeId::kInt64)));
  EXPECT_EQ(Eval(BuildSingleRowCheck(Text("x"), BigInt(1), 0)), "x");
  EXPECT_EQ(Eval(BuildSingleRowCheck(Text("x"), no_count, 0)), "x");
  EXPECT_EQ(Eval(BuildSingleRowCheck(Text("x"), BigInt(2), 0)), "ERROR 21000");
}

TEST(InternalCallsTest, MeasuresIntervalsOfEqualLengthAlike) {
  EXPECT_EQ(Eval(BuildIntervalSpan(IntervalText("1 day"))), "86400000000");
  EXPECT_EQ(Eval(BuildIntervalSpan(IntervalText("24:00:00"))), "86400000000");
  EXPECT_EQ(Eval(BuildIntervalSpan(IntervalText("1 mon"))),
            Eval(BuildIntervalSpan(IntervalText("30 days"))));
  EXPECT_EQ(Eval(BuildIntervalSpan(IntervalText("-2147483647 mons"))), "-5566277613024000000000");
}

TEST(InternalCallsTest, CannotBeNamedByUsers) {
  EXPECT_ERROR(BuildFunctionCall("interval_span", {IntervalText("1 day")}, 1),
               SqlState::kUndefinedFunction, "does not exist");
  EXPECT_ERROR(BuildFunctionCall("require_not_null", {Int(1), Text("a"), Text("b")}, 1),
               SqlState::kUndefinedFunction, "does not exist");
}

}  // namespace
}  // namespace millrace
