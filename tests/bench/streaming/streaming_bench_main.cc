// Micro-benchmarks of the operators over unbounded input: one thread, no reading, no state store; a
// barrier after every 64 batches. Rows per second are "items_per_second".

#include <random>

#include "arrow/array.h"
#include "arrow/type.h"
#include "benchmark/benchmark.h"
#include "common/base/check.h"
#include "millrace/v1/plan.pb.h"
#include "worker/kernels/array_output.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/hash_aggregate_operator.h"
#include "worker/operators/streaming/changing_group_top_n_operator.h"
#include "worker/operators/streaming/watermark_over_operator.h"

namespace millrace {
namespace {

constexpr int64_t kRows = 2'000'000;
constexpr int64_t kBatchRows = 8192;
constexpr int kBatchesPerEpoch = 64;

const SqlType kBigint = SqlType::Of(TypeId::kInt64);
const SqlType kDouble = SqlType::Of(TypeId::kFloat64);
const SqlType kTimestamp = SqlType::Of(TypeId::kTimestamp);
const SqlType kPrice = SqlType::Numeric(12, 2);

// Key, time, price as float, price as numeric.
Schema Input() { return {{"k", kBigint}, {"ts", kTimestamp}, {"f", kDouble}, {"price", kPrice}}; }

void SetOutput(const Schema& schema, v1::PlanNode* node) {
  for (const Field& field : schema) ToProto(field, node->add_output());
}

// Rows in order of time but for a jitter, one per microsecond.
std::vector<Batch> MakeBatches(int64_t num_keys) {
  std::mt19937_64 random(7);
  std::vector<Batch> batches;
  for (int64_t begin = 0; begin < kRows; begin += kBatchRows) {
    FlatVector<int64_t> keys(kBatchRows);
    FlatVector<int64_t> times(kBatchRows);
    FlatVector<double> floats(kBatchRows);
    FlatVector<__int128> prices(kBatchRows);
    for (int64_t i = 0; i < kBatchRows; ++i) {
      keys[i] = static_cast<int64_t>(random() % static_cast<uint64_t>(num_keys));
      times[i] = begin + i + static_cast<int64_t>(random() % 1000);
      floats[i] = static_cast<double>(random() % 100000) / 7;
      prices[i] = static_cast<__int128>(random() % 1000000);
    }
    const auto column = [](const SqlType& type, auto values) {
      const int64_t n = values.size();
      return MakeFixedArray(ToArrowType(type), std::move(values), NullBits(n));
    };
    batches.emplace_back(
        std::vector<std::shared_ptr<arrow::Array>>{
            column(kBigint, std::move(keys)), column(kTimestamp, std::move(times)),
            column(kDouble, std::move(floats)), column(kPrice, std::move(prices))},
        kBatchRows);
  }
  return batches;
}

class CountingEmitter final : public Emitter {
 public:
  void Emit(Batch batch) override { num_rows_ += batch.num_rows(); }
  bool full() const override { return false; }
  int64_t num_rows() const { return num_rows_; }

 private:
  int64_t num_rows_ = 0;
};

void Check(const absl::StatusOr<Progress>& progress) {
  MR_CHECK(progress.ok() && *progress == Progress::kDone);
}

void RunStream(benchmark::State& state, const v1::PlanNode& node, int64_t num_keys,
               absl::StatusOr<std::unique_ptr<Operator>> (*create)(const v1::PlanNode&)) {
  const std::vector<Batch> batches = MakeBatches(num_keys);
  for (auto _ : state) {
    MemoryBudget memory(int64_t{8} << 30);
    OperatorCounters counters;
    OperatorContext context;
    context.memory = &memory;
    context.counters = &counters;
    auto op = create(node);
    MR_CHECK(op.ok());
    MR_CHECK((*op)->Open(context).ok());
    CountingEmitter out;
    uint64_t epoch = 0;
    for (size_t i = 0; i < batches.size(); ++i) {
      Check((*op)->ProcessBatch(0, batches[i], out));
      Check((*op)->ProcessWatermark(Watermark{static_cast<int64_t>(i) * kBatchRows}, out));
      if (i % kBatchesPerEpoch != 0) continue;
      Check((*op)->ProcessBarrier(Barrier{++epoch, false, false}, out));
    }
    Check((*op)->ProcessWatermark(Watermark{Watermark::kMaxWatermark}, out));
    Check((*op)->ProcessBarrier(Barrier{++epoch, false, true}, out));
    benchmark::DoNotOptimize(out.num_rows());
    MR_CHECK((*op)->Close().ok());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batches.size()) * kBatchRows);
}

// avg(column) over the `rows` rows before; 0 = a running average.
v1::PlanNode MovingAverage(int column, const SqlType& result, int64_t rows) {
  v1::PlanNode node;
  SetOutput(Input(), node.add_inputs());
  v1::OverNode* over = node.mutable_over();
  over->add_partition_keys(0);
  ToProto(SortKey{MakeColumn(1, kTimestamp)}, over->add_order_keys());
  over->set_event_time(true);
  v1::OverCall* call = over->add_calls();
  AggregateCall aggregate;
  aggregate.function = AggregateFunction::kAvg;
  aggregate.args = {column};
  aggregate.type = result;
  ToProto(aggregate, call->mutable_aggregate());
  ToProto(Input()[column].type, call->add_arg_types());
  ToProto(result, call->mutable_type());
  v1::Frame* frame = call->mutable_frame();
  frame->set_unit(rows > 0 ? v1::Frame::UNIT_ROWS : v1::Frame::UNIT_RANGE);
  frame->mutable_start()->set_kind(rows > 0 ? v1::FrameBound::KIND_PRECEDING
                                            : v1::FrameBound::KIND_UNBOUNDED_PRECEDING);
  if (rows > 0) ToProto(Value{kBigint, rows}, frame->mutable_start()->mutable_offset());
  frame->mutable_end()->set_kind(v1::FrameBound::KIND_CURRENT_ROW);
  return node;
}

void BM_MovingAverageNumeric(benchmark::State& state) {
  RunStream(state, MovingAverage(3, SqlType::Numeric(0, 16), state.range(0)), state.range(1),
            WatermarkOverOperator::Create);
}
void BM_MovingAverageFloat(benchmark::State& state) {
  RunStream(state, MovingAverage(2, kDouble, state.range(0)), state.range(1),
            WatermarkOverOperator::Create);
}

void BM_GroupTopN(benchmark::State& state) {
  v1::PlanNode node;
  node.set_changing(true);
  SetOutput(Input(), node.add_inputs());
  v1::GroupTopNNode* top_n = node.mutable_group_top_n();
  top_n->add_partition_keys(0);
  SortKey key{MakeColumn(3, kPrice)};
  key.descending = true;
  ToProto(key, top_n->add_order_keys());
  top_n->set_limit(static_cast<uint64_t>(state.range(0)));
  RunStream(state, node, state.range(1), ChangingGroupTopNOperator::Create);
}

void BM_StreamingSum(benchmark::State& state) {
  v1::PlanNode node;
  node.set_changing(true);
  SetOutput(Input(), node.add_inputs());
  v1::HashAggregateNode* aggregate = node.mutable_hash_aggregate();
  aggregate->add_keys(0);
  aggregate->set_phase(v1::AGGREGATE_PHASE_SINGLE);
  aggregate->set_emit(v1::EMIT_MODE_CHANGES);
  AggregateCall sum;
  sum.function = AggregateFunction::kSum;
  sum.args = {3};
  sum.type = SqlType::Numeric(0, 2);
  ToProto(sum, aggregate->add_aggregates());
  ToProto(kPrice, aggregate->add_arg_types()->add_types());
  RunStream(state, node, state.range(0), HashAggregateOperator::Create);
}

// Rows of frame (0 = from the first), keys.
BENCHMARK(BM_MovingAverageNumeric)
    ->Args({99, 1000})
    ->Args({9, 100000})
    ->Args({0, 1000})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_MovingAverageFloat)->Args({99, 1000})->Args({0, 1000})->Unit(benchmark::kMillisecond);
// Limit, keys.
BENCHMARK(BM_GroupTopN)
    ->Args({1, 100000})
    ->Args({10, 1000})
    ->Args({10, 1})
    ->Unit(benchmark::kMillisecond);
// Keys.
BENCHMARK(BM_StreamingSum)->Arg(100)->Arg(1000000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
