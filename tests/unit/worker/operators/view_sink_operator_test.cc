#include "worker/operators/view_sink_operator.h"

#include <arrow/array.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/memory_state_store.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "worker/state/memory_view_store.h"

namespace millrace {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// Lets nobody read before Open is called; with an error, reading then fails.
class Gate {
 public:
  void Open(absl::Status result = absl::OkStatus()) {
    const std::lock_guard lock(mutex_);
    open_ = true;
    result_ = std::move(result);
    changed_.notify_all();
  }
  absl::Status Pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
    return result_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  absl::Status result_;
};

class GatedCursor final : public StateCursor {
 public:
  GatedCursor(std::unique_ptr<StateCursor> cursor, Gate& gate)
      : cursor_(std::move(cursor)), gate_(gate) {}
  absl::StatusOr<bool> Next(int64_t entries_max, Visitor visit) override {
    MR_RETURN_IF_ERROR(gate_.Pass());
    return cursor_->Next(entries_max, visit);
  }

 private:
  const std::unique_ptr<StateCursor> cursor_;
  Gate& gate_;
};

class GatedStore final : public TaskStateStore {
 public:
  explicit GatedStore(MemoryStateStore& store) : store_(store) {}
  Gate gate;

  absl::Status Write(uint32_t node_id, StateEntries entries) override {
    return store_.Write(node_id, std::move(entries));
  }
  using TaskStateStore::Read;
  std::unique_ptr<StateCursor> Read(uint32_t node_id, absl::string_view prefix) override {
    return std::make_unique<GatedCursor>(store_.Read(node_id, prefix), gate);
  }
  absl::Status Get(uint32_t node_id, absl::Span<const StateKey> keys,
                   std::vector<std::optional<std::string>>* values) override {
    return store_.Get(node_id, keys, values);
  }
  absl::Status ReadPrefixes(uint32_t node_id, absl::Span<const StateKey> prefixes,
                            StateCursor::Visitor visit) override {
    return store_.ReadPrefixes(node_id, prefixes, visit);
  }
  uint32_t num_shards() const override { return store_.num_shards(); }

 private:
  MemoryStateStore& store_;
};

class NoOutput final : public Emitter {
 public:
  void Emit(Batch) override { ADD_FAILURE() << "a view sink gave something out"; }
  bool full() const override { return false; }
};

// One attempt's sink of a view with a key.
class Sink {
 public:
  Sink(MemoryStateStore& base, MemoryViewStore& views, uint32_t attempt, uint64_t restored_epoch)
      : store_(base), views_(views) {
    v1::PlanNode node;
    SetOutput(schema_, node.add_inputs());
    node.mutable_view_sink()->set_object_id(1);
    node.mutable_view_sink()->add_key_columns(0);
    node.mutable_view_sink()->add_shard_columns(0);
    op_ = *ViewSinkOperator::Create(node);
    context_.job = JobId(2);
    context_.attempt = AttemptId(attempt);
    context_.restored_epoch = Epoch(restored_epoch);
    context_.counters = &counters_;
    context_.memory = &memory_;
    context_.state = &store_;
    context_.views = &views_;
    context_.wake = [this] {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      changed_.notify_all();
    };
    const absl::Status opened = op_->Open(context_);
    EXPECT_TRUE(opened.ok()) << opened;
  }
  ~Sink() {
    EXPECT_TRUE(op_->Close().ok());
    op_.reset();
    EXPECT_EQ(memory_.used(), 0);
  }

  void Push(std::string_view rows) {
    const auto progress = op_->ProcessBatch(0, TextBatch(rows, schema_), out_);
    EXPECT_TRUE(progress.ok()) << progress.status();
  }
  absl::StatusOr<Progress> PassBarrier(Barrier barrier) {
    return op_->ProcessBarrier(barrier, out_);
  }
  absl::StatusOr<Progress> Resume() { return op_->Resume(out_); }
  void AwaitWake() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return woken_; });
  }
  // The weight of each row of the view.
  absl::StatusOr<std::map<std::string, int64_t>> Rows(uint64_t epoch) {
    const ViewPart part{ObjectId(1), JobId(2), context_.attempt, 0};
    MR_ASSIGN_OR_RETURN(auto batches, views_.Read(part, Epoch(epoch)));
    return ConsolidatedRows(batches);
  }
  Gate& gate() { return store_.gate; }
  const OperatorCounters& counters() const { return counters_; }

 private:
  const Schema schema_ = TextSchema("int8 k, text v");
  GatedStore store_;
  MemoryViewStore& views_;
  MemoryBudget memory_{int64_t{1} << 30};
  OperatorCounters counters_;
  OperatorContext context_;
  std::unique_ptr<Operator> op_;
  NoOutput out_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

class ViewSinkOperatorTest : public testing::Test {
 protected:
  // The view has rows 1 and 2 at the checkpoint of epoch 5.
  ViewSinkOperatorTest() {
    Sink first(base_, views_, 1, 0);
    first.Push("+ 1 a | + 2 b");
    EXPECT_EQ(*first.PassBarrier({5, /*checkpoint=*/true}), Progress::kDone);
  }

  MemoryStateStore base_;
  MemoryViewStore views_;
};

TEST_F(ViewSinkOperatorTest, GoesOnWhileItsRowsAreReadAndGivesBothToReaders) {
  Sink sink(base_, views_, 2, 5);
  sink.Push("- 1 a | + 1 c | + 3 d");
  EXPECT_EQ(*sink.PassBarrier({6}), Progress::kDone);
  EXPECT_EQ(GetErrorDetail(sink.Rows(6).status()).state, SqlState::kObjectNotInPrerequisiteState);

  sink.gate().Open();
  sink.AwaitWake();
  EXPECT_THAT(*sink.Rows(5), UnorderedElementsAre(Pair("1 a", 1), Pair("2 b", 1)));
  EXPECT_THAT(*sink.Rows(6), UnorderedElementsAre(Pair("1 c", 1), Pair("2 b", 1), Pair("3 d", 1)));
  EXPECT_EQ(*sink.PassBarrier({7}), Progress::kDone);
  EXPECT_EQ(sink.counters().state_rows, 3u);
}

TEST_F(ViewSinkOperatorTest, ACheckpointWhileRowsAreReadHasThemAll) {
  {
    Sink sink(base_, views_, 2, 5);
    sink.Push("- 1 a | + 1 c");
    EXPECT_EQ(*sink.PassBarrier({6, /*checkpoint=*/true}), Progress::kDone);
    sink.gate().Open();
    sink.AwaitWake();
    // What the checkpoint has written since does not count twice.
    EXPECT_THAT(*sink.Rows(6), UnorderedElementsAre(Pair("1 c", 1), Pair("2 b", 1)));
  }
  Sink sink(base_, views_, 3, 6);
  sink.gate().Open();
  EXPECT_EQ(*sink.PassBarrier({7}), Progress::kDone);
  sink.AwaitWake();
  EXPECT_THAT(*sink.Rows(6), UnorderedElementsAre(Pair("1 c", 1), Pair("2 b", 1)));
}

TEST_F(ViewSinkOperatorTest, TheLastBarrierWaitsForTheRows) {
  Sink sink(base_, views_, 2, 5);
  EXPECT_EQ(*sink.PassBarrier({6, /*checkpoint=*/true, /*final=*/true}), Progress::kWaiting);
  EXPECT_EQ(*sink.Resume(), Progress::kWaiting);
  sink.gate().Open();
  sink.AwaitWake();
  EXPECT_EQ(*sink.Resume(), Progress::kDone);
  EXPECT_EQ(sink.Rows(6)->size(), 2u);
}

TEST_F(ViewSinkOperatorTest, FailsWhenItsRowsCannotBeRead) {
  Sink sink(base_, views_, 2, 5);
  sink.gate().Open(MakeError(SqlState::kDataCorrupted, "a block is damaged"));
  EXPECT_EQ(*sink.PassBarrier({6}), Progress::kDone);
  sink.AwaitWake();
  EXPECT_EQ(GetErrorDetail(sink.PassBarrier({7}).status()).state, SqlState::kDataCorrupted);
}

TEST_F(ViewSinkOperatorTest, ItsRowsCountOnTheWorkerWhenTheTaskHasEnded) {
  MemoryBudget worker(1 << 20, MemoryBudget::Of::kWorker);
  MemoryBudget memory(worker, MemoryBudget::Of::kViews);
  MemoryViewStore views(&memory);
  {
    Sink sink(base_, views, 2, 5);
    sink.Push("+ 3 c");
    EXPECT_EQ(*sink.PassBarrier({6, /*checkpoint=*/true, /*final=*/true}), Progress::kWaiting);
    sink.gate().Open();
    sink.AwaitWake();
    EXPECT_EQ(*sink.Resume(), Progress::kDone);
  }
  const ViewPart part{ObjectId(1), JobId(2), AttemptId(2), 0};
  EXPECT_GT(views.bytes(part), 0);
  EXPECT_EQ(worker.used(), views.bytes(part));
  views.Drop(part.job, part.attempt);
  EXPECT_EQ(worker.used(), 0);
}

TEST_F(ViewSinkOperatorTest, FailsWhenTheWorkerHasNoRoomForItsRows) {
  MemoryBudget worker(1, MemoryBudget::Of::kWorker);
  MemoryBudget memory(worker, MemoryBudget::Of::kViews);
  MemoryViewStore views(&memory);
  {
    Sink sink(base_, views, 2, 5);
    EXPECT_EQ(*sink.PassBarrier({6}), Progress::kDone);
    sink.gate().Open();
    sink.AwaitWake();
    EXPECT_EQ(GetErrorDetail(sink.PassBarrier({7}).status()).state, SqlState::kOutOfMemory);
  }
  Sink sink(base_, views, 3, 0);
  sink.Push("+ 3 c");
  EXPECT_EQ(GetErrorDetail(sink.PassBarrier({6}).status()).state, SqlState::kOutOfMemory);
  EXPECT_EQ(worker.used(), 0);
}

TEST_F(ViewSinkOperatorTest, MayBeClosedBeforeItsFirstBarrier) {
  Sink sink(base_, views_, 2, 5);
  sink.Push("+ 9 z");
}

TEST_F(ViewSinkOperatorTest, MayBeClosedWhileItsRowsAreRead) {
  Sink sink(base_, views_, 2, 5);
  EXPECT_EQ(*sink.PassBarrier({6}), Progress::kDone);
  // The thread stops as soon as it can read.
  sink.gate().Open();
}

}  // namespace
}  // namespace millrace
