#include "worker/operators/streaming/watermark_over_operator.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/memory_state_store.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "worker/operators/over_operator.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Bound = v1::FrameBound;

constexpr int64_t kEnd = Watermark::kMaxWatermark;

const SqlType kBigint = SqlType::Of(TypeId::kInt64);

// Key, time, values.
Schema WatermarkInput() {
  return TextSchema("int8 k, timestamp ts, int4 a, float8 f, text s, int8 b, bool flag, int4 two");
}
enum WatermarkColumn { kK, kTs, kA, kF, kS, kB, kFlag, kTwo };

v1::FrameBound Preceding(v1::Frame::Unit unit, int64_t distance) {
  v1::FrameBound bound;
  bound.set_kind(Bound::KIND_PRECEDING);
  Value offset{kBigint, distance};
  if (unit == v1::Frame::UNIT_RANGE) {
    offset = Value{SqlType::Of(TypeId::kInterval), IntervalParts{0, 0, distance}};
  }
  ToProto(offset, bound.mutable_offset());
  return bound;
}

// `start`: −1 = UNBOUNDED PRECEDING, 0 = CURRENT ROW, else a distance; `end` likewise.
v1::Frame FrameOf(v1::Frame::Unit unit, int64_t start, int64_t end = 0) {
  v1::Frame frame;
  frame.set_unit(unit);
  const auto bound = [unit](int64_t distance) {
    v1::FrameBound simple;
    simple.set_kind(distance < 0 ? Bound::KIND_UNBOUNDED_PRECEDING : Bound::KIND_CURRENT_ROW);
    return distance > 0 ? Preceding(unit, distance) : simple;
  };
  *frame.mutable_start() = bound(start);
  *frame.mutable_end() = bound(end);
  return frame;
}
v1::Frame Rows(int64_t start, int64_t end = 0) { return FrameOf(v1::Frame::UNIT_ROWS, start, end); }
v1::Frame Range(int64_t start, int64_t end = 0) {
  return FrameOf(v1::Frame::UNIT_RANGE, start, end);
}

class OverPlanBuilder {
 public:
  explicit OverPlanBuilder(std::vector<int> partition = {kK}) {
    node_.set_id(7);
    SetOutput(WatermarkInput(), node_.add_inputs());
    v1::OverNode* over = node_.mutable_over();
    for (const int column : partition) over->add_partition_keys(column);
    ToProto(SortKey{MakeColumn(kTs, WatermarkInput()[kTs].type)}, over->add_order_keys());
    over->set_event_time(true);
  }
  OverPlanBuilder& Aggregate(AggregateFunction function, std::vector<int> args, TypeId type,
                             v1::Frame frame, std::optional<int> filter = std::nullopt) {
    const SqlType result = type == TypeId::kNumeric ? SqlType::Numeric(0, 16) : SqlType::Of(type);
    AggregateCall call;
    call.function = function;
    call.args = args;
    call.filter = filter;
    call.type = result;
    v1::OverCall* proto = AddCall(args, result, std::move(frame));
    ToProto(call, proto->mutable_aggregate());
    return *this;
  }
  OverPlanBuilder& Ranking(const std::string& name, std::vector<int> args, TypeId type,
                           v1::Frame frame) {
    v1::OverCall* proto = AddCall(args, SqlType::Of(type), std::move(frame));
    proto->set_ranking(name);
    for (const int arg : args) proto->add_args(arg);
    return *this;
  }
  v1::PlanNode Streaming() const { return node_; }
  v1::PlanNode Bounded() const {
    v1::PlanNode node = node_;
    node.mutable_over()->set_event_time(false);
    return node;
  }
  v1::PlanNode* mutable_node() { return &node_; }

 private:
  v1::OverCall* AddCall(const std::vector<int>& args, const SqlType& type, v1::Frame frame) {
    v1::OverCall* call = node_.mutable_over()->add_calls();
    *call->mutable_frame() = std::move(frame);
    ToProto(type, call->mutable_type());
    for (const int arg : args) ToProto(WatermarkInput()[arg].type, call->add_arg_types());
    return call;
  }
  v1::PlanNode node_;
};

// Rows "k ts a"; the other columns follow from them.
Batch RowsWith(const std::vector<std::string>& rows) {
  std::vector<std::string> texts;
  for (const std::string& row : rows) texts.push_back(absl::StrCat(row, " 0 x 0 t 2"));
  return TextBatch(absl::StrJoin(texts, " | "), WatermarkInput());
}

// The key, the time, and the columns behind the input's.
std::vector<std::string> Results(const std::vector<Batch>& batches) {
  std::vector<Batch> shortened;
  for (const Batch& batch : batches) {
    std::vector<std::shared_ptr<arrow::Array>> columns = {batch.column(kK), batch.column(kTs)};
    for (int c = static_cast<int>(WatermarkInput().size()); c < batch.num_columns(); ++c) {
      columns.push_back(batch.column(c));
    }
    shortened.emplace_back(std::move(columns), batch.num_rows(), batch.weights());
  }
  return RowsOf(shortened);
}

TEST(WatermarkOverOperatorTest, GivesRowsOutInOrderWhenTheWatermarkPassesThem) {
  OverPlanBuilder plan;
  plan.Aggregate(AggregateFunction::kSum, {kA}, TypeId::kInt64, Rows(1));
  OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()));
  over.Push(RowsWith({"1 30 3", "2 10 5", "1 10 1", "1 20 2"}));
  EXPECT_THAT(over.Take(), IsEmpty());
  over.Watermark(20);
  EXPECT_THAT(Results(over.Take()), ElementsAre("1 10 1", "2 10 5"));
  over.Watermark(31);
  EXPECT_THAT(Results(over.Take()), ElementsAre("1 20 3", "1 30 5"));
}

TEST(WatermarkOverOperatorTest, ARowAtTheWatermarkWaits) {
  OverPlanBuilder plan;
  plan.Ranking("row_number", {}, TypeId::kInt64, Range(-1));
  OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()));
  over.Push(RowsWith({"1 10 1"}));
  over.Watermark(10);
  EXPECT_THAT(over.Take(), IsEmpty());
  over.Push(RowsWith({"1 10 1"}));
  over.Watermark(11);
  EXPECT_THAT(Results(over.Take()), ElementsAre("1 10 1", "1 10 2"));
}

TEST(WatermarkOverOperatorTest, CountsLateRowsAndDropsThem) {
  OverPlanBuilder plan;
  plan.Ranking("row_number", {}, TypeId::kInt64, Range(-1));
  OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()));
  over.Push(RowsWith({"1 10 1"}));
  over.Watermark(20);
  over.Push(RowsWith({"1 19 1", "1 20 2"}));
  over.Watermark(kEnd);
  EXPECT_THAT(Results(over.Take()), ElementsAre("1 10 1", "1 20 2"));
  EXPECT_EQ(over.counters().late_rows, 1u);
}

TEST(WatermarkOverOperatorTest, PeersShareRunningTotalsAndRanks) {
  OverPlanBuilder plan;
  plan.Aggregate(AggregateFunction::kSum, {kA}, TypeId::kInt64, Range(-1))
      .Ranking("rank", {}, TypeId::kInt64, Range(-1))
      .Ranking("dense_rank", {}, TypeId::kInt64, Range(-1))
      .Ranking("last_value", {kA}, TypeId::kInt32, Range(-1));
  OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()));
  over.Push(RowsWith({"1 10 1", "1 10 2", "1 20 null", "1 30 4"}));
  over.Watermark(25);
  EXPECT_THAT(Results(over.Take()), ElementsAre("1 10 3 1 1 2", "1 10 3 1 1 2", "1 20 3 3 2 null"));
  over.Watermark(kEnd);
  EXPECT_THAT(Results(over.Take()), ElementsAre("1 30 7 4 3 4"));
}

TEST(WatermarkOverOperatorTest, KeysAndTimesMayBeNull) {
  OverPlanBuilder plan;
  plan.Aggregate(AggregateFunction::kCountStar, {}, TypeId::kInt64, Rows(1));
  OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()));
  over.Push(RowsWith({"null null 1", "null 10 1", "null 20 2", "1 null 1"}));
  over.Watermark(1000);
  EXPECT_THAT(Results(over.Take()), ElementsAre("null 10 1", "null 20 2"));
  over.Watermark(kEnd);
  EXPECT_THAT(Results(over.Take()), ElementsAre("1 null 1", "null null 2"));
}

TEST(WatermarkOverOperatorTest, EmptyInputGivesNothing) {
  OverPlanBuilder plan(std::vector<int>{});
  plan.Aggregate(AggregateFunction::kCountStar, {}, TypeId::kInt64, Range(-1));
  MemoryStateStore store;
  OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()), &store);
  over.Push(Batch(RowsWith({"1 1 1"}).Slice(0, 0)));
  over.Watermark(10);
  over.Barrier(true);
  over.Watermark(kEnd);
  EXPECT_THAT(over.Take(), IsEmpty());
  EXPECT_EQ(store.num_entries(), 0u);
}

TEST(WatermarkOverOperatorTest, RefusesWhatLooksAhead) {
  OverPlanBuilder following;
  v1::Frame frame = Rows(1);
  frame.mutable_end()->set_kind(Bound::KIND_FOLLOWING);
  following.Aggregate(AggregateFunction::kCountStar, {}, TypeId::kInt64, frame);
  OverPlanBuilder lead;
  lead.Ranking("lead", {kA}, TypeId::kInt32, Range(-1));
  OverPlanBuilder changing;
  changing.Ranking("row_number", {}, TypeId::kInt64, Range(-1));
  changing.mutable_node()->mutable_inputs(0)->set_changing(true);
  for (const OverPlanBuilder& plan : {following, lead, changing}) {
    const absl::Status status = WatermarkOverOperator::Create(plan.Streaming()).status();
    EXPECT_EQ(GetErrorDetail(status).state, SqlState::kFeatureNotSupported) << status;
    EXPECT_FALSE(GetErrorDetail(status).hint.empty());
  }
}

TEST(WatermarkOverOperatorTest, RefusesLagThatLooksAhead) {
  OverPlanBuilder plan;
  plan.Ranking("lag", {kA, kA}, TypeId::kInt32, Range(-1));
  auto over = WatermarkOverOperator::Create(plan.Streaming());
  ASSERT_TRUE(over.ok());
  OperatorHarness harness(std::move(over));
  ASSERT_TRUE(harness.TryPush(RowsWith({"1 10 -1"})).ok());
  const absl::Status status = harness.TryEnd();
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kFeatureNotSupported) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("lag"));
}

// Everything at once, for random rows.
OverPlanBuilder ManyCalls(std::vector<int> partition) {
  using F = AggregateFunction;
  OverPlanBuilder plan(std::move(partition));
  plan.Aggregate(F::kCountStar, {}, TypeId::kInt64, Rows(2))
      .Aggregate(F::kSum, {kA}, TypeId::kInt64, Rows(3))
      .Aggregate(F::kAvg, {kA}, TypeId::kNumeric, Range(-1))
      .Aggregate(F::kSum, {kB}, TypeId::kNumeric, Rows(-1, 1))
      .Aggregate(F::kCount, {kA}, TypeId::kInt64, Range(-1), kFlag)
      .Aggregate(F::kSum, {kA}, TypeId::kInt64, Rows(2), kFlag)
      .Aggregate(F::kMin, {kA}, TypeId::kInt32, Rows(4, 1))
      .Aggregate(F::kMax, {kS}, TypeId::kText, Range(-1))
      .Aggregate(F::kMin, {kS}, TypeId::kText, Rows(-1), kFlag)
      .Aggregate(F::kMax, {kA}, TypeId::kInt32, Range(7))
      .Aggregate(F::kSum, {kF}, TypeId::kFloat64, Range(5))
      .Aggregate(F::kAvg, {kF}, TypeId::kFloat64, Rows(-1))
      .Aggregate(F::kCountStar, {}, TypeId::kInt64, Range(9, 3))
      .Aggregate(F::kStddevSamp, {kA}, TypeId::kNumeric, Rows(3))
      .Aggregate(F::kVarPop, {kA}, TypeId::kNumeric, Range(-1))
      .Aggregate(F::kBoolAnd, {kFlag}, TypeId::kBoolean, Range(4))
      .Ranking("row_number", {}, TypeId::kInt64, Range(-1))
      .Ranking("rank", {}, TypeId::kInt64, Range(-1))
      .Ranking("dense_rank", {}, TypeId::kInt64, Range(-1))
      .Ranking("lag", {kA}, TypeId::kInt32, Range(-1))
      .Ranking("lag", {kS, kTwo, kS}, TypeId::kText, Range(-1))
      .Ranking("first_value", {kS}, TypeId::kText, Range(-1))
      .Ranking("first_value", {kA}, TypeId::kInt32, Rows(-1, 2))
      .Ranking("first_value", {kA}, TypeId::kInt32, Rows(2))
      .Ranking("last_value", {kB}, TypeId::kInt64, Range(-1))
      .Ranking("last_value", {kS}, TypeId::kText, Rows(-1, 1))
      .Ranking("nth_value", {kA, kTwo}, TypeId::kInt32, Rows(3));
  return plan;
}

class RandomRows {
 public:
  explicit RandomRows(uint32_t seed) : random_(seed) {}

  int64_t Pick(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  std::string Maybe(std::string text) { return Pick(5) == 0 ? "null" : text; }
  std::string RowAt(int64_t time) {
    return absl::StrCat(Maybe(absl::StrCat(Pick(4))), " ", time, " ",
                        Maybe(absl::StrCat(Pick(20) - 10)), " ",
                        Maybe(absl::StrCat(Pick(9) - 4, Pick(2) == 0 ? ".5" : ".25")), " ",
                        Maybe(absl::StrCat("s", Pick(7))), " ", Maybe(absl::StrCat(Pick(9))), " ",
                        Maybe(Pick(2) == 0 ? "t" : "f"), " 2");
  }

 private:
  std::mt19937 random_;
};

std::vector<std::string> BoundedResult(const OverPlanBuilder& plan, const std::string& rows) {
  OperatorHarness bounded(OverOperator::Create(plan.Bounded()));
  bounded.Push(TextBatch(rows, WatermarkInput()));
  bounded.End();
  return SortedRowsOf(bounded.Take());
}

TEST(WatermarkOverOperatorTest, RandomRowsGiveTheBatchResultAcrossRestarts) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    RandomRows random(seed);
    const OverPlanBuilder plan = ManyCalls(seed % 3 == 0   ? std::vector<int>{}
                                           : seed % 3 == 1 ? std::vector<int>{kK}
                                                           : std::vector<int>{kS, kK});
    MemoryStateStore store;
    auto over =
        std::make_unique<OperatorHarness>(WatermarkOverOperator::Create(plan.Streaming()), &store);
    std::vector<std::string> rows;
    std::vector<Batch> output;
    int64_t watermark = 0;
    for (int step = 0; step < 25; ++step) {
      if (random.Pick(2) == 0) over->set_room(1 + static_cast<int>(random.Pick(2)));
      std::vector<std::string> chunk;
      for (int64_t n = random.Pick(8); n > 0; --n) {
        chunk.push_back(random.RowAt(watermark + random.Pick(12)));
      }
      rows.insert(rows.end(), chunk.begin(), chunk.end());
      if (!chunk.empty()) over->Push(TextBatch(absl::StrJoin(chunk, " | "), WatermarkInput()));
      watermark += random.Pick(6);
      if (random.Pick(2) == 0) over->Watermark(watermark);
      const bool restart = random.Pick(4) == 0;
      if (restart || random.Pick(3) == 0) over->Barrier(restart || random.Pick(2) == 0);
      for (Batch& batch : over->Take()) output.push_back(std::move(batch));
      if (!restart) continue;
      over = std::make_unique<OperatorHarness>(WatermarkOverOperator::Create(plan.Streaming()),
                                               &store);
    }
    over->Watermark(kEnd);
    for (Batch& batch : over->Take()) output.push_back(std::move(batch));
    EXPECT_EQ(over->counters().late_rows, 0u);
    ASSERT_EQ(SortedRowsOf(output), BoundedResult(plan, absl::StrJoin(rows, " | ")));
    over->Barrier(true);
  }
}

TEST(WatermarkOverOperatorTest, ManySlicesOfOneWatermarkGiveTheBatchResult) {
  RandomRows random(1);
  std::vector<std::string> rows;
  for (int i = 0; i < 30000; ++i) rows.push_back(random.RowAt(random.Pick(10000)));
  const std::string text = absl::StrJoin(rows, " | ");
  const OverPlanBuilder plan = ManyCalls({kK});
  OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()));
  over.set_room(1);
  over.Push(TextBatchWithDictionaries(text, WatermarkInput()));
  over.Watermark(5000);
  over.Watermark(kEnd);
  EXPECT_GE(over.resumes(), 2);
  EXPECT_EQ(SortedRowsOf(over.Take()), BoundedResult(plan, text));
}

TEST(WatermarkOverOperatorTest, OldRowsLeaveMemoryAndStore) {
  OverPlanBuilder plan;
  plan.Aggregate(AggregateFunction::kSum, {kA}, TypeId::kInt64, Rows(9));
  MemoryStateStore store;
  OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()), &store);
  for (int64_t epoch = 0; epoch < 60; ++epoch) {
    std::vector<std::string> rows;
    for (int64_t i = 0; i < 1000; ++i) {
      rows.push_back(absl::StrCat(i % 5, " ", epoch * 1000 + i, " 1"));
    }
    over.Push(RowsWith(rows));
    over.Watermark((epoch + 1) * 1000);
    over.Barrier(true);
  }
  EXPECT_LT(over.counters().state_rows, 10000u);
  // Not more than what a checkpoint has of five keys, nine rows each, and rows that wait to be
  // cleared away.
  EXPECT_LT(store.num_entries(), 1500u);
  EXPECT_EQ(over.Take().size(), 60u);
}

TEST(WatermarkOverOperatorTest, WorkGrowsWithChangesNotWithState) {
  OverPlanBuilder plan;
  plan.Aggregate(AggregateFunction::kSum, {kA}, TypeId::kInt64, Rows(9));
  uint64_t touched[2];
  size_t written[2];
  for (const int size : {0, 1}) {
    MemoryStateStore store;
    OperatorHarness over(WatermarkOverOperator::Create(plan.Streaming()), &store);
    std::vector<std::string> rows;
    for (int64_t i = 0; i < (size == 0 ? 100 : 20000); ++i) {
      rows.push_back(absl::StrCat(i % 1000, " ", i % 7, " 1"));
    }
    over.Push(RowsWith(rows));
    // Some go on waiting.
    over.Push(RowsWith(std::vector<std::string>(size == 0 ? 1 : 5000, "1 900 1")));
    over.Watermark(10);
    over.Barrier(true);
    const uint64_t before = over.counters().rows_touched;
    over.Push(RowsWith({"1 20 1", "2 20 1"}));
    over.Watermark(21);
    over.Barrier(true);
    touched[size] = over.counters().rows_touched - before;
    written[size] = store.last_write();
  }
  EXPECT_LE(touched[1], touched[0] + 2 * 10);
  EXPECT_LE(written[1], written[0] + 2);
}

}  // namespace
}  // namespace millrace
