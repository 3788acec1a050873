// Every operator with state over the real state store: at random checkpoints all memory is dropped,
// and a new attempt goes on from the checkpoint's files. What comes out must be what comes out of
// an operator that was never stopped.

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/expr/evaluator.h"
#include "common/storage/local_file_system.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "worker/kernels/hash.h"
#include "worker/operators/hash_aggregate_operator.h"
#include "worker/operators/hash_join_operator.h"
#include "worker/operators/streaming/changing_group_top_n_operator.h"
#include "worker/operators/streaming/changing_over_operator.h"
#include "worker/operators/streaming/watermark_over_operator.h"
#include "worker/state/job_state_store.h"
#include "worker/state/state_resources.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using Create = absl::StatusOr<std::unique_ptr<Operator>> (*)(const v1::PlanNode&);

constexpr uint32_t kNumShards = 8;
// Few: each checkpoint is synced to disk.
constexpr int kNumSteps = 14;
constexpr int64_t kWindow = 10;
const SqlType kInt4 = SqlType::Of(TypeId::kInt32);
const SqlType kInt8 = SqlType::Of(TypeId::kInt64);

// Key, time, window end, value, text.
Schema Input() { return TextSchema("int8 k, timestamp ts, timestamp w, int4 v, text s"); }
enum Column { kK, kTs, kW, kV, kS };

struct Subject {
  std::string name;
  Create create;
  v1::PlanNode node;
  int num_inputs = 1;
  // Rows may be taken back as long as their window is open.
  bool retracts = true;
  // By whose hash rows come to a task.
  std::vector<int> shard_columns = {kK};
};

v1::PlanNode NodeOver(int num_inputs, bool changing_input, bool changing) {
  v1::PlanNode node;
  node.set_id(7);
  node.set_changing(changing);
  for (int i = 0; i < num_inputs; ++i) {
    SetOutput(Input(), node.add_inputs());
    node.mutable_inputs(i)->set_changing(changing_input);
  }
  return node;
}

AggregateCall Call(AggregateFunction function, std::vector<int> args, SqlType type) {
  AggregateCall call;
  call.function = function;
  call.args = std::move(args);
  call.type = type;
  return call;
}

Subject WindowAggregate(bool on_close) {
  v1::PlanNode node = NodeOver(1, true, !on_close);
  v1::HashAggregateNode* op = node.mutable_hash_aggregate();
  op->add_keys(kW);
  op->add_keys(kK);
  op->set_window_end_key(0);
  op->set_phase(v1::AGGREGATE_PHASE_SINGLE);
  op->set_emit(on_close ? v1::EMIT_MODE_ON_WINDOW_CLOSE : v1::EMIT_MODE_CHANGES);
  AggregateCall distinct = Call(AggregateFunction::kCount, {kS}, kInt8);
  distinct.distinct = true;
  for (const AggregateCall& call :
       {Call(AggregateFunction::kCountStar, {}, kInt8), Call(AggregateFunction::kSum, {kV}, kInt8),
        Call(AggregateFunction::kMax, {kS}, Input()[kS].type), distinct}) {
    ToProto(call, op->add_aggregates());
    v1::AggregateArgTypes* types = op->add_arg_types();
    for (const int arg : call.args) ToProto(Input()[arg].type, types->add_types());
  }
  return {on_close ? "aggregate on window close" : "window aggregate",
          &HashAggregateOperator::Create,
          std::move(node),
          1,
          true,
          {kW, kK}};
}

// Its groups come from the store one by one.
Subject KeyedAggregate(bool text_key) {
  v1::PlanNode node = NodeOver(1, true, true);
  v1::HashAggregateNode* op = node.mutable_hash_aggregate();
  const std::vector<int> keys = text_key ? std::vector<int>{kS} : std::vector<int>{kV, kK};
  for (const int key : keys) op->add_keys(key);
  op->set_phase(v1::AGGREGATE_PHASE_SINGLE);
  op->set_emit(v1::EMIT_MODE_CHANGES);
  for (const AggregateCall& call : {Call(AggregateFunction::kCountStar, {}, kInt8),
                                    Call(AggregateFunction::kSum, {kV}, kInt8)}) {
    ToProto(call, op->add_aggregates());
    v1::AggregateArgTypes* types = op->add_arg_types();
    for (const int arg : call.args) ToProto(Input()[arg].type, types->add_types());
  }
  return {text_key ? "aggregate by text" : "aggregate by integers",
          &HashAggregateOperator::Create,
          std::move(node),
          1,
          true,
          keys};
}

Subject Join(v1::JoinType type, bool windowed) {
  v1::PlanNode node = NodeOver(2, true, true);
  v1::HashJoinNode* op = node.mutable_hash_join();
  op->set_type(type);
  for (const int key : {kK, kW}) {
    op->add_left_keys(key);
    op->add_right_keys(key);
  }
  op->set_symmetric(true);
  if (windowed) op->set_window_end_key(1);
  return {absl::StrCat(v1::JoinType_Name(type), windowed ? " on windows" : ""),
          &HashJoinOperator::Create,
          std::move(node),
          2,
          true,
          {kK, kW}};
}

Subject TopN(bool with_number) {
  v1::PlanNode node = NodeOver(1, true, true);
  v1::GroupTopNNode* op = node.mutable_group_top_n();
  op->add_partition_keys(kK);
  ToProto(SortKey{MakeColumn(kV, kInt4)}, op->add_order_keys());
  op->set_limit(3);
  op->set_with_number(with_number);
  return {with_number ? "numbered top-n" : "top-n", &ChangingGroupTopNOperator::Create,
          std::move(node)};
}

void AddOverCall(const AggregateCall& aggregate, v1::FrameBound::Kind start, v1::OverNode* over) {
  v1::OverCall* call = over->add_calls();
  ToProto(aggregate, call->mutable_aggregate());
  ToProto(aggregate.type, call->mutable_type());
  for (const int arg : aggregate.args) ToProto(Input()[arg].type, call->add_arg_types());
  call->mutable_frame()->set_unit(v1::Frame::UNIT_ROWS);
  call->mutable_frame()->mutable_start()->set_kind(start);
  if (start == v1::FrameBound::KIND_PRECEDING) {
    ToProto(Value{kInt8, int64_t{3}}, call->mutable_frame()->mutable_start()->mutable_offset());
  }
  call->mutable_frame()->mutable_end()->set_kind(v1::FrameBound::KIND_CURRENT_ROW);
}

Subject Over(bool event_time) {
  v1::PlanNode node = NodeOver(1, !event_time, !event_time);
  v1::OverNode* over = node.mutable_over();
  over->add_partition_keys(kK);
  ToProto(SortKey{MakeColumn(kTs, Input()[kTs].type)}, over->add_order_keys());
  over->set_event_time(event_time);
  using Bound = v1::FrameBound;
  AddOverCall(Call(AggregateFunction::kSum, {kV}, kInt8), Bound::KIND_PRECEDING, over);
  AddOverCall(Call(AggregateFunction::kCountStar, {}, kInt8), Bound::KIND_UNBOUNDED_PRECEDING,
              over);
  AddOverCall(Call(AggregateFunction::kMin, {kS}, Input()[kS].type), Bound::KIND_PRECEDING, over);
  return {event_time ? "OVER in event time" : "OVER of changing rows",
          event_time ? &WatermarkOverOperator::Create : &ChangingOverOperator::Create,
          std::move(node), 1, !event_time};
}

// What happens in an epoch.
struct Step {
  std::vector<Batch> batches;
  int64_t watermark = 0;
  bool checkpoint = false;
  // After the checkpoint.
  bool restart = false;
};

std::string RandomRow(std::mt19937& random, int64_t time) {
  const std::string value = random() % 6 == 0 ? "null" : absl::StrCat(random() % 9);
  const std::string key = random() % 9 == 0 ? "null" : absl::StrCat(random() % 4);
  return absl::StrCat(key, " ", time, " ", (time / kWindow + 1) * kWindow, " ", value, " s",
                      random() % 5);
}

// Rows of one input that may still be taken back, with their times.
using Present = std::vector<std::pair<int64_t, std::string>>;

Batch RandomChanges(std::mt19937& random, bool retracts, int64_t watermark, Present* rows) {
  // What the watermark has passed is final.
  std::erase_if(*rows, [&](const auto& row) { return row.first / kWindow * kWindow <= watermark; });
  std::vector<std::string> changes;
  for (size_t n = random() % 10; n > 0; --n) {
    if (retracts && !rows->empty() && random() % 3 == 0) {
      const size_t at = random() % rows->size();
      changes.push_back("- " + (*rows)[at].second);
      rows->erase(rows->begin() + static_cast<int64_t>(at));
      continue;
    }
    const int64_t time = watermark + 1 + static_cast<int64_t>(random() % 25);
    rows->emplace_back(time, RandomRow(random, time));
    changes.push_back((retracts ? "+ " : "") + rows->back().second);
  }
  return TextBatch(absl::StrJoin(changes, " | "), Input());
}

std::vector<Step> RandomSteps(const Subject& subject, uint32_t seed) {
  std::mt19937 random(seed);
  Present present[2];
  std::vector<Step> steps;
  int64_t watermark = 0;
  for (int i = 0; i < kNumSteps; ++i) {
    Step step;
    for (int input = 0; input < subject.num_inputs; ++input) {
      step.batches.push_back(RandomChanges(random, subject.retracts, watermark, &present[input]));
    }
    if (random() % 2 == 0) watermark += static_cast<int64_t>(random() % 8);
    step.watermark = watermark;
    step.restart = random() % 4 == 0;
    step.checkpoint = step.restart || random() % 3 == 0;
    steps.push_back(std::move(step));
  }
  steps.back().watermark = Watermark::kMaxWatermark;
  return steps;
}

// Gives one entry at a time, so that what is loaded in the background takes long.
class SlowStore final : public TaskStateStore {
 public:
  explicit SlowStore(std::unique_ptr<TaskStateStore> store) : store_(std::move(store)) {}

  absl::Status Write(uint32_t node_id, StateEntries entries) override {
    return store_->Write(node_id, std::move(entries));
  }
  using TaskStateStore::Read;
  std::unique_ptr<StateCursor> Read(uint32_t node_id, absl::string_view prefix) override {
    return std::make_unique<Cursor>(store_->Read(node_id, prefix));
  }
  absl::Status Get(uint32_t node_id, absl::Span<const StateKey> keys,
                   std::vector<std::optional<std::string>>* values) override {
    return store_->Get(node_id, keys, values);
  }
  absl::Status ReadPrefixes(uint32_t node_id, absl::Span<const StateKey> prefixes,
                            StateCursor::Visitor visit) override {
    return store_->ReadPrefixes(node_id, prefixes, visit);
  }
  uint32_t num_shards() const override { return store_->num_shards(); }

 private:
  class Cursor final : public StateCursor {
   public:
    explicit Cursor(std::unique_ptr<StateCursor> cursor) : cursor_(std::move(cursor)) {}
    absl::StatusOr<bool> Next(int64_t, Visitor visit) override { return cursor_->Next(1, visit); }

   private:
    const std::unique_ptr<StateCursor> cursor_;
  };
  const std::unique_ptr<TaskStateStore> store_;
};

// How an attempt is spread, and how fast it loads.
struct Layout {
  uint32_t num_workers = 1;
  bool slow = false;
};

class RestoredOperatorsTest : public testing::TestWithParam<std::function<Subject()>> {
 protected:
  RestoredOperatorsTest() {
    std::string pattern = (fs::temp_directory_path() / "mr-restored-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    fs::create_directories(folder_ + "/checkpoints/job-1");
  }
  ~RestoredOperatorsTest() override { fs::remove_all(folder_); }

  // One worker with one task.
  struct Worker {
    std::unique_ptr<JobStateStore> store;
    std::unique_ptr<TaskStateStore> task;
    std::unique_ptr<OperatorHarness> harness;
    ~Worker() {
      harness.reset();
      task.reset();
    }
  };

  // A new attempt: new databases, made from the last checkpoint.
  void Restart(const Subject& subject, Layout layout) {
    workers_.clear();
    ++attempt_;
    for (uint32_t w = 0; w < layout.num_workers; ++w) {
      Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
      const uint32_t first = kNumShards * w / layout.num_workers;
      const uint32_t end = kNumShards * (w + 1) / layout.num_workers;
      JobStateOptions options;
      options.job = JobId(1);
      options.attempt = AttemptId(attempt_);
      options.worker = WorkerId(w + 1);
      options.local_folder = absl::StrCat(folder_, "/local-", attempt_, "-", w);
      options.checkpoint_folder = folder_ + "/checkpoints/job-1";
      options.num_shards = kNumShards;
      options.tasks = {{0, w, first, end - first}};
      auto opened = JobStateStore::Open(options, manifest_.has_value() ? &*manifest_ : nullptr,
                                        resources_, file_system_);
      ASSERT_TRUE(opened.ok()) << opened.status();
      worker.store = *std::move(opened);
      worker.task = worker.store->ForTask(0, w);
      if (layout.slow) worker.task = std::make_unique<SlowStore>(std::move(worker.task));
      worker.harness =
          std::make_unique<OperatorHarness>(subject.create(subject.node), worker.task.get());
    }
  }

  void Checkpoint() {
    manifest_.emplace();
    manifest_->set_epoch(++epoch_);
    for (const auto& worker : workers_) {
      auto files = worker->store->Checkpoint();
      ASSERT_TRUE(files.ok()) << files.status();
      for (const auto& file : *files) *manifest_->add_files() = file;
    }
  }

  // The rows of a batch that come to a worker.
  Batch ShareOf(const Subject& subject, const Batch& batch, size_t worker) const {
    if (workers_.size() == 1) return batch;
    std::vector<uint64_t> hashes;
    HashRows(batch, subject.shard_columns, &hashes);
    std::vector<int32_t> rows;
    for (int64_t i = 0; i < batch.num_rows(); ++i) {
      const uint32_t shard = ShardOf(hashes[i], kNumShards);
      size_t owner = 0;
      while (shard >= kNumShards * (owner + 1) / workers_.size()) ++owner;
      if (owner == worker) rows.push_back(static_cast<int32_t>(i));
    }
    return *TakeRows(batch, rows.data(), static_cast<int64_t>(rows.size()));
  }

  static void Feed(const Step& step, OperatorHarness& harness,
                   const std::function<Batch(const Batch&)>& share) {
    for (size_t input = 0; input < step.batches.size(); ++input) {
      if (step.batches[input].num_rows() == 0) continue;
      const Batch batch = share(step.batches[input]);
      if (batch.num_rows() > 0) harness.Push(batch, static_cast<InputIndex>(input));
    }
    harness.Watermark(step.watermark);
    harness.Barrier(step.checkpoint);
  }

  // `layouts` are those of the attempts, in turn.
  std::map<std::string, int64_t> RunWithRestarts(const Subject& subject,
                                                 const std::vector<Step>& steps,
                                                 const std::vector<Layout>& layouts) {
    std::vector<Batch> output;
    size_t next_layout = 0;
    Restart(subject, layouts[next_layout++ % layouts.size()]);
    for (const Step& step : steps) {
      for (size_t w = 0; w < workers_.size(); ++w) {
        Feed(step, *workers_[w]->harness,
             [&](const Batch& batch) { return ShareOf(subject, batch, w); });
        for (Batch& batch : workers_[w]->harness->Take()) output.push_back(std::move(batch));
      }
      if (step.checkpoint) Checkpoint();
      if (!step.restart) continue;
      Restart(subject, layouts[next_layout++ % layouts.size()]);
      for (const auto& worker : workers_) {
        // Sources say again where they stand.
        worker->harness->Watermark(step.watermark);
        EXPECT_TRUE(worker->harness->Take().empty());
      }
      ++restarts_;
    }
    for (const auto& worker : workers_) EXPECT_EQ(worker->harness->counters().late_rows, 0u);
    return ConsolidatedRows(output);
  }

  static std::map<std::string, int64_t> RunThrough(const Subject& subject,
                                                   const std::vector<Step>& steps) {
    OperatorHarness harness(subject.create(subject.node));
    for (const Step& step : steps) Feed(step, harness, [](const Batch& batch) { return batch; });
    return ConsolidatedRows(harness.Take());
  }

  void ExpectTheSame(const std::vector<Layout>& layouts, uint32_t first_seed) {
    const Subject subject = GetParam()();
    for (uint32_t seed = first_seed; seed < first_seed + 2; ++seed) {
      SCOPED_TRACE(absl::StrCat(subject.name, ", seed ", seed));
      manifest_.reset();
      const std::vector<Step> steps = RandomSteps(subject, seed);
      const auto expected = RunThrough(subject, steps);
      EXPECT_FALSE(expected.empty());
      ASSERT_EQ(RunWithRestarts(subject, steps, layouts), expected);
    }
    EXPECT_GE(restarts_, 4);
  }

  std::string folder_;
  LocalFileSystem file_system_;
  StateResources resources_{8 << 20, 8 << 20};
  std::optional<v1::CheckpointManifest> manifest_;
  uint32_t attempt_ = 0;
  uint64_t epoch_ = 0;
  int restarts_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
};

TEST_P(RestoredOperatorsTest, DroppedMemoryChangesNothing) { ExpectTheSame({{1}}, 1); }

// Input, checkpoints and further restarts come while most of the state is not loaded.
TEST_P(RestoredOperatorsTest, WhatIsNotLoadedYetIsNotMissed) { ExpectTheSame({{1, true}}, 3); }

TEST_P(RestoredOperatorsTest, ShardsMoveBetweenWorkers) {
  ExpectTheSame({{2}, {1, true}, {3, true}, {2, true}}, 5);
}

INSTANTIATE_TEST_SUITE_P(WindowAggregate, RestoredOperatorsTest,
                         testing::Values([] { return WindowAggregate(false); },
                                         [] { return WindowAggregate(true); }));
INSTANTIATE_TEST_SUITE_P(KeyedAggregate, RestoredOperatorsTest,
                         testing::Values([] { return KeyedAggregate(false); },
                                         [] { return KeyedAggregate(true); }));
INSTANTIATE_TEST_SUITE_P(Join, RestoredOperatorsTest,
                         testing::Values([] { return Join(v1::JOIN_TYPE_INNER, true); },
                                         [] { return Join(v1::JOIN_TYPE_FULL, false); },
                                         [] { return Join(v1::JOIN_TYPE_ANTI, false); }));
INSTANTIATE_TEST_SUITE_P(Over, RestoredOperatorsTest,
                         testing::Values([] { return Over(true); }, [] { return Over(false); }));
INSTANTIATE_TEST_SUITE_P(TopN, RestoredOperatorsTest,
                         testing::Values([] { return TopN(true); }, [] { return TopN(false); }));

}  // namespace
}  // namespace millrace
