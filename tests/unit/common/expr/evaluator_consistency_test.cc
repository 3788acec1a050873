#include <random>

#include "arrow/array/concatenate.h"
#include "tests/unit/common/expr/expr_builders.h"
#include "tests/unit/common/expr/test_batch.h"

// A function gives the same whatever the batch looks like: a row alone, a slice, text as a
// dictionary.

namespace millrace {
namespace {

const Schema kConsistencySchema = {
    {"i", SqlType::Of(TypeId::kInt32)},     {"j", SqlType::Of(TypeId::kInt32)},
    {"l", SqlType::Of(TypeId::kInt64)},     {"d", SqlType::Of(TypeId::kFloat64)},
    {"s", SqlType::Of(TypeId::kText)},      {"t", SqlType::Of(TypeId::kText)},
    {"p", SqlType::Numeric(12, 2)},         {"q", SqlType::Numeric(0, 4)},
    {"f", SqlType::Of(TypeId::kBoolean)},   {"day", SqlType::Of(TypeId::kDate)},
    {"ts", SqlType::Of(TypeId::kTimestamp)}};
constexpr int kTextColumns[] = {4, 5};

ExprPtr C(const char* name) {
  for (size_t i = 0; i < kConsistencySchema.size(); ++i) {
    if (kConsistencySchema[i].name == name)
      return MakeColumn(static_cast<int>(i), kConsistencySchema[i].type);
  }
  return nullptr;
}

class RandomRows {
 public:
  explicit RandomRows(int64_t num_rows) : num_rows_(num_rows) {}

  template <typename T, typename Draw>
  std::vector<std::optional<T>> Draws(const Draw& draw) {
    std::vector<std::optional<T>> values;
    for (int64_t i = 0; i < num_rows_; ++i) {
      if (random_() % 5 == 0) {
        values.push_back(std::nullopt);
      } else {
        values.push_back(static_cast<T>(draw(random_())));
      }
    }
    return values;
  }

  Batch Make() {
    const auto small = [](uint64_t r) { return static_cast<int64_t>(r % 41) - 20; };
    const auto word = [](uint64_t r) {
      static const char* const kWords[] = {"",    "a",  "abc", "ABC x", "h\xC3\xA9llo",
                                           "a%c", "12", "zz"};
      return std::string(kWords[r % std::size(kWords)]);
    };
    auto days = Draws<int32_t>([](uint64_t r) { return static_cast<int32_t>(r % 40000) - 10000; });
    auto micros =
        Draws<int64_t>([](uint64_t r) { return static_cast<int64_t>(r >> 10) - (1LL << 52); });
    return MakeBatch(
        {Int32s(Draws<int32_t>(small)), Int32s(Draws<int32_t>(small)),
         Int64s(Draws<int64_t>(small)),
         Doubles(Draws<double>([&](uint64_t r) { return static_cast<double>(small(r)) / 4; })),
         Texts(Draws<std::string>(word)), Texts(Draws<std::string>(word)),
         Decimals(Draws<int64_t>(small), 2),
         Decimals(
             Draws<int64_t>([](uint64_t r) { return static_cast<int64_t>(r % 2000000) - 1000000; }),
             4),
         Bools(Draws<bool>([](uint64_t r) { return r % 2 == 0; })),
         MakeArrayOf<arrow::Date32Builder, int32_t>(days), Timestamps(micros)});
  }

 private:
  static ArrayPtr Timestamps(const std::vector<std::optional<int64_t>>& values) {
    arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::MICRO),
                                    arrow::default_memory_pool());
    for (const auto& value : values) {
      const auto status = value.has_value() ? builder.Append(*value) : builder.AppendNull();
      if (!status.ok()) std::abort();
    }
    return *builder.Finish();
  }

  int64_t num_rows_;
  std::mt19937_64 random_{42};
};

std::vector<ExprPtr> Expressions() {
  std::vector<ExprPtr> exprs;
  for (const char* op : {"+", "-", "*", "=", "<>", "<", "<=", ">", ">="}) {
    for (const auto& [a, b] :
         {std::pair("i", "j"), {"i", "l"}, {"d", "i"}, {"p", "q"}, {"p", "i"}}) {
      exprs.push_back(Op(op, C(a), C(b)));
      exprs.push_back(Op(op, C(a), Int(3)));
      exprs.push_back(Op(op, Int(-2), C(b)));
    }
  }
  for (const char* op : {"=", "<", ">=", "||", "~~", "!~~*", "~"}) {
    exprs.push_back(Op(op, C("s"), Quoted("a")));
    exprs.push_back(Op(op, C("s"), C("t")));
  }
  const ExprPtr safe = Fn("nullif", {C("j"), Int(0)});
  exprs.push_back(Op("/", C("i"), safe));
  exprs.push_back(Op("%", C("i"), safe));
  exprs.push_back(Op("/", C("p"), safe));
  exprs.push_back(Op("/", C("d"), safe));
  exprs.push_back(Unwrap(BuildCase({Op("<>", C("j"), Int(0)), C("f")},
                                   {Op("/", C("l"), C("j")), C("i")}, nullptr, 0)));
  exprs.push_back(Unwrap(BuildCase({C("f")}, {C("s")}, C("t"), 0)));
  exprs.push_back(Unwrap(BuildAnd({C("f"), Op("<", C("i"), C("j"))}, 0)));
  exprs.push_back(Unwrap(BuildOr({C("f"), Op("<", C("i"), C("j")), Op("=", C("s"), C("t"))}, 0)));
  exprs.push_back(Unwrap(BuildIsDistinct(C("s"), C("t"), false, 0)));
  exprs.push_back(Unwrap(BuildIsDistinct(C("p"), Int(0), true, 0)));
  exprs.push_back(Unwrap(BuildInList(C("i"), {Int(1), Int(2), Null()}, true, 0)));
  exprs.push_back(Unwrap(BuildInList(C("s"), {Quoted("a"), Quoted("zz")}, false, 0)));
  for (const char* name : {"coalesce", "greatest", "least"}) {
    exprs.push_back(Fn(name, {C("i"), C("l"), Int(0)}));
    exprs.push_back(Fn(name, {C("s"), C("t")}));
    exprs.push_back(Fn(name, {C("p"), C("q")}));
  }
  for (const char* name :
       {"upper", "length", "reverse", "initcap", "btrim", "md5", "octet_length"}) {
    exprs.push_back(Fn(name, {C("s")}));
  }
  exprs.push_back(Fn("substr", {C("s"), C("i"), Op("@", C("j"))}));
  exprs.push_back(Fn("lpad", {C("s"), C("i"), C("t")}));
  exprs.push_back(Fn("replace", {C("s"), C("t"), Quoted("-")}));
  exprs.push_back(Fn("concat", {C("s"), C("i"), C("p"), C("f"), C("day")}));
  exprs.push_back(Fn("concat_ws", {C("t"), C("s"), C("d")}));
  exprs.push_back(Fn("round", {C("q"), Int(2)}));
  exprs.push_back(Fn("round", {C("q"), C("i")}));
  exprs.push_back(Fn("floor", {C("q")}));
  exprs.push_back(Fn("extract", {Quoted("year"), C("day")}));
  exprs.push_back(Fn("extract", {Quoted("second"), C("ts")}));
  exprs.push_back(Fn("date_trunc", {Quoted("month"), C("ts")}));
  exprs.push_back(Op("+", C("day"), C("i")));
  exprs.push_back(Op("-", C("ts"), Cast(Quoted("3 days 1 hour"), T(TypeId::kInterval))));
  exprs.push_back(Op("+", C("ts"), Cast(Quoted("1 month"), T(TypeId::kInterval))));
  exprs.push_back(Op("<", C("day"), C("ts")));
  for (const char* name : {"i", "l", "d", "p", "q", "f", "day", "ts"}) {
    exprs.push_back(Cast(C(name), T(TypeId::kText)));
  }
  for (const char* name : {"i", "l", "d", "q"}) {
    exprs.push_back(Cast(C(name), SqlType::Numeric(20, 1)));
    exprs.push_back(Cast(C(name), T(TypeId::kFloat64)));
    exprs.push_back(Cast(C(name), T(TypeId::kInt16)));
  }
  exprs.push_back(Cast(C("s"), SqlType{TypeId::kVarchar, 2, 0}));
  exprs.push_back(Cast(C("ts"), T(TypeId::kDate)));
  return exprs;
}

std::string RowByRow(const ExprPtr& expr, const Batch& batch) {
  std::string out;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (row > 0) out += ' ';
    out += EvalOn(expr, kConsistencySchema, batch.Slice(row, 1));
  }
  return out;
}

TEST(Consistency, BatchEqualsItsRows) {
  const Batch batch = RandomRows(150).Make();
  for (const ExprPtr& expr : Expressions()) {
    SCOPED_TRACE(ExprToString(*expr, kConsistencySchema));
    EXPECT_EQ(EvalOn(expr, kConsistencySchema, batch), RowByRow(expr, batch));
  }
}

TEST(Consistency, SliceEqualsItsRows) {
  const Batch batch = RandomRows(150).Make().Slice(13, 101);
  for (const ExprPtr& expr : Expressions()) {
    SCOPED_TRACE(ExprToString(*expr, kConsistencySchema));
    EXPECT_EQ(EvalOn(expr, kConsistencySchema, batch), RowByRow(expr, batch));
  }
}

TEST(Consistency, DictionaryEqualsText) {
  const Batch plain = RandomRows(150).Make();
  std::vector<ArrayPtr> columns = plain.columns();
  for (int i : kTextColumns) columns[i] = Dictionary(columns[i]);
  const Batch encoded(columns, plain.num_rows());
  for (const ExprPtr& expr : Expressions()) {
    SCOPED_TRACE(ExprToString(*expr, kConsistencySchema));
    EXPECT_EQ(EvalOn(expr, kConsistencySchema, encoded), EvalOn(expr, kConsistencySchema, plain));
    EXPECT_EQ(EvalOn(expr, kConsistencySchema, encoded.Slice(7, 90)),
              EvalOn(expr, kConsistencySchema, plain.Slice(7, 90)));
  }
}

TEST(Consistency, SelectEqualsEvaluate) {
  const Batch batch = RandomRows(500).Make();
  for (const ExprPtr& expr : Expressions()) {
    if (expr->type.id != TypeId::kBoolean) continue;
    const ExprPtr conjunction = Unwrap(BuildAnd({Op("<", C("i"), Int(10)), expr, C("f")}, 0));
    SCOPED_TRACE(ExprToString(*conjunction, kConsistencySchema));
    auto evaluator = Evaluator::Create({conjunction}, kConsistencySchema, EvalContext());
    ASSERT_OK(evaluator);
    std::vector<int32_t> selected;
    ASSERT_OK((*evaluator)->Select(batch, &selected));
    const auto arrays = (*evaluator)->Evaluate(batch);
    ASSERT_OK(arrays);
    const auto& flags = static_cast<const arrow::BooleanArray&>(*(*arrays)[0]);
    std::vector<int32_t> expected;
    for (int64_t row = 0; row < flags.length(); ++row) {
      if (flags.IsValid(row) && flags.Value(row)) expected.push_back(static_cast<int32_t>(row));
    }
    EXPECT_EQ(selected, expected);
  }
}

}  // namespace
}  // namespace millrace
