#include "worker/operators/hash_aggregate_operator.h"

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/memory_state_store.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"

namespace millrace {
namespace {

using Rows = std::vector<std::string>;
using Weights = std::map<std::string, int64_t>;

// An aggregate over column `arg`, −1 for none.
void AddCall(v1::HashAggregateNode* node, AggregateFunction function, int arg, SqlType arg_type,
             SqlType type) {
  AggregateCall call;
  call.function = function;
  if (arg >= 0) call.args = {arg};
  call.type = type;
  ToProto(call, node->add_aggregates());
  v1::AggregateArgTypes* types = node->add_arg_types();
  if (arg >= 0) ToProto(arg_type, types->add_types());
}

const SqlType kInt4 = SqlType::Of(TypeId::kInt32);
const SqlType kInt8 = SqlType::Of(TypeId::kInt64);

// SELECT k, count(*), sum(v), max(v), count(DISTINCT v) FROM (k text, v int4) GROUP BY k.
v1::PlanNode KeyedNode(v1::AggregatePhase phase = v1::AGGREGATE_PHASE_SINGLE, bool changing = false,
                       bool distinct = true) {
  v1::PlanNode node;
  v1::PlanNode* input = node.add_inputs();
  SetOutput(TextSchema("text k, int4 v"), input);
  input->set_changing(changing);
  v1::HashAggregateNode* aggregate = node.mutable_hash_aggregate();
  aggregate->add_keys(0);
  aggregate->set_phase(phase);
  AddCall(aggregate, AggregateFunction::kCountStar, -1, {}, kInt8);
  AddCall(aggregate, AggregateFunction::kSum, 1, kInt4, kInt8);
  AddCall(aggregate, AggregateFunction::kMax, 1, kInt4, kInt4);
  if (distinct) {
    AddCall(aggregate, AggregateFunction::kCount, 1, kInt4, kInt8);
    aggregate->mutable_aggregates(3)->set_distinct(true);
  }
  return node;
}

Batch In(std::string_view rows) { return TextBatch(rows, TextSchema("text k, int4 v")); }

TEST(HashAggregateOperator, GroupsInOrderOfAppearance) {
  OperatorHarness harness(HashAggregateOperator::Create(KeyedNode()));
  harness.Push(In("a 1 | b 2 | a 3"));
  harness.Push(In("null 5 | b null | a 3"));
  harness.End();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"a 3 7 3 2", "b 2 2 2 1", "null 1 5 5 1"}));
}

TEST(HashAggregateOperator, EmptyInputGivesNoGroups) {
  OperatorHarness harness(HashAggregateOperator::Create(KeyedNode()));
  harness.End();
  EXPECT_TRUE(harness.Take().empty());
}

TEST(HashAggregateOperator, WithoutKeysThereIsAlwaysOneRow) {
  v1::PlanNode node = KeyedNode();
  node.mutable_hash_aggregate()->clear_keys();
  {
    OperatorHarness harness(HashAggregateOperator::Create(node));
    harness.End();
    EXPECT_EQ(RowsOf(harness.Take()), (Rows{"0 null null 0"}));
  }
  OperatorHarness harness(HashAggregateOperator::Create(node));
  harness.Push(In("a 1 | b 1"));
  harness.End();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"2 2 1 1"}));
}

// The node that merges what KeyedNode(PARTIAL) puts out.
v1::PlanNode FinalNode() {
  v1::PlanNode node = KeyedNode(v1::AGGREGATE_PHASE_FINAL, false, false);
  node.mutable_inputs(0)->clear_output();
  SetOutput(TextSchema("text k, int8 c, int8 s, int8 n, int4 m"), node.mutable_inputs(0));
  return node;
}

TEST(HashAggregateOperator, TwoPhasesGiveTheSame) {
  const v1::PlanNode partial = KeyedNode(v1::AGGREGATE_PHASE_PARTIAL, false, false);
  OperatorHarness final_half(HashAggregateOperator::Create(FinalNode()));
  for (const char* rows : {"a 1 | b 2 | a 3", "b 9 | c null"}) {
    OperatorHarness first_half(HashAggregateOperator::Create(partial));
    first_half.Push(In(rows));
    first_half.End();
    for (const Batch& batch : first_half.Take()) final_half.Push(batch);
  }
  final_half.End();
  EXPECT_EQ(SortedRowsOf(final_half.Take()), (Rows{"a 2 4 3", "b 2 11 9", "c 1 null null"}));
}

TEST(HashAggregateOperator, FirstHalfPassesRowsThroughWhenTheyDoNotCombine) {
  OperatorHarness first_half(
      HashAggregateOperator::Create(KeyedNode(v1::AGGREGATE_PHASE_PARTIAL, false, false)));
  OperatorHarness final_half(HashAggregateOperator::Create(FinalNode()));
  constexpr int kRows = 600'000;
  for (int begin = 0; begin < kRows; begin += 50'000) {
    std::string rows;
    for (int i = begin; i < begin + 50'000; ++i) absl::StrAppend(&rows, "k", i, " 1 | ");
    first_half.Push(In(rows));
  }
  EXPECT_FALSE(first_half.Take().empty());
  first_half.Push(In("k1 5 | k1 6"));
  const std::vector<Batch> passed = first_half.Take();
  EXPECT_EQ(RowsOf(passed), (Rows{"k1 1 5 1 5", "k1 1 6 1 6"}));
  first_half.End();
  EXPECT_TRUE(first_half.Take().empty());
}

// Each epoch ends long before there are enough rows to decide.
TEST(HashAggregateOperator, FirstHalfPassesRowsThroughWhenTheyDoNotCombineWithinEpochs) {
  v1::PlanNode node = KeyedNode(v1::AGGREGATE_PHASE_PARTIAL, false, false);
  node.mutable_hash_aggregate()->set_streaming(true);
  OperatorHarness first_half(HashAggregateOperator::Create(node));
  std::string rows;
  for (int i = 0; i < 50'000; ++i) absl::StrAppend(&rows, "k", i, " 1 | ");
  for (int epoch = 0; epoch < 12; ++epoch) {
    first_half.Push(In(rows));
    first_half.Barrier();
  }
  first_half.Take();
  first_half.Push(In("k1 5 | k1 6"));
  EXPECT_EQ(RowsOf(first_half.Take()), (Rows{"k1 1 5 1 5", "k1 1 6 1 6"}));
}

TEST(HashAggregateOperator, GoesOnWhenTheOutputWasFull) {
  OperatorHarness harness(HashAggregateOperator::Create(KeyedNode()));
  harness.set_room(1);
  std::string rows;
  for (int i = 0; i < 20'000; ++i) absl::StrAppend(&rows, "k", i, " ", i, " | ");
  harness.Push(In(rows));
  harness.End();
  EXPECT_GE(harness.resumes(), 2);
  EXPECT_EQ(RowsOf(harness.Take()).size(), 20'000u);
}

v1::PlanNode ChangesNode(bool input_changing) {
  v1::PlanNode node = KeyedNode(v1::AGGREGATE_PHASE_SINGLE, input_changing);
  node.mutable_hash_aggregate()->set_emit(v1::EMIT_MODE_CHANGES);
  node.set_changing(true);
  return node;
}

TEST(StreamingAggregate, EmitsOldAndNewAtTheBarrier) {
  OperatorHarness harness(HashAggregateOperator::Create(ChangesNode(true)));
  harness.Push(In("+ a 1 | + b 2"));
  EXPECT_TRUE(harness.Take().empty());
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"a 1 1 1 1", "b 1 2 2 1"}));
  harness.Push(In("+ a 5 | - b 2 | + c 1 | - c 1"));
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"-1 a 1 1 1 1", "-1 b 1 2 2 1", "a 2 6 5 2"}));
  // The same row taken back and added is no change.
  harness.Push(In("- a 5 | + a 5"));
  harness.Barrier();
  EXPECT_TRUE(harness.Take().empty());
}

TEST(StreamingAggregate, WorkGrowsWithChangesOnly) {
  OperatorHarness harness(HashAggregateOperator::Create(ChangesNode(true)));
  std::string rows;
  for (int i = 0; i < 5000; ++i) absl::StrAppend(&rows, "k", i, " 1 | ");
  harness.Push(In(rows));
  harness.Barrier();
  const uint64_t before = harness.counters().rows_touched;
  harness.Push(In("k7 1 | k9 1 | k7 1"));
  harness.Barrier();
  EXPECT_EQ(harness.counters().rows_touched - before, 2u);
  EXPECT_EQ(harness.counters().state_rows, 5000u);
}

TEST(StreamingAggregate, WithoutKeysTheFirstEpochHasARow) {
  v1::PlanNode node = ChangesNode(true);
  node.mutable_hash_aggregate()->clear_keys();
  OperatorHarness harness(HashAggregateOperator::Create(node));
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"0 null null 0"}));
  harness.Push(In("+ a 4"));
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"-1 0 null null 0", "1 4 4 1"}));
  harness.Push(In("- a 4"));
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"-1 1 4 4 1", "0 null null 0"}));
}

TEST(StreamingAggregate, WithoutKeysARestartAddsNoSecondRow) {
  v1::PlanNode node = ChangesNode(true);
  node.mutable_hash_aggregate()->clear_keys();
  MemoryStateStore store;
  {
    OperatorHarness harness(HashAggregateOperator::Create(node), &store);
    harness.Barrier(true);
    EXPECT_EQ(RowsOf(harness.Take()), (Rows{"0 null null 0"}));
  }
  OperatorHarness harness(HashAggregateOperator::Create(node), &store);
  harness.Barrier(true);
  EXPECT_TRUE(harness.Take().empty());
  harness.Push(In("+ a 4"));
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"-1 0 null null 0", "1 4 4 1"}));
}

// Random changes; some rows are taken back later. The last epoch takes none back that was never
// there.
std::vector<std::string> RandomEpochs(uint32_t seed, int num_epochs, bool retract) {
  std::mt19937 random(seed);
  std::vector<std::string> present;
  std::vector<std::string> epochs;
  for (int epoch = 0; epoch < num_epochs; ++epoch) {
    std::string rows;
    for (int i = 0; i < 200; ++i) {
      if (retract && !present.empty() && random() % 3 == 0) {
        const size_t at = random() % present.size();
        absl::StrAppend(&rows, i == 0 ? "" : " | ", "- ", present[at]);
        present.erase(present.begin() + static_cast<int64_t>(at));
        continue;
      }
      const std::string value = random() % 9 == 0 ? "null" : absl::StrCat(random() % 20);
      present.push_back(absl::StrCat("k", random() % 30, " ", value));
      absl::StrAppend(&rows, i == 0 ? "" : " | ", "+ ", present.back());
    }
    epochs.push_back(std::move(rows));
  }
  return epochs;
}

TEST(StreamingAggregate, EndsWithTheBatchResultAndSurvivesRestarts) {
  for (const bool retract : {false, true}) {
    for (const int restart_every : {0, 1, 3}) {
      SCOPED_TRACE(absl::StrCat("retract ", retract, " restart ", restart_every));
      const std::vector<std::string> epochs = RandomEpochs(restart_every + 1, 12, retract);
      const v1::PlanNode node = ChangesNode(retract);
      MemoryStateStore store;
      auto harness = std::make_unique<OperatorHarness>(HashAggregateOperator::Create(node), &store);
      std::vector<Batch> changes;
      std::vector<Batch> input;
      for (size_t i = 0; i < epochs.size(); ++i) {
        const bool restart = restart_every > 0 && i % restart_every == 0;
        Batch batch = In(epochs[i]);
        if (!retract) batch = batch.WithWeights(nullptr);
        input.push_back(batch);
        harness->Push(batch);
        harness->Barrier(/*checkpoint=*/restart || i % 2 == 0);
        for (Batch& change : harness->Take()) changes.push_back(std::move(change));
        if (!restart) continue;
        harness.reset();
        harness = std::make_unique<OperatorHarness>(HashAggregateOperator::Create(node), &store);
      }
      // What is left of the input, counted in one go.
      OperatorHarness bounded(HashAggregateOperator::Create(KeyedNode()));
      std::string rest;
      for (const auto& [row, weight] : ConsolidatedRows(input)) {
        for (int64_t copy = 0; copy < weight; ++copy) absl::StrAppend(&rest, row, " | ");
      }
      bounded.Push(In(rest));
      bounded.End();
      EXPECT_EQ(ConsolidatedRows(changes), ConsolidatedRows(bounded.Take()));
    }
  }
}

TEST(StreamingAggregate, WritesChangedGroupsOnly) {
  v1::PlanNode node = ChangesNode(true);
  MemoryStateStore store;
  OperatorHarness harness(HashAggregateOperator::Create(node), &store);
  harness.Push(In("+ a 1 | + b 2 | + c 3"));
  harness.Barrier(true);
  const size_t all = store.num_entries();
  harness.Push(In("+ a 1"));
  harness.Barrier(true);
  // The group, its value of max, and its value of count(DISTINCT).
  EXPECT_EQ(store.last_write(), 3u);
  EXPECT_EQ(store.num_entries(), all);
  harness.Push(In("-2 a 1 | - b 2 | - c 3"));
  harness.Barrier(true);
  EXPECT_EQ(store.num_entries(), 0u);
}

// Groups by (window_end, k) with count(*).
v1::PlanNode WindowNode(v1::EmitMode emit, bool changing = false) {
  v1::PlanNode node;
  v1::PlanNode* input = node.add_inputs();
  SetOutput(TextSchema("timestamp e, text k"), input);
  input->set_changing(changing);
  v1::HashAggregateNode* aggregate = node.mutable_hash_aggregate();
  aggregate->add_keys(1);
  aggregate->add_keys(0);
  aggregate->set_window_end_key(1);
  aggregate->set_phase(v1::AGGREGATE_PHASE_SINGLE);
  aggregate->set_emit(emit);
  AddCall(aggregate, AggregateFunction::kCountStar, -1, {}, kInt8);
  return node;
}

Batch Windowed(std::string_view rows) { return TextBatch(rows, TextSchema("timestamp e, text k")); }

TEST(StreamingAggregate, OnWindowCloseEmitsEachWindowOnce) {
  MemoryStateStore store;
  OperatorHarness harness(HashAggregateOperator::Create(WindowNode(v1::EMIT_MODE_ON_WINDOW_CLOSE)),
                          &store);
  harness.Push(Windowed("10 a | 20 a | 10 b | 10 a"));
  harness.Barrier(true);
  EXPECT_EQ(store.num_entries(), 3u);
  harness.Watermark(9);
  EXPECT_TRUE(harness.Take().empty());
  harness.Watermark(10);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"a 10 2", "b 10 1"}));
  // Too late for a window that is over.
  harness.Push(Windowed("10 a | 20 a"));
  EXPECT_EQ(harness.counters().late_rows, 1u);
  harness.Barrier(true);
  EXPECT_TRUE(harness.Take().empty());
  EXPECT_EQ(store.num_entries(), 1u);
  EXPECT_EQ(harness.counters().state_rows, 1u);
  harness.Watermark(Watermark::kMaxWatermark);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"a 20 2"}));
}

TEST(StreamingAggregate, OnWindowCloseAfterARestart) {
  MemoryStateStore store;
  {
    OperatorHarness harness(
        HashAggregateOperator::Create(WindowNode(v1::EMIT_MODE_ON_WINDOW_CLOSE)), &store);
    harness.Push(Windowed("10 a | 20 a"));
    harness.Barrier(true);
  }
  OperatorHarness harness(HashAggregateOperator::Create(WindowNode(v1::EMIT_MODE_ON_WINDOW_CLOSE)),
                          &store);
  harness.Push(Windowed("10 a | 10 c"));
  harness.Watermark(15);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"a 10 2", "c 10 1"}));
  harness.End();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"a 20 1"}));
}

TEST(StreamingAggregate, ChangesOfAnEndingWindowComeBeforeTheWatermark) {
  OperatorHarness harness(HashAggregateOperator::Create(WindowNode(v1::EMIT_MODE_CHANGES, true)));
  harness.Push(Windowed("+ 10 a | + 20 a"));
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()).size(), 2u);
  harness.Push(Windowed("+ 10 a"));
  harness.Watermark(10);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"-1 a 10 1", "a 10 2"}));
  harness.Push(Windowed("- 10 a"));
  harness.Barrier();
  EXPECT_TRUE(harness.Take().empty());
  EXPECT_EQ(harness.counters().late_rows, 1u);
  EXPECT_EQ(harness.counters().state_rows, 1u);
}

TEST(StreamingAggregate, FreesManyClosedGroups) {
  OperatorHarness harness(HashAggregateOperator::Create(WindowNode(v1::EMIT_MODE_ON_WINDOW_CLOSE)));
  int64_t emitted = 0;
  for (int round = 0; round < 20; ++round) {
    std::string rows;
    for (int i = 0; i < 1000; ++i) absl::StrAppend(&rows, round * 10 + 10, " k", i, " | ");
    absl::StrAppend(&rows, "100000 stays");
    harness.Push(Windowed(rows));
    harness.Watermark(round * 10 + 10);
    harness.Barrier();
    emitted += static_cast<int64_t>(RowsOf(harness.Take()).size());
    EXPECT_EQ(harness.counters().state_rows, 1u);
  }
  EXPECT_EQ(emitted, 20'000);
  harness.End();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"stays 100000 20"}));
}

// The value of a group is held once, however many rows have it.
TEST(HashAggregateOperator, CutsLongResultsByBytes) {
  const Schema schema = TextSchema("int8 k, text v, text d");
  v1::PlanNode node;
  SetOutput(schema, node.add_inputs());
  v1::HashAggregateNode* aggregate = node.mutable_hash_aggregate();
  aggregate->add_keys(0);
  aggregate->set_phase(v1::AGGREGATE_PHASE_SINGLE);
  AggregateCall call;
  call.function = AggregateFunction::kStringAgg;
  call.args = {1, 2};
  call.type = schema[1].type;
  ToProto(call, aggregate->add_aggregates());
  v1::AggregateArgTypes* types = aggregate->add_arg_types();
  for (int i = 0; i < 2; ++i) ToProto(schema[1].type, types->add_types());
  OperatorHarness harness(HashAggregateOperator::Create(node));
  harness.set_room(1);
  std::string rows;
  for (int i = 0; i < 200; ++i) {
    absl::StrAppend(&rows, i == 0 ? "" : " | ", i, " ", std::string(1000, 'x'), " ,");
  }
  const Batch batch = TextBatch(rows, schema);
  for (int i = 0; i < 500; ++i) harness.Push(batch);
  harness.End();
  int64_t groups = 0;
  for (const Batch& part : harness.Take()) {
    EXPECT_LE(part.ByteSize(), kMaxBatchBytes);
    const ColumnView texts(*part.column(1));
    for (int64_t i = 0; i < part.num_rows(); ++i, ++groups) {
      EXPECT_EQ(texts.Text(i).size(), 500u * 1001 - 1);
    }
  }
  EXPECT_EQ(groups, 200);
}

}  // namespace
}  // namespace millrace
