#include "worker/operators/over_operator.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "worker/kernels/column_view.h"

namespace millrace {
namespace {

using Rows = std::vector<std::string>;

const Schema kInput = TextSchema("text k, timestamp t, int4 v");

v1::FrameBound Bound(v1::FrameBound::Kind kind, Value offset = {}) {
  v1::FrameBound bound;
  bound.set_kind(kind);
  if (!offset.is_null()) ToProto(offset, bound.mutable_offset());
  return bound;
}

Value Count(int64_t n) { return Value{SqlType::Of(TypeId::kInt64), n}; }
Value Micros(int64_t n) { return Value{SqlType::Of(TypeId::kInterval), IntervalParts{0, 0, n}}; }
const v1::FrameBound kFromStart = Bound(v1::FrameBound::KIND_UNBOUNDED_PRECEDING);
const v1::FrameBound kCurrent = Bound(v1::FrameBound::KIND_CURRENT_ROW);
const v1::FrameBound kToEnd = Bound(v1::FrameBound::KIND_UNBOUNDED_FOLLOWING);

// OVER (PARTITION BY k ORDER BY t).
class OverNodeBuilder {
 public:
  OverNodeBuilder() {
    SetOutput(kInput, node_.add_inputs());
    node_.mutable_over()->add_partition_keys(0);
    v1::SortKey* key = node_.mutable_over()->add_order_keys();
    ToProto(*MakeColumn(1, kInput[1].type), key->mutable_expr());
  }
  OverNodeBuilder& Ranking(const std::string& name, SqlType type, std::vector<int> args = {}) {
    v1::OverCall* call = node_.mutable_over()->add_calls();
    call->set_ranking(name);
    for (const int arg : args) {
      call->add_args(arg);
      ToProto(kInput[arg].type, call->add_arg_types());
    }
    ToProto(type, call->mutable_type());
    *call->mutable_frame()->mutable_start() = kFromStart;
    *call->mutable_frame()->mutable_end() = kCurrent;
    call->mutable_frame()->set_unit(v1::Frame::UNIT_RANGE);
    return *this;
  }
  OverNodeBuilder& Aggregate(AggregateFunction function, SqlType type, v1::Frame::Unit unit,
                             const v1::FrameBound& start, const v1::FrameBound& end) {
    v1::OverCall* call = node_.mutable_over()->add_calls();
    AggregateCall aggregate;
    aggregate.function = function;
    if (function != AggregateFunction::kCountStar) {
      aggregate.args = {2};
      ToProto(kInput[2].type, call->add_arg_types());
    }
    aggregate.type = type;
    ToProto(aggregate, call->mutable_aggregate());
    ToProto(type, call->mutable_type());
    call->mutable_frame()->set_unit(unit);
    *call->mutable_frame()->mutable_start() = start;
    *call->mutable_frame()->mutable_end() = end;
    return *this;
  }
  const v1::PlanNode& node() const { return node_; }

 private:
  v1::PlanNode node_;
};

Rows Evaluate(const OverNodeBuilder& builder, std::string_view rows, int room = 1 << 20) {
  OperatorHarness harness(OverOperator::Create(builder.node()));
  harness.set_room(room);
  harness.Push(TextBatch(rows, kInput));
  harness.End();
  return RowsOf(harness.Take());
}

const SqlType kOverInt8 = SqlType::Of(TypeId::kInt64);
const SqlType kOverInt4 = SqlType::Of(TypeId::kInt32);
const SqlType kFloat8 = SqlType::Of(TypeId::kFloat64);

TEST(OverOperator, RanksAndPeers) {
  OverNodeBuilder node;
  node.Ranking("row_number", kOverInt8)
      .Ranking("rank", kOverInt8)
      .Ranking("dense_rank", kOverInt8)
      .Ranking("cume_dist", kFloat8)
      .Ranking("percent_rank", kFloat8);
  EXPECT_EQ(Evaluate(node, "a 1 9 | a 1 7 | b 5 1 | a 2 1"),
            (Rows{"a 1 7 1 1 1 0.666666666667 0", "a 1 9 2 1 1 0.666666666667 0", "a 2 1 3 3 2 1 1",
                  "b 5 1 1 1 1 1 0"}));
}

TEST(OverOperator, LagLeadAndValuesOfTheFrame) {
  OverNodeBuilder node;
  node.Ranking("lag", kOverInt4, {2})
      .Ranking("lead", kOverInt4, {2})
      .Ranking("first_value", kOverInt4, {2})
      .Ranking("last_value", kOverInt4, {2});
  EXPECT_EQ(Evaluate(node, "a 1 5 | a 2 6 | a 3 null | b 1 8"),
            (Rows{"a 1 5 null 6 5 5", "a 2 6 5 null 5 6", "a 3 null 6 null 5 null",
                  "b 1 8 null null 8 8"}));
}

TEST(OverOperator, MovingSumsOverRows) {
  OverNodeBuilder node;
  const v1::FrameBound two_back = Bound(v1::FrameBound::KIND_PRECEDING, Count(2));
  const v1::FrameBound one_on = Bound(v1::FrameBound::KIND_FOLLOWING, Count(1));
  node.Aggregate(AggregateFunction::kSum, kOverInt8, v1::Frame::UNIT_ROWS, two_back, kCurrent)
      .Aggregate(AggregateFunction::kMin, kOverInt4, v1::Frame::UNIT_ROWS, two_back, one_on)
      .Aggregate(AggregateFunction::kCountStar, kOverInt8, v1::Frame::UNIT_ROWS, one_on, kToEnd);
  EXPECT_EQ(Evaluate(node, "a 1 4 | a 2 2 | a 3 null | a 4 7 | b 1 1"),
            (Rows{"a 1 4 4 2 3", "a 2 2 6 2 2", "a 3 null 6 2 1", "a 4 7 9 2 0", "b 1 1 1 1 0"}));
}

TEST(OverOperator, RangeByIntervalAndPeers) {
  OverNodeBuilder node;
  const v1::FrameBound ten_back = Bound(v1::FrameBound::KIND_PRECEDING, Micros(10));
  node.Aggregate(AggregateFunction::kSum, kOverInt8, v1::Frame::UNIT_RANGE, ten_back, kCurrent)
      .Aggregate(AggregateFunction::kSum, kOverInt8, v1::Frame::UNIT_RANGE, kFromStart, kCurrent)
      .Aggregate(AggregateFunction::kCount, kOverInt8, v1::Frame::UNIT_GROUPS,
                 Bound(v1::FrameBound::KIND_PRECEDING, Count(1)), kCurrent);
  EXPECT_EQ(
      Evaluate(node, "a 0 1 | a 10 2 | a 10 3 | a 21 4 | a null 5"),
      (Rows{"a 0 1 1 1 1", "a 10 2 6 6 3", "a 10 3 6 6 3", "a 21 4 4 10 3", "a null 5 5 15 2"}));
}

TEST(OverOperator, RefusesNegativeDistances) {
  OverNodeBuilder node;
  node.Aggregate(AggregateFunction::kSum, kOverInt8, v1::Frame::UNIT_ROWS,
                 Bound(v1::FrameBound::KIND_PRECEDING, Count(-1)), kCurrent);
  OperatorHarness harness(OverOperator::Create(node.node()));
  harness.Push(TextBatch("a 1 1", kInput));
  EXPECT_FALSE(harness.TryEnd().ok());
}

// All aggregates over sliding frames against sums by definition.
TEST(OverOperator, AgreesWithTheDefinitionForManyFrames) {
  std::mt19937 random(9);
  std::string rows;
  std::vector<std::vector<std::optional<int>>> partitions(4);
  for (int i = 0; i < 600; ++i) {
    const size_t partition = random() % partitions.size();
    const bool is_null = random() % 7 == 0;
    const int value = static_cast<int>(random() % 100) - 50;
    absl::StrAppend(&rows, i == 0 ? "" : " | ", "p", partition, " ", i, " ",
                    is_null ? "null" : absl::StrCat(value));
    partitions[partition].push_back(is_null ? std::nullopt : std::optional<int>(value));
  }
  for (const int64_t back : {0, 1, 5, 1000}) {
    for (const int64_t on : {0, 3, 1000}) {
      SCOPED_TRACE(absl::StrCat(back, " back, ", on, " on"));
      OverNodeBuilder node;
      const v1::FrameBound start = Bound(v1::FrameBound::KIND_PRECEDING, Count(back));
      const v1::FrameBound end = Bound(v1::FrameBound::KIND_FOLLOWING, Count(on));
      node.Aggregate(AggregateFunction::kSum, kOverInt8, v1::Frame::UNIT_ROWS, start, end)
          .Aggregate(AggregateFunction::kMax, kOverInt4, v1::Frame::UNIT_ROWS, start, end)
          .Aggregate(AggregateFunction::kCount, kOverInt8, v1::Frame::UNIT_ROWS, start, end)
          .Aggregate(AggregateFunction::kVarPop, kFloat8, v1::Frame::UNIT_ROWS, start, end);
      Rows expected;
      for (const auto& values : partitions) {
        const auto n = static_cast<int64_t>(values.size());
        for (int64_t i = 0; i < n; ++i) {
          int64_t sum = 0;
          int64_t count = 0;
          std::optional<int> max;
          for (int64_t j = std::max<int64_t>(0, i - back); j <= std::min(n - 1, i + on); ++j) {
            if (!values[j].has_value()) continue;
            sum += *values[j];
            ++count;
            max = std::max(max.value_or(-1000), *values[j]);
          }
          expected.push_back(count == 0 ? "null null 0" : absl::StrCat(sum, " ", *max, " ", count));
        }
      }
      const Rows actual = Evaluate(node, rows, 1);
      ASSERT_EQ(actual.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NE(actual[i].find(" " + expected[i] + " "), std::string::npos) << actual[i];
      }
    }
  }
}

// One partition of 400 rows of 100 kB, and the key of its first row for each of them: 40 MB twice.
TEST(OverOperator, CutsWideRowsByBytesAlsoInsideAPartition) {
  OverNodeBuilder builder;
  builder.Ranking("first_value", kInput[0].type, {0})
      .Ranking("row_number", SqlType::Of(TypeId::kInt64));
  std::string rows;
  const std::string key(100'000, 'x');
  for (int i = 0; i < 400; ++i) absl::StrAppend(&rows, i == 0 ? "" : " | ", key, " ", i, " ", i);
  OperatorHarness harness(OverOperator::Create(builder.node()));
  harness.set_room(1);
  harness.Push(TextBatch(rows, kInput));
  harness.End();
  int64_t next = 0;
  for (const Batch& batch : harness.Take()) {
    EXPECT_LE(batch.num_rows(), kMaxBatchBytes / 100'000);
    EXPECT_EQ(batch.column(3)->type_id(), arrow::Type::DICTIONARY);
    const ColumnView values(*batch.column(2));
    const ColumnView firsts(*batch.column(3));
    const ColumnView numbers(*batch.column(4));
    for (int64_t i = 0; i < batch.num_rows(); ++i, ++next) {
      EXPECT_EQ(values.Get<int32_t>(i), next);
      EXPECT_EQ(firsts.Text(i), key);
      EXPECT_EQ(numbers.Get<int64_t>(i), next + 1);
    }
  }
  EXPECT_EQ(next, 400);
}

}  // namespace
}  // namespace millrace
