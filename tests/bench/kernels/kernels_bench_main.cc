// Micro-benchmarks of the kernels: ten million rows each, one thread, no reading. Compare with the
// table of peers in docs/benchmarks.md, whose figures are for two threads.

#include <numeric>
#include <random>
#include <string>

#include "arrow/array.h"
#include "arrow/type.h"
#include "benchmark/benchmark.h"
#include "worker/kernels/aggregate_set.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/hash.h"
#include "worker/kernels/join_table.h"
#include "worker/kernels/sort_buffer.h"
#include "worker/kernels/top_n_buffer.h"

namespace millrace {
namespace {

constexpr int64_t kRows = 10'000'000;
constexpr int64_t kBatchRows = 8192;

enum class Nulls { kNone, kSome };

std::shared_ptr<arrow::Array> Numbers(std::mt19937_64& random, int64_t n, uint64_t distinct,
                                      uint64_t spread, Nulls nulls) {
  FlatVector<int64_t> values(n);
  NullBits bits(n);
  for (int64_t i = 0; i < n; ++i) {
    values[i] = static_cast<int64_t>((random() % distinct) * spread);
    if (nulls == Nulls::kSome && random() % 16 == 0) bits.SetNull(i);
  }
  return MakeFixedArray(arrow::int64(), std::move(values), std::move(bits));
}

std::shared_ptr<arrow::Array> Floats(std::mt19937_64& random, int64_t n) {
  FlatVector<double> values(n);
  for (int64_t i = 0; i < n; ++i) values[i] = static_cast<double>(random() % 1000) / 7;
  return MakeFixedArray(arrow::float64(), std::move(values), NullBits(n));
}

std::shared_ptr<arrow::Array> Texts(std::mt19937_64& random, int64_t n, uint64_t distinct) {
  TextOutput out(n);
  for (int64_t i = 0; i < n; ++i) out.Append("customer#" + std::to_string(random() % distinct));
  return out.Finish(arrow::utf8());
}

std::shared_ptr<arrow::Array> Dictionary(std::mt19937_64& random, int64_t n,
                                         const std::shared_ptr<arrow::Array>& values) {
  FlatVector<int32_t> codes(n);
  for (int64_t i = 0; i < n; ++i) codes[i] = static_cast<int32_t>(random() % values->length());
  return std::make_shared<arrow::DictionaryArray>(
      arrow::dictionary(arrow::int32(), arrow::utf8()),
      MakeFixedArray(arrow::int32(), std::move(codes), NullBits(n)), values);
}

// Batches of kRows rows in all; `make` gives the columns of one.
template <typename Make>
std::vector<Batch> MakeBatches(const Make& make) {
  std::mt19937_64 random(42);
  std::vector<Batch> batches;
  for (int64_t done = 0; done < kRows; done += kBatchRows) {
    batches.emplace_back(make(random, kBatchRows), kBatchRows);
  }
  return batches;
}

AggregateCall Call(AggregateFunction function, std::vector<int> args, SqlType type) {
  AggregateCall call;
  call.function = function;
  call.args = std::move(args);
  call.type = type;
  return call;
}

// Groups by all columns but the last (a double), with count(*) and sum.
void GroupBy(benchmark::State& state, const std::vector<Batch>& batches,
             const std::vector<SqlType>& key_types) {
  const SqlType float8 = SqlType::Of(TypeId::kFloat64);
  std::vector<int> keys(key_types.size());
  std::iota(keys.begin(), keys.end(), 0);
  const int value = static_cast<int>(keys.size());
  uint32_t num_groups = 0;
  for (auto unused : state) {
    GroupTable table(key_types);
    auto set =
        AggregateSet::Create({Call(AggregateFunction::kCountStar, {}, SqlType::Of(TypeId::kInt64)),
                              Call(AggregateFunction::kSum, {value}, float8)},
                             {{}, {float8}}, {});
    std::vector<uint32_t> groups(kBatchRows);
    for (const Batch& batch : batches) {
      table.FindOrInsert(batch, keys, groups.data());
      (*set)->Resize(table.size());
      benchmark::DoNotOptimize((*set)->Update(batch, groups.data()));
    }
    std::vector<uint32_t> all(table.size());
    std::iota(all.begin(), all.end(), 0);
    AggregateSet::Columns columns = table.Keys(all);
    benchmark::DoNotOptimize((*set)->Results(all, &columns));
    num_groups = table.size();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
  state.counters["groups"] = num_groups;
}

const SqlType kInt8 = SqlType::Of(TypeId::kInt64);
const SqlType kText = SqlType::Of(TypeId::kText);

void GroupByInt(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Numbers(random, n, state.range(0), 977, Nulls::kNone),
                                 Floats(random, n)};
  });
  GroupBy(state, batches, {kInt8});
}
BENCHMARK(GroupByInt)->Arg(100)->Arg(1'000'000)->Arg(100'000'000)->Unit(benchmark::kMillisecond);

void GroupByNullableInt(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Numbers(random, n, state.range(0), 977, Nulls::kSome),
                                 Floats(random, n)};
  });
  GroupBy(state, batches, {kInt8});
}
BENCHMARK(GroupByNullableInt)->Arg(100)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void GroupByTwoInts(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Numbers(random, n, state.range(0), 977, Nulls::kNone),
                                 Numbers(random, n, state.range(0), 1, Nulls::kNone),
                                 Floats(random, n)};
  });
  GroupBy(state, batches, {kInt8, kInt8});
}
BENCHMARK(GroupByTwoInts)->Arg(10)->Arg(1000)->Unit(benchmark::kMillisecond);

void GroupByText(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Texts(random, n, state.range(0)), Floats(random, n)};
  });
  GroupBy(state, batches, {kText});
}
BENCHMARK(GroupByText)->Arg(100)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void GroupByTwoTexts(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Texts(random, n, 10), Texts(random, n, state.range(0)),
                                 Floats(random, n)};
  });
  GroupBy(state, batches, {kText, kText});
}
BENCHMARK(GroupByTwoTexts)->Arg(10)->Unit(benchmark::kMillisecond);

void GroupByTwoDictionaries(benchmark::State& state) {
  std::mt19937_64 random_values(1);
  const auto values = Texts(random_values, 10, 1000);
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Dictionary(random, n, values), Dictionary(random, n, values),
                                 Floats(random, n)};
  });
  GroupBy(state, batches, {kText, kText});
}
BENCHMARK(GroupByTwoDictionaries)->Unit(benchmark::kMillisecond);

void HashInts(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Numbers(random, n, 1'000'000, 977, Nulls::kNone)};
  });
  std::vector<uint64_t> hashes;
  for (auto unused : state) {
    for (const Batch& batch : batches) HashRows(batch, {0}, &hashes);
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(HashInts)->Unit(benchmark::kMillisecond);

// A million rows with sparse unique keys, probed ten million times; gathers one build column.
void JoinSparse(benchmark::State& state) {
  std::mt19937_64 random(7);
  constexpr int64_t kBuildRows = 1'000'000;
  FlatVector<int64_t> keys(kBuildRows);
  for (int64_t i = 0; i < kBuildRows; ++i) keys[i] = (i * 7919 % kBuildRows) * 977;
  const auto key_column = MakeFixedArray(arrow::int64(), std::move(keys), NullBits(kBuildRows));
  const Batch build({key_column, Floats(random, kBuildRows)}, kBuildRows);
  const auto probes = MakeBatches([&](auto& r, int64_t n) {
    return AggregateSet::Columns{Numbers(r, n, kBuildRows, 977, Nulls::kNone)};
  });
  for (auto unused : state) {
    JoinTable table({kInt8, SqlType::Of(TypeId::kFloat64)}, {0});
    for (int64_t i = 0; i < kBuildRows; i += kBatchRows) {
      table.Append(build.Slice(i, std::min(kBatchRows, kBuildRows - i)));
    }
    table.Finish();
    std::vector<uint32_t> groups(kBatchRows);
    std::vector<uint32_t> rows;
    for (const Batch& probe : probes) {
      table.Find(probe, {0}, groups.data());
      rows.clear();
      for (const uint32_t group : groups) {
        if (group != kNoGroup) rows.push_back(table.RowsOf(group)[0]);
      }
      benchmark::DoNotOptimize(table.rows().Gather(1, rows));
    }
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(JoinSparse)->Unit(benchmark::kMillisecond);

void Encode(SortKeyEncoder& encoder, const Batch& batch, EncodedRows* keys) {
  encoder.Encode({ColumnView(*batch.column(0))}, keys);
}

void SortAll(benchmark::State& state, const std::vector<Batch>& batches, const SqlType& type) {
  for (auto unused : state) {
    SortKeyEncoder encoder({SortDirection{}});
    SortBuffer buffer({type, SqlType::Of(TypeId::kFloat64)}, TieBreak::kArrival);
    EncodedRows keys;
    for (const Batch& batch : batches) {
      Encode(encoder, batch, &keys);
      buffer.Append(batch, keys);
    }
    buffer.Sort();
    for (uint32_t i = 0; i + kBatchRows <= buffer.num_rows(); i += kBatchRows) {
      benchmark::DoNotOptimize(buffer.OrderedBatch(i, kBatchRows));
    }
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}

void SortInts(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Numbers(random, n, UINT64_MAX, 1, Nulls::kNone),
                                 Floats(random, n)};
  });
  SortAll(state, batches, kInt8);
}
BENCHMARK(SortInts)->Unit(benchmark::kMillisecond)->Iterations(1);

void SortTexts(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Texts(random, n, 10'000'000), Floats(random, n)};
  });
  SortAll(state, batches, kText);
}
BENCHMARK(SortTexts)->Unit(benchmark::kMillisecond)->Iterations(1);

void Top100(benchmark::State& state) {
  const auto batches = MakeBatches([&](auto& random, int64_t n) {
    return AggregateSet::Columns{Numbers(random, n, 1'000'000'000, 1, Nulls::kNone),
                                 Floats(random, n)};
  });
  for (auto unused : state) {
    SortKeyEncoder encoder({SortDirection{}});
    TopNBuffer top({kInt8, SqlType::Of(TypeId::kFloat64)}, 100);
    EncodedRows keys;
    for (const Batch& batch : batches) {
      Encode(encoder, batch, &keys);
      top.Add(batch, keys);
    }
    top.Finish();
    benchmark::DoNotOptimize(top.num_rows());
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(Top100)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
