#include "common/expr/expr.h"

#include "millrace/v1/expr.pb.h"
#include "tests/unit/common/expr/expr_builders.h"

namespace millrace {
namespace {

const Schema kInput = {{"price", SqlType::Numeric(12, 2)}, {"name", SqlType::Of(TypeId::kText)}};

ExprPtr Price() { return MakeColumn(0, kInput[0].type); }
ExprPtr Name() { return MakeColumn(1, kInput[1].type); }

ExprPtr SampleExpr() {
  const ExprPtr cheap = Op("<", Price(), Int(10));
  return Unwrap(BuildCase({cheap}, {Fn("upper", {Name()})}, Quoted("x"), 7));
}

TEST(Expr, SurvivesProto) {
  v1::Expr proto;
  ToProto(*SampleExpr(), &proto);
  const auto back = FromProto(proto);
  ASSERT_OK(back);
  EXPECT_TRUE(SameExpr(**back, *SampleExpr()));
  EXPECT_EQ((*back)->position, 7);
}

TEST(Expr, RefusesMalformedProto) {
  EXPECT_ERROR(FromProto(v1::Expr()), SqlState::kProtocolViolation, "empty node");
  v1::Expr deep;
  v1::Expr* node = &deep;
  for (int i = 0; i < 5000; ++i) node = node->mutable_call()->add_args();
  EXPECT_ERROR(FromProto(deep), SqlState::kStatementTooComplex, "nested too deeply");
}

TEST(Expr, PrintsAsSql) {
  EXPECT_EQ(ExprToString(*Op(">", Op("*", Price(), Int(2)), Number("1.5")), kInput),
            "(price * 2) > 1.5");
  EXPECT_EQ(ExprToString(*SampleExpr(), kInput),
            "CASE WHEN price < 10 THEN upper(name) ELSE 'x' END");
  const ExprPtr in = Unwrap(BuildInList(Name(), {Quoted("a"), Quoted("b'c")}, true, 0));
  EXPECT_EQ(ExprToString(*in, kInput), "NOT (name IN ('a', 'b''c'))");
  EXPECT_EQ(ExprToString(*Unwrap(BuildIsTest("not_null", Name(), 0)), kInput), "name IS NOT NULL");
  EXPECT_EQ(ExprToString(*Cast(Price(), SqlType::Of(TypeId::kInt32)), kInput), "price::integer");
}

TEST(Expr, SplitsAndJoinsConjunctions) {
  const ExprPtr a = Op("<", Price(), Int(1));
  const ExprPtr b = Op("=", Name(), Quoted("x"));
  const ExprPtr all = Unwrap(BuildAnd({a, Unwrap(BuildAnd({b, a}, 0))}, 0));
  EXPECT_EQ(SplitConjunction(all).size(), 3U);
  EXPECT_TRUE(SameExpr(*MakeConjunction(SplitConjunction(all)), *all));
  EXPECT_EQ(MakeConjunction({}), nullptr);
  EXPECT_EQ(SplitConjunction(nullptr).size(), 0U);
}

TEST(Expr, ReplacesColumns) {
  const ExprPtr expr = Op("*", Price(), Int(2));
  const ExprPtr moved = RemapColumns(expr, {3, 0});
  EXPECT_EQ(moved->args[0]->column_index, 3);
  const ExprPtr replaced = ReplaceColumns(expr, {Number("1.50"), Name()});
  EXPECT_EQ(Eval(replaced), "3.00");
  // What holds no column is shared.
  EXPECT_EQ(replaced->args[1], expr->args[1]);
}

TEST(Expr, KnowsConstants) {
  EXPECT_TRUE(IsConstant(*Op("+", Int(1), Int(2))));
  EXPECT_FALSE(IsConstant(*Op("+", Price(), Int(2))));
  EXPECT_FALSE(IsConstant(*Fn("now", {})));
  EXPECT_FALSE(IsConstant(*Cast(Fn("now", {}), SqlType::Of(TypeId::kDate))));
}

}  // namespace
}  // namespace millrace
