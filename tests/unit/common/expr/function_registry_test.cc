#include "common/expr/function_registry.h"

#include "tests/unit/common/expr/expr_builders.h"

namespace millrace {
namespace {

ExprPtr Column(TypeId id) { return MakeColumn(0, SqlType::Of(id)); }

std::string OperatorType(const char* op, ExprPtr left, ExprPtr right) {
  const auto expr = BuildOperator(op, {std::move(left), std::move(right)}, 1);
  if (!expr.ok()) return std::string(SqlStateCode(GetErrorDetail(expr.status()).state));
  return TypeName((*expr)->type);
}

TEST(BuildOperator, ChoosesTypesAsPostgres) {
  using enum TypeId;
  EXPECT_EQ(OperatorType("+", Column(kInt16), Column(kInt64)), "bigint");
  EXPECT_EQ(OperatorType("+", Column(kInt32), Column(kFloat32)), "double precision");
  EXPECT_EQ(OperatorType("+", Column(kFloat32), Column(kFloat32)), "real");
  EXPECT_EQ(OperatorType("*", Column(kInt32), Column(kNumeric)), "numeric");
  EXPECT_EQ(OperatorType("*", Column(kNumeric), Column(kFloat64)), "double precision");
  EXPECT_EQ(OperatorType("^", Column(kInt32), Column(kInt32)), "double precision");
  EXPECT_EQ(OperatorType("+", Column(kDate), Column(kInterval)), "timestamp without time zone");
  EXPECT_EQ(OperatorType("-", Column(kDate), Column(kDate)), "integer");
  EXPECT_EQ(OperatorType("-", Column(kTimestamp), Column(kTimestamp)), "interval");
  EXPECT_EQ(OperatorType("||", Column(kText), Column(kInt32)), "text");
  EXPECT_EQ(OperatorType("=", Column(kDate), Column(kTimestamp)), "boolean");
  EXPECT_EQ(OperatorType("+", Column(kInt64), Quoted("5")), "bigint");
  EXPECT_EQ(OperatorType("||", Quoted("a"), Quoted("b")), "text");
  EXPECT_EQ(OperatorType("+", Quoted("1"), Quoted("2")), "42725");
  EXPECT_EQ(OperatorType("+", Column(kText), Column(kInt32)), "42883");
  EXPECT_EQ(OperatorType("=", Column(kText), Column(kInt32)), "42883");
}

TEST(BuildOperator, KnowsScalesOfNumerics) {
  const auto a = MakeColumn(0, SqlType::Numeric(12, 2));
  const auto b = MakeColumn(1, SqlType::Numeric(10, 4));
  EXPECT_EQ(Op("+", a, b)->type, SqlType::Numeric(0, 4));
  EXPECT_EQ(Op("*", a, b)->type, SqlType::Numeric(0, 6));
  EXPECT_EQ(Op("/", a, b)->type, SqlType::Numeric(0, 16));
  EXPECT_EQ(Op("%", a, b)->type, SqlType::Numeric(0, 4));
  EXPECT_EQ(Op("*", a, Int(2))->type, SqlType::Numeric(0, 2));
  EXPECT_EQ(Fn("round", {b, Int(1)})->type, SqlType::Numeric(0, 1));
  EXPECT_EQ(Fn("round", {b})->type, SqlType::Numeric(0, 0));
  EXPECT_EQ(
      Op("*", MakeColumn(0, SqlType::Numeric(38, 30)), MakeColumn(0, SqlType::Numeric(38, 30)))
          ->type,
      SqlType::Numeric(0, 30));
  const auto plain = MakeColumn(0, SqlType::Numeric(0, kUnconstrainedNumericScale));
  EXPECT_EQ(Op("*", plain, plain)->type, SqlType::Numeric(0, kUnconstrainedNumericScale));
  EXPECT_EQ(Op("*", plain, a)->type, SqlType::Numeric(0, 18));
  EXPECT_EQ(
      Op("*", MakeColumn(0, SqlType::Numeric(18, 15)), MakeColumn(0, SqlType::Numeric(18, 15)))
          ->type,
      SqlType::Numeric(0, 30));
}

// As PostgreSQL's select_div_scale: at least 16 significant digits where the operands are known.
TEST(BuildOperator, ChoosesScaleOfConstantQuotients) {
  EXPECT_EQ(Eval(Op("/", Int(1), Number("3.0"))), "0.33333333333333333333");
  EXPECT_EQ(Eval(Op("/", Int(100), Number("3.0"))), "33.3333333333333333");
  EXPECT_EQ(Eval(Op("/", Number("12345.678"), Int(3))), "4115.2260000000000000");
  EXPECT_EQ(Eval(Op("/", Number("0"), Number("3.0"))), "0.00000000000000000000");
}

TEST(BuildOperator, RoundsProductsOfPlainNumerics) {
  const auto plain = [](const char* text) {
    return Cast(Number(text), SqlType::Numeric(0, kUnconstrainedNumericScale));
  };
  EXPECT_EQ(Eval(Op("*", plain("123456789.25"), plain("2000000.5"))).substr(0, 18),
            "246913640228394.62");
}

TEST(BuildOperator, TakesRootsOfDoubles) {
  EXPECT_EQ(Op("|/", Number("16.0"))->type, T(TypeId::kFloat64));
  EXPECT_EQ(Eval(Op("|/", Number("16.0"))), "4");
}

TEST(BuildFunctionCall, GivesNullIfTheTypeThatIsCompared) {
  EXPECT_EQ(Fn("nullif", {Null(), Int(1)})->type, T(TypeId::kInt32));
  EXPECT_TRUE(Fn("nullif", {Int(1), Number("2.0")})->type.is_numeric());
  EXPECT_EQ(Fn("nullif", {Int(1), BigInt(2)})->type, T(TypeId::kInt32));
}

TEST(BuildFunctionCall, NamesTheNearestFunction) {
  const auto unknown = BuildFunctionCall("uper", {Quoted("x")}, 1);
  EXPECT_EQ(GetErrorDetail(unknown.status()).hint, "Perhaps you meant \"upper\".");
}

TEST(BuildFunctionCall, ReportsWhatDoesNotExist) {
  const auto unknown = BuildFunctionCall("frobnicate", {Int(1), Quoted("x")}, 12);
  EXPECT_ERROR(unknown, SqlState::kUndefinedFunction,
               "function frobnicate(integer, unknown) does not exist");
  EXPECT_EQ(GetErrorDetail(unknown.status()).position, 12);
  EXPECT_THAT(GetErrorDetail(unknown.status()).hint, testing::HasSubstr("type casts"));
  EXPECT_ERROR(BuildFunctionCall("upper", {Int(1)}, 1), SqlState::kUndefinedFunction,
               "upper(integer)");
  // Operators have names inside that are no functions.
  EXPECT_ERROR(BuildFunctionCall("div_op", {Int(1), Int(1)}, 1), SqlState::kUndefinedFunction,
               "div_op");
}

TEST(BuildFunctionCall, TakesTypeNamesAsCasts) {
  const ExprPtr date = Fn("date", {Column(TypeId::kTimestamp)});
  EXPECT_EQ(date->kind, ExprKind::kCast);
  EXPECT_EQ(date->type.id, TypeId::kDate);
}

TEST(BuildCast, FoldsLiteralsAndReportsTheirPosition) {
  const ExprPtr number = Cast(Quoted("42"), T(TypeId::kInt32));
  EXPECT_EQ(number->kind, ExprKind::kLiteral);
  const auto bad = BuildCast(Quoted("x"), T(TypeId::kInt32), CastContext::kExplicit, 9);
  EXPECT_ERROR(bad, SqlState::kInvalidTextRepresentation, "integer: \"x\"");
  EXPECT_EQ(GetErrorDetail(bad.status()).position, 9);
  EXPECT_EQ(Cast(Quoted("1.50"), SqlType::Numeric(0, 16))->type, SqlType::Numeric(0, 2));
  EXPECT_EQ(Cast(Null(), T(TypeId::kDate))->type.id, TypeId::kDate);
}

TEST(BuildCast, KnowsContexts) {
  const ExprPtr text = Column(TypeId::kText);
  const SqlType integer = T(TypeId::kInt32);
  EXPECT_ERROR(BuildCast(text, integer, CastContext::kAssignment, 1), SqlState::kCannotCoerce,
               "text");
  ASSERT_OK(BuildCast(text, integer, CastContext::kExplicit, 1));
  EXPECT_ERROR(BuildCast(Column(TypeId::kInt64), integer, CastContext::kImplicit, 1),
               SqlState::kCannotCoerce, "bigint to integer");
  ASSERT_OK(BuildCast(Column(TypeId::kInt64), integer, CastContext::kAssignment, 1));
  ASSERT_OK(BuildCast(Column(TypeId::kDate), T(TypeId::kText), CastContext::kAssignment, 1));
  EXPECT_ERROR(BuildCast(Column(TypeId::kBoolean), T(TypeId::kDate), CastContext::kExplicit, 1),
               SqlState::kCannotCoerce, "cannot cast type boolean to date");
}

TEST(BuildCast, ChecksLengthsOnAssignmentOnly) {
  const SqlType two{TypeId::kVarchar, 2, 0};
  EXPECT_EQ(Eval(Cast(Quoted("abc"), two)), "ab");
  EXPECT_ERROR(BuildCast(Quoted("abc"), two, CastContext::kAssignment, 1),
               SqlState::kStringDataRightTruncation, "character varying(2)");
  const auto blanks = BuildCast(Quoted("ab   "), two, CastContext::kAssignment, 1);
  ASSERT_OK(blanks);
  EXPECT_EQ(Eval(*blanks), "ab");
  const auto number = BuildCast(Int(123), two, CastContext::kAssignment, 1);
  EXPECT_ERROR(number, SqlState::kStringDataRightTruncation, "too long");
}

TEST(CommonType, FollowsPostgres) {
  using enum TypeId;
  const auto common = [](std::vector<ExprPtr> exprs) {
    const auto type = CommonType(exprs, "UNION", 3);
    return type.ok() ? TypeName(*type)
                     : std::string(SqlStateCode(GetErrorDetail(type.status()).state));
  };
  EXPECT_EQ(common({Int(1), BigInt(2)}), "bigint");
  EXPECT_EQ(common({Null(), Null()}), "text");
  EXPECT_EQ(common({Quoted("x"), Int(1)}), "integer");
  EXPECT_EQ(common({Column(kDate), Column(kTimestampTz)}), "timestamp with time zone");
  EXPECT_EQ(common({Int(1), Real(2)}), "double precision");
  EXPECT_EQ(common({Int(1), Column(kText)}), "42804");
  const SqlType price = SqlType::Numeric(12, 2);
  EXPECT_EQ(*CommonType({MakeColumn(0, price), MakeColumn(1, price)}, "CASE", 0), price);
  EXPECT_EQ(*CommonType({MakeColumn(0, price), Number("1.2345")}, "CASE", 0),
            SqlType::Numeric(0, 4));
}

TEST(ResolveAggregate, GivesPostgresTypes) {
  const auto type = [](const char* name, ExprPtr arg) {
    const auto resolved = ResolveAggregate(name, {std::move(arg)}, 1);
    return resolved.ok() ? TypeName(resolved->type)
                         : std::string(SqlStateCode(GetErrorDetail(resolved.status()).state));
  };
  EXPECT_EQ(type("sum", Column(TypeId::kInt16)), "bigint");
  EXPECT_EQ(type("sum", Column(TypeId::kInt32)), "bigint");
  EXPECT_EQ(type("sum", Column(TypeId::kInt64)), "numeric");
  EXPECT_EQ(type("sum", Column(TypeId::kFloat32)), "real");
  EXPECT_EQ(type("avg", Column(TypeId::kInt32)), "numeric");
  EXPECT_EQ(type("avg", Column(TypeId::kFloat32)), "double precision");
  EXPECT_EQ(type("min", Column(TypeId::kVarchar)), "text");
  EXPECT_EQ(type("stddev", Column(TypeId::kFloat64)), "double precision");
  EXPECT_EQ(type("count", Column(TypeId::kUuid)), "bigint");
  EXPECT_EQ(type("sum", Column(TypeId::kText)), "42883");
  EXPECT_EQ(type("bool_and", Column(TypeId::kInt32)), "42883");
  EXPECT_EQ(ResolveAggregate("avg", {MakeColumn(0, SqlType::Numeric(38, 20))}, 0)->type.scale, 20);
  EXPECT_EQ(ResolveAggregate("sum", {MakeColumn(0, SqlType::Numeric(12, 2))}, 0)->type.scale, 2);
  EXPECT_EQ(ResolveAggregate("count", {}, 0)->function, AggregateFunction::kCountStar);
}

TEST(ResolveRanking, GivesPostgresTypes) {
  EXPECT_EQ(ResolveRanking("row_number", {}, 0)->type.id, TypeId::kInt64);
  EXPECT_EQ(ResolveRanking("ntile", {Int(4)}, 0)->type.id, TypeId::kInt32);
  EXPECT_EQ(ResolveRanking("percent_rank", {}, 0)->type.id, TypeId::kFloat64);
  const auto lag = ResolveRanking("lag", {Column(TypeId::kInt32), Int(2), BigInt(0)}, 0);
  ASSERT_OK(lag);
  EXPECT_EQ(lag->type.id, TypeId::kInt64);
  EXPECT_ERROR(ResolveRanking("rank", {Int(1)}, 0), SqlState::kUndefinedFunction, "rank(integer)");
  EXPECT_ERROR(ResolveRanking("ntile", {}, 0), SqlState::kUndefinedFunction, "ntile()");
}

TEST(ResolveTypeName, KnowsNamesAndModifiers) {
  EXPECT_EQ(*ResolveTypeName("numeric", {12, 2}), SqlType::Numeric(12, 2));
  EXPECT_EQ(*ResolveTypeName("numeric", {}), SqlType::Numeric(0, kUnconstrainedNumericScale));
  EXPECT_EQ(*ResolveTypeName("varchar", {5}), (SqlType{TypeId::kVarchar, 5, 0}));
  EXPECT_EQ(*ResolveTypeName("character", {}), (SqlType{TypeId::kChar, 1, 0}));
  EXPECT_EQ(ResolveTypeName("FLOAT", {10})->id, TypeId::kFloat32);
  EXPECT_ERROR(ResolveTypeName("nope", {}), SqlState::kUndefinedObject, "\"nope\"");
  EXPECT_ERROR(ResolveTypeName("numeric", {50, 2}), SqlState::kFeatureNotSupported, "50");
  EXPECT_ERROR(ResolveTypeName("numeric", {0}), SqlState::kInvalidParameterValue, "0");
}

TEST(BuildAnd, RefusesWhatIsNotBoolean) {
  EXPECT_ERROR(BuildAnd({MakeBoolean(true), Int(1)}, 4), SqlState::kDatatypeMismatch,
               "argument of AND must be type boolean, not type integer");
  ASSERT_OK(BuildAnd({MakeBoolean(true), Quoted("f")}, 4));
}

TEST(ListFunctions, DescribesEachWithoutOperators) {
  const auto list = ListFunctions();
  EXPECT_GT(list.size(), 150U);
  for (const auto& function : list) {
    EXPECT_FALSE(function.description.empty()) << function.name;
    EXPECT_NE(function.name, "add");
  }
}

}  // namespace
}  // namespace millrace
