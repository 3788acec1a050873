#include "worker/kernels/aggregate_set.h"

#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/support/operators/text_batch.h"

namespace millrace {
namespace {

// One aggregate over column 1 (and 2) of batches whose column 0 is the group.
class OneAggregate {
 public:
  OneAggregate(AggregateFunction function, std::string_view schema, SqlType result,
               AggregateInput input = {}, bool distinct = false, bool filter = false)
      : schema_(TextSchema(absl::StrCat("int4 g, ", std::string(schema)))) {
    call_.function = function;
    call_.type = result;
    call_.distinct = distinct;
    const int num_args = static_cast<int>(schema_.size()) - 1 - (filter ? 1 : 0);
    std::vector<SqlType> arg_types;
    if (function != AggregateFunction::kCountStar) {
      for (int i = 1; i <= num_args; ++i) {
        call_.args.push_back(i);
        arg_types.push_back(schema_[i].type);
      }
    }
    if (filter) call_.filter = static_cast<int>(schema_.size()) - 1;
    auto set = AggregateSet::Create({call_}, {arg_types}, input);
    EXPECT_TRUE(set.ok()) << set.status();
    set_ = std::move(set).value();
  }

  absl::Status Add(std::string_view rows) {
    const Batch batch = TextBatch(rows, schema_);
    std::vector<uint32_t> groups;
    const ColumnView column(*batch.column(0));
    for (int64_t i = 0; i < batch.num_rows(); ++i) {
      groups.push_back(static_cast<uint32_t>(column.Get<int32_t>(i)));
    }
    set_->Resize(2);
    return set_->Update(batch, groups.data());
  }
  // Results of groups 0 and 1.
  std::string Results() const {
    AggregateSet::Columns columns;
    const absl::Status status = set_->Results({0, 1}, &columns);
    if (!status.ok()) return std::string(status.message());
    return TextOf(Batch(std::move(columns), 2));
  }
  // The same after a way through accumulator columns, half by half.
  std::string ResultsOfMerged(std::string_view first, std::string_view second) {
    OneAggregate merged = *this, a = *this, b = *this;
    EXPECT_TRUE(a.Add(first).ok());
    EXPECT_TRUE(b.Add(second).ok());
    merged.set_->Resize(2);
    for (const OneAggregate* part : {&a, &b}) {
      AggregateSet::Columns columns;
      EXPECT_TRUE(part->set_->Partial({0, 1}, &columns).ok());
      const uint32_t groups[] = {0, 1};
      EXPECT_TRUE(merged.set_->Merge(Batch(std::move(columns), 2), 0, groups).ok());
    }
    return merged.Results();
  }
  AggregateSet& set() { return *set_; }

  OneAggregate(const OneAggregate& other) : schema_(other.schema_), call_(other.call_) {
    std::vector<SqlType> arg_types;
    for (const int arg : call_.args) arg_types.push_back(schema_[arg].type);
    set_ = AggregateSet::Create({call_}, {arg_types}, {}).value();
  }

 private:
  Schema schema_;
  AggregateCall call_;
  std::unique_ptr<AggregateSet> set_;
};

const SqlType kInt8 = SqlType::Of(TypeId::kInt64);
const SqlType kFloat8 = SqlType::Of(TypeId::kFloat64);
const SqlType kBool = SqlType::Of(TypeId::kBoolean);
const SqlType kText = SqlType::Of(TypeId::kText);

TEST(AggregateSet, CountsRowsAndValues) {
  OneAggregate star(AggregateFunction::kCountStar, "int4 x", kInt8);
  ASSERT_TRUE(star.Add("0 1 | 0 null | 1 null").ok());
  EXPECT_EQ(star.Results(), "2 | 1");
  OneAggregate values(AggregateFunction::kCount, "int4 x", kInt8);
  ASSERT_TRUE(values.Add("0 1 | 0 null | 1 null").ok());
  EXPECT_EQ(values.Results(), "1 | 0");
  EXPECT_EQ(values.ResultsOfMerged("0 1 | 0 2", "1 5 | 0 null | 0 1"), "3 | 1");
}

TEST(AggregateSet, SumsOfIntegersAreExact) {
  OneAggregate int4(AggregateFunction::kSum, "int4 x", kInt8);
  ASSERT_TRUE(int4.Add("0 2147483647 | 0 2147483647 | 0 null").ok());
  EXPECT_EQ(int4.Results(), "4294967294 | null");
  OneAggregate int8(AggregateFunction::kSum, "int8 x", SqlType::Numeric(38, 0));
  ASSERT_TRUE(int8.Add("0 9223372036854775807 | 0 9223372036854775807 | 1 -5").ok());
  EXPECT_EQ(int8.Results(), "18446744073709551614 | -5");
  EXPECT_EQ(int8.ResultsOfMerged("0 9223372036854775807", "0 1 | 1 null"),
            "9223372036854775808 | null");
}

TEST(AggregateSet, SumOfNumericOverflows) {
  OneAggregate sum(AggregateFunction::kSum, "numeric(2) x", SqlType::Numeric(38, 2));
  ASSERT_TRUE(sum.Add("0 1.25 | 0 -0.75 | 1 999999999999999999999999999999999999.99").ok());
  EXPECT_EQ(sum.Results(), "0.50 | 999999999999999999999999999999999999.99");
  ASSERT_TRUE(sum.Add("1 0.01").ok());
  EXPECT_EQ(sum.Results(), "value overflows numeric format");
}

TEST(AggregateSet, AveragesRoundHalfAwayFromZero) {
  OneAggregate avg(AggregateFunction::kAvg, "int4 x", SqlType::Numeric(0, 4));
  ASSERT_TRUE(avg.Add("0 1 | 0 2 | 0 2 | 1 -1 | 1 -2 | 1 -2").ok());
  EXPECT_EQ(avg.Results(), "1.6667 | -1.6667");
  OneAggregate big(AggregateFunction::kAvg, "int8 x", SqlType::Numeric(0, 16));
  ASSERT_TRUE(big.Add("0 9223372036854775807 | 0 9223372036854775806").ok());
  EXPECT_EQ(big.Results(), "9223372036854775806.5000000000000000 | null");
  OneAggregate numeric(AggregateFunction::kAvg, "numeric(2) x", SqlType::Numeric(0, 6));
  EXPECT_EQ(numeric.ResultsOfMerged("0 1.00 | 0 0.50", "0 0.50 | 1 0.01"), "0.666667 | 0.010000");
}

TEST(AggregateSet, FloatSumsForgetWhatIsTakenBack) {
  OneAggregate sum(AggregateFunction::kSum, "float8 x", kFloat8, {.changing = true});
  ASSERT_TRUE(sum.Add("+ 0 1.5 | + 0 1e20 | + 0 nan | + 0 inf | + 1 -inf").ok());
  EXPECT_EQ(sum.Results(), "NaN | -inf");
  ASSERT_TRUE(sum.Add("- 0 nan").ok());
  EXPECT_EQ(sum.Results(), "inf | -inf");
  ASSERT_TRUE(sum.Add("- 0 inf | - 0 1e20 | - 1 -inf").ok());
  EXPECT_EQ(sum.Results(), "1.5 | null");
}

TEST(AggregateSet, FloatPartsTravelWithNonFiniteValues) {
  OneAggregate avg(AggregateFunction::kAvg, "float8 x", kFloat8);
  EXPECT_EQ(avg.ResultsOfMerged("0 1 | 1 inf", "0 2 | 1 -inf"), "1.5 | NaN");
  OneAggregate narrow(AggregateFunction::kSum, "float4 x", SqlType::Of(TypeId::kFloat32));
  EXPECT_EQ(narrow.ResultsOfMerged("0 0.5", "0 0.25 | 1 -inf"), "0.75 | -inf");
  OneAggregate overflow(AggregateFunction::kSum, "float8 x", kFloat8);
  ASSERT_TRUE(overflow.Add("0 1.7e308 | 0 1.7e308").ok());
  EXPECT_EQ(overflow.Results(), "value out of range: overflow");
}

TEST(AggregateSet, MinAndMaxOfEveryType) {
  struct Case {
    const char* schema;
    const char* rows;
    const char* min;
    const char* max;
  };
  const Case cases[] = {
      {"int2 x", "0 3 | 0 -1 | 0 null", "-1 | null", "3 | null"},
      {"int8 x", "0 3 | 0 -9223372036854775808 | 1 7", "-9223372036854775808 | 7", "3 | 7"},
      {"float8 x", "0 nan | 0 -inf | 0 2 | 1 nan", "-inf | NaN", "NaN | NaN"},
      {"numeric(1) x", "0 -0.1 | 0 -0.2 | 1 0.0", "-0.2 | 0.0", "-0.1 | 0.0"},
      {"text x", "0 b | 0 ab | 0 '' | 1 zz", " | zz", "b | zz"},
      {"date x", "0 10 | 0 -10", "-10 | null", "10 | null"},
      {"bool x", "0 t | 0 f | 1 t", "f | t", "t | t"},
      {"interval x", "0 1:0:0 | 0 0:31:0 | 1 0:0:5", "1:0:0 | 0:0:5", "0:31:0 | 0:0:5"},
  };
  for (const Case& c : cases) {
    for (const bool changing : {false, true}) {
      SCOPED_TRACE(absl::StrCat(c.schema, changing ? " changing" : ""));
      const SqlType type = TextSchema(c.schema)[0].type;
      OneAggregate min(AggregateFunction::kMin, c.schema, type, {.changing = changing});
      ASSERT_TRUE(min.Add(c.rows).ok());
      EXPECT_EQ(min.Results(), c.min);
      OneAggregate max(AggregateFunction::kMax, c.schema, type, {.changing = changing});
      ASSERT_TRUE(max.Add(c.rows).ok());
      EXPECT_EQ(max.Results(), c.max);
    }
  }
}

TEST(AggregateSet, MinAndMaxTakeValuesBack) {
  OneAggregate max(AggregateFunction::kMax, "int4 x", SqlType::Of(TypeId::kInt32),
                   {.changing = true});
  ASSERT_TRUE(max.Add("+ 0 5 | +2 0 9 | + 1 1").ok());
  ASSERT_TRUE(max.Add("- 0 9").ok());
  EXPECT_EQ(max.Results(), "9 | 1");
  ASSERT_TRUE(max.Add("- 0 9 | - 1 1").ok());
  EXPECT_EQ(max.Results(), "5 | null");
}

TEST(AggregateSet, Variances) {
  OneAggregate samp(AggregateFunction::kVarSamp, "float8 x", kFloat8);
  ASSERT_TRUE(samp.Add("0 1 | 0 2 | 0 3 | 0 4 | 1 5").ok());
  EXPECT_EQ(samp.Results(), "1.66666666667 | null");
  EXPECT_EQ(samp.ResultsOfMerged("0 1 | 0 2 | 1 nan", "0 3 | 0 4 | 1 1"), "1.66666666667 | NaN");
  OneAggregate pop(AggregateFunction::kStddevPop, "float8 x", kFloat8);
  ASSERT_TRUE(pop.Add("0 2 | 0 4 | 0 4 | 0 4 | 0 5 | 0 5 | 0 7 | 0 9 | 1 5").ok());
  EXPECT_EQ(pop.Results(), "2 | 0");
  // A large offset must not eat the digits.
  OneAggregate offset(AggregateFunction::kVarSamp, "float8 x", kFloat8);
  EXPECT_EQ(offset.ResultsOfMerged("0 1000000001 | 0 1000000002", "0 1000000003"), "1 | null");
}

TEST(AggregateSet, VariancesOfExactNumbersAreExact) {
  const SqlType numeric = SqlType::Numeric(0, 16);
  OneAggregate samp(AggregateFunction::kVarSamp, "int4 x", numeric);
  EXPECT_EQ(samp.ResultsOfMerged("0 1 | 0 2", "0 3 | 0 4 | 1 7"), "1.6666666666666667 | null");
  OneAggregate root(AggregateFunction::kStddevSamp, "int8 x", numeric);
  ASSERT_TRUE(
      root.Add("0 1000000000001 | 0 1000000000002 | 0 1000000000003 | 0 1000000000004").ok());
  EXPECT_EQ(root.Results(), "1.2909944487358056 | null");
  OneAggregate decimal(AggregateFunction::kVarPop, "numeric(2) x", numeric);
  ASSERT_TRUE(decimal.Add("0 0.10 | 0 0.20 | 1 5.55").ok());
  EXPECT_EQ(decimal.Results(), "0.0025000000000000 | 0.0000000000000000");
  OneAggregate changing(AggregateFunction::kVarSamp, "int4 x", numeric, {.changing = true});
  ASSERT_TRUE(changing.Add("+ 0 1 | + 0 2 | + 0 -77 | - 0 -77").ok());
  EXPECT_EQ(changing.Results(), "0.5000000000000000 | null");
}

TEST(AggregateSet, BoolAndOr) {
  OneAggregate both(AggregateFunction::kBoolAnd, "bool x", kBool);
  EXPECT_EQ(both.ResultsOfMerged("0 t | 1 t", "0 f | 1 null"), "f | t");
  OneAggregate either(AggregateFunction::kBoolOr, "bool x", kBool, {.changing = true});
  ASSERT_TRUE(either.Add("+ 0 t | + 0 f | - 0 t | + 1 t | - 1 t").ok());
  EXPECT_EQ(either.Results(), "f | null");
}

TEST(AggregateSet, StringAggOrdersByValue) {
  OneAggregate join(AggregateFunction::kStringAgg, "text x, text d", kText);
  ASSERT_TRUE(join.Add("0 b , | 0 a , | 0 null , | 0 b ;").ok());
  EXPECT_EQ(join.Results(), "a,b;b | null");
  OneAggregate distinct(AggregateFunction::kStringAgg, "text x, text d", kText, {}, true);
  ASSERT_TRUE(distinct.Add("0 b , | 0 a , | 0 b ,").ok());
  EXPECT_EQ(distinct.Results(), "a,b | null");
}

TEST(AggregateSet, SingleValueRefusesASecondRow) {
  OneAggregate single(AggregateFunction::kSingleValue, "int4 x", SqlType::Of(TypeId::kInt32));
  ASSERT_TRUE(single.Add("0 5 | 1 null").ok());
  EXPECT_EQ(single.Results(), "5 | null");
  EXPECT_FALSE(single.Add("1 null").ok());
}

TEST(AggregateSet, FilterLeavesRowsOut) {
  OneAggregate sum(AggregateFunction::kSum, "int4 x, bool f", kInt8, {}, false, true);
  ASSERT_TRUE(sum.Add("0 1 t | 0 2 f | 0 4 null | 0 null t | 1 8 f").ok());
  EXPECT_EQ(sum.Results(), "1 | null");
}

TEST(AggregateSet, DistinctCountsValuesOnce) {
  OneAggregate count(AggregateFunction::kCount, "text x, bool f", kInt8, {}, true, true);
  ASSERT_TRUE(count.Add("0 a t | 0 a t | 0 b f | 1 a t | 0 null t").ok());
  ASSERT_TRUE(count.Add("0 a t | 0 c t | 0 c t").ok());
  EXPECT_EQ(count.Results(), "2 | 1");
}

TEST(AggregateSet, DistinctCountsDownWhenTheLastOneGoes) {
  OneAggregate sum(AggregateFunction::kSum, "int4 x", kInt8, {.changing = true}, true);
  ASSERT_TRUE(sum.Add("+2 0 5 | + 0 7 | + 1 5").ok());
  ASSERT_TRUE(sum.Add("- 0 5 | - 1 5").ok());
  EXPECT_EQ(sum.Results(), "12 | null");
  ASSERT_TRUE(sum.Add("- 0 5").ok());
  EXPECT_EQ(sum.Results(), "7 | null");
}

TEST(AggregateSet, RetainKeepsStateOfSurvivors) {
  OneAggregate sum(AggregateFunction::kSum, "int4 x", kInt8, {.changing = true}, true);
  ASSERT_TRUE(sum.Add("+ 0 5 | + 1 6 | + 1 6").ok());
  sum.set().Retain(std::vector<uint32_t>{1});
  sum.set().Resize(2);
  ASSERT_TRUE(sum.Add("- 0 6 | + 0 1 | + 1 5").ok());
  EXPECT_EQ(sum.Results(), "7 | 5");
}

TEST(AggregateSet, SumOfIntervals) {
  const SqlType interval = SqlType::Of(TypeId::kInterval);
  OneAggregate sum(AggregateFunction::kSum, "interval x", interval);
  EXPECT_EQ(sum.ResultsOfMerged("0 1:2:3", "0 1:1:1 | 1 0:0:7"), "2:3:4 | 0:0:7");
  OneAggregate avg(AggregateFunction::kAvg, "interval x", interval);
  ASSERT_TRUE(avg.Add("0 1:0:0 | 0 0:1:0").ok());
  EXPECT_EQ(avg.Results(), "0:15:43200000000 | null");
}

}  // namespace
}  // namespace millrace
