#include "worker/operators/streaming/changing_over_operator.h"

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/memory_state_store.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "worker/operators/over_operator.h"

namespace millrace {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Bound = v1::FrameBound;

Schema OverInput() { return TextSchema("int8 k, int4 v, float8 f, text s"); }
enum Column { kK, kV, kF, kS };

void AddRanking(const std::string& name, std::vector<int> args, SqlType type, v1::OverNode* over) {
  v1::OverCall* call = over->add_calls();
  call->set_ranking(name);
  for (const int arg : args) {
    call->add_args(arg);
    ToProto(OverInput()[arg].type, call->add_arg_types());
  }
  ToProto(type, call->mutable_type());
}

void AddSum(int column, TypeId type, Bound::Kind start, Bound::Kind end, v1::OverNode* over) {
  AggregateCall sum;
  sum.function = AggregateFunction::kSum;
  sum.args = {column};
  sum.type = SqlType::Of(type);
  v1::OverCall* call = over->add_calls();
  ToProto(sum, call->mutable_aggregate());
  ToProto(sum.type, call->mutable_type());
  ToProto(OverInput()[column].type, call->add_arg_types());
  call->mutable_frame()->set_unit(v1::Frame::UNIT_ROWS);
  for (auto [kind, bound] : {std::pair(start, call->mutable_frame()->mutable_start()),
                             std::pair(end, call->mutable_frame()->mutable_end())}) {
    bound->set_kind(kind);
    if (kind != Bound::KIND_PRECEDING && kind != Bound::KIND_FOLLOWING) continue;
    ToProto(Value{SqlType::Of(TypeId::kInt64), int64_t{2}}, bound->mutable_offset());
  }
}

// OVER (PARTITION BY k ORDER BY v).
v1::PlanNode Node(bool streaming, const std::vector<int>& partition = {kK}) {
  v1::PlanNode node;
  node.set_id(7);
  node.set_changing(streaming);
  SetOutput(OverInput(), node.add_inputs());
  node.mutable_inputs(0)->set_changing(streaming);
  for (const int column : partition) node.mutable_over()->add_partition_keys(column);
  ToProto(SortKey{MakeColumn(kV, OverInput()[kV].type)}, node.mutable_over()->add_order_keys());
  return node;
}

v1::PlanNode WithRank(bool streaming) {
  v1::PlanNode node = Node(streaming);
  AddRanking("rank", {}, SqlType::Of(TypeId::kInt64), node.mutable_over());
  return node;
}

v1::PlanNode WithManyCalls(bool streaming, const std::vector<int>& partition) {
  v1::PlanNode node = Node(streaming, partition);
  v1::OverNode* over = node.mutable_over();
  const SqlType int8 = SqlType::Of(TypeId::kInt64);
  AddRanking("row_number", {}, int8, over);
  AddRanking("dense_rank", {}, int8, over);
  AddRanking("percent_rank", {}, SqlType::Of(TypeId::kFloat64), over);
  AddRanking("lead", {kS}, SqlType::Of(TypeId::kText), over);
  AddSum(kV, TypeId::kInt64, Bound::KIND_PRECEDING, Bound::KIND_FOLLOWING, over);
  AddSum(kF, TypeId::kFloat64, Bound::KIND_UNBOUNDED_PRECEDING, Bound::KIND_CURRENT_ROW, over);
  AddSum(kF, TypeId::kFloat64, Bound::KIND_PRECEDING, Bound::KIND_UNBOUNDED_FOLLOWING, over);
  return node;
}

Batch OverRows(const std::string& text) { return TextBatch(text, OverInput()); }

TEST(ChangingOverOperatorTest, GivesOutWhatChangedAtBarriers) {
  OperatorHarness over(ChangingOverOperator::Create(WithRank(true)));
  over.Push(OverRows("+ 1 5 0 a | + 1 7 0 b | + 2 1 0 c"));
  EXPECT_THAT(over.Take(), IsEmpty());
  over.Barrier();
  EXPECT_THAT(RowsOf(over.Take()),
              UnorderedElementsAre("+1 1 5 0 a 1", "+1 1 7 0 b 2", "+1 2 1 0 c 1"));
  over.Push(OverRows("+ 1 6 0 d"));
  over.Barrier();
  // Only what has another rank than before.
  EXPECT_THAT(RowsOf(over.Take()),
              UnorderedElementsAre("+1 1 6 0 d 2", "-1 1 7 0 b 2", "+1 1 7 0 b 3"));
  over.Push(OverRows("- 1 5 0 a"));
  over.Barrier();
  EXPECT_THAT(RowsOf(over.Take()),
              UnorderedElementsAre("-1 1 5 0 a 1", "-1 1 6 0 d 2", "+1 1 6 0 d 1", "-1 1 7 0 b 3",
                                   "+1 1 7 0 b 2"));
}

TEST(ChangingOverOperatorTest, ChangesThatCancelOutAreNotShown) {
  OperatorHarness over(ChangingOverOperator::Create(WithRank(true)));
  over.Push(OverRows("+ 1 5 0 a"));
  over.Barrier();
  over.Take();
  // A row may be taken back before it comes, within an epoch.
  over.Push(OverRows("- 1 9 0 z | + 1 9 0 z"));
  over.Barrier();
  EXPECT_THAT(over.Take(), IsEmpty());
}

TEST(ChangingOverOperatorTest, PartitionsThatEmptyAreForgotten) {
  MemoryStateStore store;
  OperatorHarness over(ChangingOverOperator::Create(WithRank(true)), &store);
  over.Push(OverRows("+ 1 5 0 a | + null null null null"));
  over.Barrier(true);
  EXPECT_EQ(store.num_entries(), 2u);
  over.Push(OverRows("- 1 5 0 a | - null null null null"));
  over.Barrier(true);
  EXPECT_EQ(store.num_entries(), 0u);
  EXPECT_EQ(over.counters().state_rows, 0u);
}

TEST(ChangingOverOperatorTest, WorkGrowsWithTouchedPartitions) {
  OperatorHarness over(ChangingOverOperator::Create(WithRank(true)));
  std::vector<std::string> rows;
  for (int i = 0; i < 3000; ++i) rows.push_back(absl::StrCat("+ ", i / 3, " ", i % 3, " 0 s"));
  over.Push(OverRows(absl::StrJoin(rows, " | ")));
  over.Barrier();
  const uint64_t before = over.counters().rows_touched;
  over.Push(OverRows("+ 7 9 0 s"));
  over.Barrier();
  // The row, three rows as they were and four as they are.
  EXPECT_EQ(over.counters().rows_touched - before, 8u);
}

// Rows that come, and some of `present` that go.
std::string RandomChanges(std::mt19937& random, std::vector<std::string>* present) {
  std::vector<std::string> changes;
  for (size_t n = random() % 15; n > 0; --n) {
    if (!present->empty() && random() % 3 == 0) {
      const size_t at = random() % present->size();
      changes.push_back("- " + (*present)[at]);
      present->erase(present->begin() + static_cast<int64_t>(at));
      continue;
    }
    const std::string value = random() % 5 == 0 ? "null" : absl::StrCat(random() % 6);
    present->push_back(
        absl::StrCat(random() % 3, " ", value, " ", random() % 100, ".1 s", random() % 3));
    changes.push_back("+ " + present->back());
  }
  return absl::StrJoin(changes, " | ");
}

std::map<std::string, int64_t> BoundedResult(const std::vector<std::string>& rows,
                                             const std::vector<int>& partition) {
  OperatorHarness bounded(OverOperator::Create(WithManyCalls(false, partition)));
  if (!rows.empty()) bounded.Push(OverRows(absl::StrJoin(rows, " | ")));
  bounded.End();
  return ConsolidatedRows(bounded.Take());
}

void CompareWithBatchResult(uint32_t seed) {
  std::mt19937 random(seed);
  const std::vector<int> partition = seed % 3 == 0 ? std::vector<int>{} : std::vector<int>{kK};
  const v1::PlanNode node = WithManyCalls(true, partition);
  MemoryStateStore store;
  auto over = std::make_unique<OperatorHarness>(ChangingOverOperator::Create(node), &store);
  std::vector<std::string> present;
  std::vector<Batch> output;
  for (int step = 0; step < 25; ++step) {
    if (random() % 2 == 0) over->set_room(1);
    const std::string changes = RandomChanges(random, &present);
    if (!changes.empty()) over->Push(OverRows(changes));
    const bool restart = random() % 4 == 0;
    if (!restart && random() % 2 == 0) continue;
    over->Barrier(restart || random() % 2 == 0);
    for (Batch& batch : over->Take()) output.push_back(std::move(batch));
    ASSERT_EQ(ConsolidatedRows(output), BoundedResult(present, partition));
    if (!restart) continue;
    over = std::make_unique<OperatorHarness>(ChangingOverOperator::Create(node), &store);
  }
}

TEST(ChangingOverOperatorTest, RandomChangesGiveTheBatchResultAcrossRestarts) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    CompareWithBatchResult(seed);
  }
}

}  // namespace
}  // namespace millrace
