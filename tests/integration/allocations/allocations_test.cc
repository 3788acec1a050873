// Operators allocate for each batch, never for each row: ten times the rows in a batch must not
// cost more allocations, up to the few with which buffers double.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "arrow/buffer.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/integration/allocations/allocation_counter.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "worker/kernels/array_output.h"
#include "worker/operators/hash_aggregate_operator.h"
#include "worker/operators/hash_join_operator.h"
#include "worker/operators/over_operator.h"
#include "worker/operators/streaming/watermark_over_operator.h"

namespace millrace {
namespace {

// Both fit into one chunk of every operator.
constexpr int64_t kFewRows = 400;
constexpr int64_t kManyRows = 10 * kFewRows;
// Vectors that are made anew for a batch grow some more times for ten times the rows.
constexpr uint64_t kMoreAllowed = 80;

const SqlType kBigint = SqlType::Of(TypeId::kInt64);
const SqlType kDouble = SqlType::Of(TypeId::kFloat64);
const SqlType kText = SqlType::Of(TypeId::kText);
const SqlType kTimestamp = SqlType::Of(TypeId::kTimestamp);

// Key as number, key as text, time, value.
Schema Input() { return TextSchema("int8 k, text s, timestamp ts, int8 v"); }

std::shared_ptr<arrow::Array> Numbers(const SqlType& type, int64_t n,
                                      const std::function<int64_t(int64_t)>& number) {
  FlatVector<int64_t> values(n);
  for (int64_t i = 0; i < n; ++i) values[i] = number(i);
  return MakeFixedArray(ToArrowType(type), std::move(values), NullBits(n));
}

// Rows whose keys are 0 … num_keys − 1 in turn; one microsecond after the other from `time`.
Batch Rows(int64_t n, int64_t num_keys, int64_t time = 0) {
  TextOutput texts(n);
  for (int64_t i = 0; i < n; ++i) texts.Append(absl::StrCat("a key as text ", i % num_keys));
  return Batch({Numbers(kBigint, n, [&](int64_t i) { return i % num_keys; }),
                texts.Finish(ToArrowType(kText)),
                Numbers(kTimestamp, n, [&](int64_t i) { return time + i; }),
                Numbers(kBigint, n, [](int64_t i) { return i * 7919 % 1000; })},
               n);
}

Batch WithWeight(const Batch& batch, int64_t weight) {
  FlatVector<int64_t> weights;
  weights.Resize(batch.num_rows(), weight);
  return batch.WithWeights(MakeInt64Array(std::move(weights)));
}

uint64_t AllocationsOf(const std::function<void()>& work) {
  const uint64_t before = NumAllocations();
  work();
  return NumAllocations() - before;
}

// `work(n)` handles n rows. It is done a few times before it is counted: scratch space and tables
// have their size then.
void ExpectNoAllocationPerRow(const std::function<std::function<void()>(int64_t)>& prepare,
                              int warm_up_runs = 3) {
  for (int i = 0; i < warm_up_runs; ++i) {
    prepare(kManyRows)();
    prepare(kFewRows)();
  }
  const uint64_t few = AllocationsOf(prepare(kFewRows));
  const uint64_t many = AllocationsOf(prepare(kManyRows));
  ::testing::Test::RecordProperty("allocations_few_rows", static_cast<int>(few));
  ::testing::Test::RecordProperty("allocations_many_rows", static_cast<int>(many));
  std::printf("  %llu allocations for %lld rows, %llu for %lld\n",
              static_cast<unsigned long long>(few), static_cast<long long>(kFewRows),
              static_cast<unsigned long long>(many), static_cast<long long>(kManyRows));
  EXPECT_LE(many, few + kMoreAllowed);
}

TEST(AllocationCounter, CountsNewAndArrow) {
  std::vector<std::unique_ptr<int64_t>> kept(1000);
  const uint64_t news = AllocationsOf([&kept] {
    for (auto& number : kept) number = std::make_unique<int64_t>(1);
  });
  EXPECT_EQ(news, CountsNew() ? 1000u : 0u);
  const uint64_t buffers = AllocationsOf([] {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(arrow::AllocateBuffer(1000).ok());
  });
  EXPECT_GE(buffers, CountsNew() ? 20u : 10u);
}

void AddCall(AggregateFunction function, int arg, const SqlType& type,
             v1::HashAggregateNode* node) {
  AggregateCall call;
  call.function = function;
  if (arg >= 0) call.args = {arg};
  call.type = type;
  ToProto(call, node->add_aggregates());
  v1::AggregateArgTypes* types = node->add_arg_types();
  if (arg >= 0) ToProto(Input()[arg].type, types->add_types());
}

// count(*), sum(v), min(v), avg(v), min(s) by the columns `keys`.
v1::PlanNode AggregateNode(const std::vector<int>& keys, v1::AggregatePhase phase) {
  v1::PlanNode node;
  SetOutput(Input(), node.add_inputs());
  v1::HashAggregateNode* aggregate = node.mutable_hash_aggregate();
  for (const int key : keys) aggregate->add_keys(key);
  aggregate->set_phase(phase);
  AddCall(AggregateFunction::kCountStar, -1, kBigint, aggregate);
  AddCall(AggregateFunction::kSum, 3, SqlType::Numeric(0, 0), aggregate);
  AddCall(AggregateFunction::kMin, 3, kBigint, aggregate);
  AddCall(AggregateFunction::kMax, 1, kText, aggregate);
  return node;
}

v1::PlanNode StreamingAggregateNode(const std::vector<int>& keys, bool changing) {
  v1::PlanNode node = AggregateNode(keys, v1::AGGREGATE_PHASE_SINGLE);
  node.mutable_hash_aggregate()->set_emit(v1::EMIT_MODE_CHANGES);
  node.mutable_inputs(0)->set_changing(changing);
  node.set_changing(true);
  return node;
}

const std::vector<std::vector<int>> kKeys = {{0}, {1}, {0, 1}};

TEST(Allocations, HashAggregateFindsItsGroups) {
  for (const std::vector<int>& keys : kKeys) {
    SCOPED_TRACE(::testing::PrintToString(keys));
    OperatorHarness harness(
        HashAggregateOperator::Create(AggregateNode(keys, v1::AGGREGATE_PHASE_SINGLE)));
    ExpectNoAllocationPerRow(
        [&](int64_t n) { return [&harness, batch = Rows(n, 500)] { harness.Push(batch); }; });
  }
}

TEST(Allocations, HashAggregateInsertsGroupsAndGivesThemOut) {
  for (const std::vector<int>& keys : kKeys) {
    SCOPED_TRACE(::testing::PrintToString(keys));
    ExpectNoAllocationPerRow([&](int64_t n) {
      auto harness = std::make_shared<OperatorHarness>(
          HashAggregateOperator::Create(AggregateNode(keys, v1::AGGREGATE_PHASE_SINGLE)));
      return [harness, batch = Rows(n, n)] {
        harness->Push(batch);
        harness->End();
      };
    });
  }
}

TEST(Allocations, StreamingAggregateEmitsChanges) {
  for (const std::vector<int>& keys : kKeys) {
    for (const bool changing : {false, true}) {
      SCOPED_TRACE(absl::StrCat(::testing::PrintToString(keys), changing ? " changing" : ""));
      OperatorHarness harness(
          HashAggregateOperator::Create(StreamingAggregateNode(keys, changing)));
      int64_t weight = 1;
      ExpectNoAllocationPerRow([&](int64_t n) {
        Batch batch = Rows(n, n);
        if (changing) batch = WithWeight(batch, weight);
        return [&harness, batch] {
          harness.Push(batch);
          harness.Barrier();
          harness.Take();
        };
      });
    }
  }
}

TEST(Allocations, ValuesOfAGroupComeAndGo) {
  v1::PlanNode node = StreamingAggregateNode({0}, true);
  AggregateCall join;
  join.function = AggregateFunction::kStringAgg;
  join.args = {1, 1};
  join.type = kText;
  ToProto(join, node.mutable_hash_aggregate()->add_aggregates());
  v1::AggregateArgTypes* types = node.mutable_hash_aggregate()->add_arg_types();
  for (int i = 0; i < 2; ++i) ToProto(kText, types->add_types());
  ExpectNoAllocationPerRow([&](int64_t n) {
    auto harness = std::make_shared<OperatorHarness>(HashAggregateOperator::Create(node));
    // Few groups of many values, all of which are taken back.
    return [harness, batch = Rows(n, 4)] {
      harness->Push(WithWeight(batch, 1));
      harness->Barrier();
      harness->Push(WithWeight(batch, -1));
      harness->Barrier();
      harness->Take();
    };
  });
}

v1::PlanNode JoinNode(v1::JoinType type, bool symmetric) {
  v1::PlanNode node;
  SetOutput(Input(), node.add_inputs());
  SetOutput(Input(), node.add_inputs());
  v1::HashJoinNode* join = node.mutable_hash_join();
  join->set_type(type);
  join->add_left_keys(0);
  join->add_right_keys(0);
  join->set_symmetric(symmetric);
  node.set_changing(symmetric);
  return node;
}

TEST(Allocations, HashJoinBuilds) {
  ExpectNoAllocationPerRow([&](int64_t n) {
    auto harness = std::make_shared<OperatorHarness>(
        HashJoinOperator::Create(JoinNode(v1::JOIN_TYPE_INNER, false)));
    return [harness, batch = Rows(n, n / 2)] {
      harness->Push(batch, 1);
      harness->End(1);
    };
  });
}

TEST(Allocations, HashJoinProbes) {
  for (const v1::JoinType type : {v1::JOIN_TYPE_INNER, v1::JOIN_TYPE_LEFT, v1::JOIN_TYPE_FULL,
                                  v1::JOIN_TYPE_SEMI, v1::JOIN_TYPE_ANTI}) {
    SCOPED_TRACE(v1::JoinType_Name(type));
    OperatorHarness harness(HashJoinOperator::Create(JoinNode(type, false)));
    harness.Push(Rows(5000, 5000), 1);
    harness.End(1);
    ExpectNoAllocationPerRow([&](int64_t n) {
      return [&harness, batch = Rows(n, n)] {
        harness.Push(batch, 0);
        harness.Take();
      };
    });
  }
}

// Rows that are there already: what a stream of changes to known keys does.
TEST(Allocations, SymmetricJoinChangesBothSides) {
  for (const v1::JoinType type :
       {v1::JOIN_TYPE_INNER, v1::JOIN_TYPE_LEFT, v1::JOIN_TYPE_FULL, v1::JOIN_TYPE_ANTI}) {
    for (const InputIndex input : {0, 1}) {
      SCOPED_TRACE(absl::StrCat(v1::JoinType_Name(type), " input ", input));
      OperatorHarness harness(HashJoinOperator::Create(JoinNode(type, true)));
      harness.Push(Rows(kManyRows, kManyRows), 1 - input);
      ExpectNoAllocationPerRow([&](int64_t n) {
        return [&harness, input, batch = Rows(n, n)] {
          harness.Push(batch, input);
          harness.Barrier();
          harness.Take();
        };
      });
    }
  }
}

v1::PlanNode OverNode(bool event_time, int64_t rows_before) {
  v1::PlanNode node;
  SetOutput(Input(), node.add_inputs());
  v1::OverNode* over = node.mutable_over();
  over->add_partition_keys(0);
  ToProto(SortKey{MakeColumn(2, kTimestamp)}, over->add_order_keys());
  over->set_event_time(event_time);
  for (const AggregateFunction function :
       {AggregateFunction::kSum, AggregateFunction::kCount, AggregateFunction::kMax}) {
    v1::OverCall* call = over->add_calls();
    AggregateCall aggregate;
    aggregate.function = function;
    aggregate.args = {3};
    aggregate.type = function == AggregateFunction::kSum ? SqlType::Numeric(0, 0) : kBigint;
    ToProto(aggregate, call->mutable_aggregate());
    ToProto(kBigint, call->add_arg_types());
    ToProto(aggregate.type, call->mutable_type());
    v1::Frame* frame = call->mutable_frame();
    frame->set_unit(v1::Frame::UNIT_ROWS);
    frame->mutable_start()->set_kind(v1::FrameBound::KIND_PRECEDING);
    ToProto(Value{kBigint, rows_before}, frame->mutable_start()->mutable_offset());
    frame->mutable_end()->set_kind(v1::FrameBound::KIND_CURRENT_ROW);
  }
  return node;
}

TEST(Allocations, OverEventTimeMovesItsFrames) {
  for (const int64_t num_keys : {1, 50}) {
    SCOPED_TRACE(num_keys);
    OperatorHarness harness(WatermarkOverOperator::Create(OverNode(true, 9)));
    int64_t time = 0;
    ExpectNoAllocationPerRow(
        [&](int64_t n) {
          Batch batch = Rows(n, num_keys, time);
          time += n;
          return [&harness, batch, time] {
            harness.Push(batch);
            harness.Watermark(time);
            harness.Barrier();
            harness.Take();
          };
        },
        /*warm_up_runs=*/6);
  }
}

TEST(Allocations, OverBoundedInput) {
  ExpectNoAllocationPerRow([&](int64_t n) {
    auto harness = std::make_shared<OperatorHarness>(OverOperator::Create(OverNode(false, 9)));
    return [harness, batch = Rows(n, 50)] {
      harness->Push(batch);
      harness->End();
    };
  });
}

}  // namespace
}  // namespace millrace
