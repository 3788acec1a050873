#include "common/expr/evaluator.h"

#include "arrow/util/bit_util.h"
#include "tests/unit/common/expr/expr_builders.h"
#include "tests/unit/common/expr/test_batch.h"

namespace millrace {
namespace {

const Schema kSchema = {{"a", SqlType::Of(TypeId::kInt32)},
                        {"b", SqlType::Of(TypeId::kInt32)},
                        {"s", SqlType::Of(TypeId::kText)},
                        {"p", SqlType::Numeric(12, 2)},
                        {"f", SqlType::Of(TypeId::kBoolean)}};

ExprPtr Column(int i) { return MakeColumn(i, kSchema[i].type, 10 + i); }
const ExprPtr kA = Column(0);
const ExprPtr kB = Column(1);
const ExprPtr kS = Column(2);
const ExprPtr kP = Column(3);
const ExprPtr kF = Column(4);

Batch Sample() {
  return MakeBatch({Int32s({1, 2, std::nullopt, 4, 5}), Int32s({0, 2, 3, std::nullopt, 10}),
                    Texts({"x", "yy", "x", std::nullopt, "zz"}),
                    Decimals({100, 250, -1, std::nullopt, 99999}, 2),
                    Bools({true, false, std::nullopt, true, false})});
}

std::string On(const ExprPtr& expr) { return EvalOn(expr, kSchema, Sample()); }

TEST(Evaluator, ComputesWithNulls) {
  EXPECT_EQ(On(Op("+", kA, kB)), "1 4 NULL NULL 15");
  EXPECT_EQ(On(Op("*", kP, Int(2))), "2.00 5.00 -0.02 NULL 1999.98");
  EXPECT_EQ(On(Op("*", kP, kP)), "1.0000 6.2500 0.0001 NULL 999980.0001");
  EXPECT_EQ(On(Op("-", Int(1), kP)), "0.00 -1.50 1.01 NULL -998.99");
  EXPECT_EQ(On(Op("<", kA, kB)), "f f NULL NULL t");
  EXPECT_EQ(On(Op("=", kP, Number("2.5"))), "f t f NULL f");
  EXPECT_EQ(On(Op(">", kP, Number("0.005"))), "t t f NULL t");
  EXPECT_EQ(On(Op("+", kA, Null())), "NULL NULL NULL NULL NULL");
}

TEST(Evaluator, ReportsTheFirstErrorWithItsPosition) {
  const auto division = BuildOperator("/", {kA, kB}, 33);
  auto evaluator = Evaluator::Create({*division}, kSchema, EvalContext());
  ASSERT_OK(evaluator);
  const auto result = (*evaluator)->Evaluate(Sample());
  EXPECT_ERROR(result, SqlState::kDivisionByZero, "division by zero");
  EXPECT_EQ(GetErrorDetail(result.status()).position, 33);
  // Where a NULL makes the row NULL, there is no error.
  EXPECT_EQ(EvalOn(*division, kSchema, Sample().Slice(1, 4)), "1 NULL NULL 0");
}

TEST(Evaluator, FindsOverflowOnlyInRowsThatAreNotNull) {
  const Schema schema = {{"a", SqlType::Of(TypeId::kInt32)}, {"b", SqlType::Of(TypeId::kInt32)}};
  const ExprPtr sum = Op("+", MakeColumn(0, schema[0].type), MakeColumn(1, schema[1].type));
  const int32_t max = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(EvalOn(sum, schema, MakeBatch({Int32s({max, 1}), Int32s({std::nullopt, 1})})),
            "NULL 2");
  EXPECT_EQ(EvalOn(sum, schema, MakeBatch({Int32s({max, 1}), Int32s({1, 1})})), "ERROR 22003");
}

TEST(Evaluator, AndOrFollowKleene) {
  const Schema schema = {{"x", SqlType::Of(TypeId::kBoolean)},
                         {"y", SqlType::Of(TypeId::kBoolean)}};
  const auto n = std::nullopt;
  const Batch batch = MakeBatch({Bools({true, true, true, false, false, false, n, n, n}),
                                 Bools({true, false, n, true, false, n, true, false, n})});
  const ExprPtr x = MakeColumn(0, schema[0].type);
  const ExprPtr y = MakeColumn(1, schema[1].type);
  EXPECT_EQ(EvalOn(Unwrap(BuildAnd({x, y}, 0)), schema, batch), "t f NULL f f f NULL f NULL");
  EXPECT_EQ(EvalOn(Unwrap(BuildOr({x, y}, 0)), schema, batch), "t t t t f NULL t NULL NULL");
  EXPECT_EQ(EvalOn(Unwrap(BuildNot(x, 0)), schema, batch), "f f f t t t NULL NULL NULL");
  EXPECT_EQ(EvalOn(Unwrap(BuildIsTest("not_true", x, 0)), schema, batch), "f f f t t t t t t");
  EXPECT_EQ(EvalOn(Unwrap(BuildIsTest("false", x, 0)), schema, batch), "f f f t t t f f f");
  EXPECT_EQ(EvalOn(Unwrap(BuildIsDistinct(x, y, false, 0)), schema, batch), "f t t t f t t t f");
}

TEST(Evaluator, CompilesLongListsInLinearTime) {
  // With a search through all expressions for each one, this would take minutes.
  std::vector<ExprPtr> equal;
  std::vector<ExprPtr> items;
  for (int i = 0; i < 60'000; ++i) {
    equal.push_back(Op("=", kA, Int(i + 2)));
    items.push_back(Int(i + 2));
  }
  EXPECT_EQ(On(Unwrap(BuildOr(std::move(equal), 0))), "f t NULL t t");
  EXPECT_EQ(On(Unwrap(BuildInList(kA, std::move(items), false, 0))), "f t NULL t t");
}

TEST(Evaluator, IsLazy) {
  const ExprPtr quotient = Op("/", kA, kB);
  const ExprPtr nonzero = Op("<>", kB, Int(0));
  EXPECT_EQ(On(Unwrap(BuildCase({nonzero}, {quotient}, Int(-1), 0))), "-1 1 NULL -1 0");
  EXPECT_EQ(On(Unwrap(BuildAnd({nonzero, Op(">", quotient, Int(0))}, 0))), "f t NULL NULL f");
  const ExprPtr zero = Op("=", kB, Int(0));
  EXPECT_EQ(On(Unwrap(BuildOr({zero, Op(">", quotient, Int(0))}, 0))), "t t NULL NULL f");
  EXPECT_EQ(On(Fn("coalesce", {kA, Op("/", Int(1), Int(0))})), "ERROR 22012");
  EXPECT_EQ(On(Fn("coalesce", {kA, Op("/", Int(6), kB)})), "1 2 2 4 5");
  EXPECT_EQ(On(Unwrap(BuildCase({MakeBoolean(false)}, {Op("/", Int(1), Int(0))}, kA, 0))),
            "1 2 NULL 4 5");
}

TEST(Evaluator, LazyBranchesMayBeCostly) {
  // A cast of text is too costly to try on all rows.
  const Schema schema = {{"s", SqlType::Of(TypeId::kText)}};
  const ExprPtr s = MakeColumn(0, schema[0].type);
  const ExprPtr is_number = Op("~", s, Quoted("^[0-9]+$"));
  const ExprPtr number = Cast(s, SqlType::Of(TypeId::kInt32));
  const ExprPtr expr = Unwrap(BuildCase({is_number}, {number}, Int(-1), 0));
  const Batch batch = MakeBatch({Texts({"1", "x", std::nullopt, "22", "y", "333"})});
  EXPECT_EQ(EvalOn(expr, schema, batch), "1 -1 -1 22 -1 333");
  EXPECT_EQ(EvalOn(expr, schema, batch.Slice(1, 4)), "-1 -1 22 -1");
}

TEST(Evaluator, ChoosesTextAndNulls) {
  const ExprPtr text = Unwrap(BuildCase({Op("=", kA, Int(1)), Op("=", kA, Int(5))},
                                        {Quoted("one"), Fn("upper", {kS})}, nullptr, 0));
  EXPECT_EQ(On(text), "one NULL NULL NULL ZZ");
  EXPECT_EQ(On(Fn("nullif", {kS, Quoted("x")})), "NULL yy NULL NULL zz");
  EXPECT_EQ(On(Fn("greatest", {kA, kB})), "1 2 3 4 10");
  EXPECT_EQ(On(Fn("least", {kA, kB, Int(3)})), "0 2 3 3 3");
  EXPECT_EQ(On(Fn("coalesce", {kP, Int(0)})), "1.00 2.50 -0.01 0.00 999.99");
}

TEST(Evaluator, InListKnowsNulls) {
  EXPECT_EQ(On(Unwrap(BuildInList(kA, {Int(1), Int(4)}, false, 0))), "t f NULL t f");
  EXPECT_EQ(On(Unwrap(BuildInList(kA, {Int(1), Int(4)}, true, 0))), "f t NULL f t");
  EXPECT_EQ(On(Unwrap(BuildInList(kA, {Int(1), Null()}, false, 0))), "t NULL NULL NULL NULL");
  EXPECT_EQ(On(Unwrap(BuildInList(kA, {Int(1), kB}, false, 0))), "t t NULL NULL f");
  EXPECT_EQ(On(Unwrap(BuildInList(kP, {Number("2.500"), Int(1)}, false, 0))), "t t f NULL f");
  std::vector<ExprPtr> many;
  for (int i = 0; i < 50; ++i) many.push_back(Quoted("k" + std::to_string(i)));
  many.push_back(Quoted("yy"));
  EXPECT_EQ(On(Unwrap(BuildInList(kS, many, false, 0))), "f t f NULL f");
}

TEST(Evaluator, TreatsDictionariesAsText) {
  Batch batch = Sample();
  std::vector<ArrayPtr> columns = batch.columns();
  columns[2] = Dictionary(columns[2]);
  const Batch encoded(columns, batch.num_rows());
  const ExprPtr exprs[] = {
      kS,
      Op("=", kS, Quoted("x")),
      Op("<", kS, Quoted("y")),
      Op("~~", kS, Quoted("%y%")),
      Op("||", kS, Quoted("!")),
      Fn("upper", {kS}),
      Fn("length", {kS}),
      Op("=", kS, kS),
      Unwrap(BuildInList(kS, {Quoted("x"), Quoted("zz")}, false, 0)),
      Unwrap(BuildInList(kS, {Quoted("x"), Null()}, false, 0)),
      Unwrap(BuildIsTest("null", kS, 0)),
      Fn("coalesce", {kS, Quoted("?")}),
      Fn("concat", {kS, Quoted("-"), kA}),
      Unwrap(BuildCase({Op("=", kA, Int(1))}, {kS}, Quoted("other"), 0)),
  };
  for (const ExprPtr& expr : exprs) {
    SCOPED_TRACE(ExprToString(*expr, kSchema));
    EXPECT_EQ(EvalOn(expr, kSchema, encoded), EvalOn(expr, kSchema, batch));
    EXPECT_EQ(EvalOn(expr, kSchema, encoded.Slice(1, 3)), EvalOn(expr, kSchema, batch.Slice(1, 3)));
  }
}

TEST(Evaluator, SpreadsConstants) {
  EXPECT_EQ(On(Int(7)), "7 7 7 7 7");
  EXPECT_EQ(On(Op("+", Int(1), Int(2))), "3 3 3 3 3");
  EXPECT_EQ(On(Cast(Null(), T(TypeId::kText))), "NULL NULL NULL NULL NULL");
}

TEST(Evaluator, HasNoErrorsOnNoRows) {
  const auto evaluator = Evaluator::Create({Op("/", Int(1), Int(0)), kA}, kSchema, EvalContext());
  ASSERT_OK(evaluator);
  const auto arrays = (*evaluator)->Evaluate(Sample().Slice(0, 0));
  ASSERT_OK(arrays);
  EXPECT_EQ((*arrays)[0]->length(), 0);
  EXPECT_EQ((*arrays)[1]->length(), 0);
}

TEST(Evaluator, PassesColumnsThrough) {
  const Batch batch = Sample();
  auto evaluator = Evaluator::Create({kS, kA}, kSchema, EvalContext());
  ASSERT_OK(evaluator);
  const auto arrays = (*evaluator)->Evaluate(batch);
  ASSERT_OK(arrays);
  EXPECT_EQ((*arrays)[0], batch.column(2));
  EXPECT_EQ((*arrays)[1], batch.column(0));
}

TEST(Evaluator, RefusesUnknownFunctionsAndColumns) {
  auto call = std::make_shared<Expr>(*Op("+", kA, kB));
  call->function = "add(money,money)";
  EXPECT_ERROR(Evaluator::Create({call}, kSchema, EvalContext()), SqlState::kUndefinedFunction,
               "add(money,money)");
  EXPECT_ERROR(
      Evaluator::Create({MakeColumn(9, SqlType::Of(TypeId::kInt32))}, kSchema, EvalContext()),
      SqlState::kInternalError, "column 9");
}

TEST(Evaluator, UsesTheStatementsTime) {
  EvalContext context;
  context.statement_time_micros = 1'000'000;
  context.zone_offset_seconds = 7200;
  const ExprPtr now = Fn("now", {});
  const ExprPtr local = Cast(now, SqlType::Of(TypeId::kTimestamp));
  auto evaluator = Evaluator::Create({now, local, Cast(now, T(TypeId::kText))}, {}, context);
  ASSERT_OK(evaluator);
  const auto arrays = (*evaluator)->Evaluate(Batch({}, 1));
  ASSERT_OK(arrays);
  EXPECT_EQ(ColumnText(*(*arrays)[0], now->type), "1970-01-01 00:00:01+00");
  EXPECT_EQ(ColumnText(*(*arrays)[1], local->type), "1970-01-01 02:00:01");
  EXPECT_EQ(ColumnText(*(*arrays)[2], T(TypeId::kText)), "1970-01-01 02:00:01+02");
}

std::vector<int32_t> Selected(const ExprPtr& expr, const Batch& batch) {
  auto evaluator = Evaluator::Create({expr}, kSchema, EvalContext());
  EXPECT_TRUE(evaluator.ok());
  std::vector<int32_t> rows = {-1};
  EXPECT_TRUE((*evaluator)->Select(batch, &rows).ok());
  return rows;
}

TEST(Select, KeepsRowsThatAreTrue) {
  using testing::ElementsAre;
  EXPECT_THAT(Selected(kF, Sample()), ElementsAre(0, 3));
  EXPECT_THAT(Selected(Op(">", kA, Int(1)), Sample()), ElementsAre(1, 3, 4));
  EXPECT_THAT(Selected(MakeBoolean(true), Sample()), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(Selected(Cast(Null(), T(TypeId::kBoolean)), Sample()), ElementsAre());
  EXPECT_THAT(Selected(kF, Sample().Slice(2, 0)), ElementsAre());
}

TEST(Select, EvaluatesConjunctsOnTheRowsThatAreLeft) {
  const ExprPtr guard = Op("<>", kB, Int(0));
  const ExprPtr costly = Op("=", Fn("repeat", {kS, Op("/", Int(2), kB)}), Quoted("yy"));
  const ExprPtr both = Unwrap(BuildAnd({guard, costly, Op("=", Op("/", kA, kB), Int(1))}, 0));
  EXPECT_THAT(Selected(both, Sample()), testing::ElementsAre(1));
  auto evaluator = Evaluator::Create({costly}, kSchema, EvalContext());
  std::vector<int32_t> rows;
  EXPECT_ERROR((*evaluator)->Select(Sample(), &rows), SqlState::kDivisionByZero, "zero");
}

TEST(TakeRows, GathersEveryColumnAndWeights) {
  Batch batch = Sample();
  std::vector<ArrayPtr> columns = batch.columns();
  columns.push_back(Dictionary(columns[2]));
  const auto weights = std::static_pointer_cast<arrow::Int64Array>(Int64s({1, -1, 2, 3, 4}));
  batch = Batch(columns, 5, weights);
  const int32_t indices[] = {4, 0, 0, 3};
  const auto taken = TakeRows(batch, indices, 4);
  ASSERT_OK(taken);
  EXPECT_EQ(ColumnText(*taken->column(0), kSchema[0].type), "5 1 1 4");
  EXPECT_EQ(ColumnText(*taken->column(2), kSchema[2].type), "zz x x NULL");
  EXPECT_EQ(ColumnText(*taken->column(3), kSchema[3].type), "999.99 1.00 1.00 NULL");
  EXPECT_EQ(ColumnText(*taken->column(4), kSchema[4].type), "f t t t");
  EXPECT_EQ(ColumnText(*taken->column(5), kSchema[2].type), "zz x x NULL");
  EXPECT_EQ(ColumnText(*taken->weights(), T(TypeId::kInt64)), "4 1 1 3");
  const auto none = TakeRows(batch.Slice(1, 3), indices, 0);
  ASSERT_OK(none);
  EXPECT_EQ(none->num_rows(), 0);
  const int32_t first[] = {0};
  EXPECT_EQ(ColumnText(*TakeRows(batch.Slice(1, 3), first, 1)->column(2), kSchema[2].type), "yy");
}

}  // namespace
}  // namespace millrace
