#include "worker/operators/group_top_n_operator.h"

#include <algorithm>
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

const Schema kInput = TextSchema("text k, int4 v, text w");

// The `limit` rows with the largest v of each k.
v1::PlanNode TopNode(uint64_t limit, bool with_number, bool streaming, bool changing) {
  v1::PlanNode node;
  v1::PlanNode* input = node.add_inputs();
  SetOutput(kInput, input);
  input->set_changing(changing);
  node.set_changing(streaming);
  v1::GroupTopNNode* top = node.mutable_group_top_n();
  top->add_partition_keys(0);
  v1::SortKey* key = top->add_order_keys();
  ToProto(*MakeColumn(1, kInput[1].type), key->mutable_expr());
  key->set_descending(true);
  top->set_limit(limit);
  top->set_with_number(with_number);
  return node;
}

Batch In(std::string_view rows) { return TextBatch(rows, kInput); }

TEST(GroupTopN, NumbersTheFirstRows) {
  OperatorHarness harness(GroupTopNOperator::Create(TopNode(2, true, false, false)));
  harness.set_room(1);
  harness.Push(In("b 1 x | a 5 z | a 7 q"));
  harness.Push(In("a 5 y | null 1 x"));
  harness.End();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"a 7 q 1", "a 5 y 2", "b 1 x 1", "null 1 x 1"}));
}

TEST(GroupTopN, ThrowsRowsAwayThatCannotBeAmongTheFirst) {
  OperatorHarness harness(GroupTopNOperator::Create(TopNode(1, false, false, false)));
  for (int round = 0; round < 4; ++round) {
    std::string rows;
    for (int i = 0; i < 50'000; ++i) {
      absl::StrAppend(&rows, "k", i % 10, " ", round * 50'000 + i, " x | ");
    }
    harness.Push(In(rows));
  }
  harness.End();
  const Rows rows = RowsOf(harness.Take());
  ASSERT_EQ(rows.size(), 10u);
  EXPECT_EQ(rows[9], "k9 199999 x");
}

TEST(StreamingGroupTopN, GivesOutWhatChangedAtTheBarrier) {
  OperatorHarness harness(GroupTopNOperator::Create(TopNode(2, true, true, true)));
  harness.Push(In("+ a 5 x | + a 7 y | + a 1 z"));
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"+1 a 5 x 2", "+1 a 7 y 1"}));
  harness.Push(In("- a 7 y"));
  harness.Barrier();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"-1 a 5 x 2", "-1 a 7 y 1", "+1 a 1 z 2", "+1 a 5 x 1"}));
  harness.Push(In("+ a 0 q"));
  harness.Barrier();
  EXPECT_TRUE(harness.Take().empty());
}

TEST(StreamingGroupTopN, ForgetsRowsWhereNothingIsTakenBack) {
  MemoryStateStore store;
  OperatorHarness harness(GroupTopNOperator::Create(TopNode(2, false, true, false)), &store);
  harness.Push(In("a 1 x | a 2 x | a 3 x | a 3 x"));
  harness.Barrier(true);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"+2 a 3 x"}));
  EXPECT_EQ(harness.counters().state_rows, 1u);
  EXPECT_EQ(store.num_entries(), 1u);
}

TEST(StreamingGroupTopN, EndsWithTheBatchResultAndSurvivesRestarts) {
  for (const bool with_number : {false, true}) {
    SCOPED_TRACE(with_number);
    std::mt19937 random(3);
    MemoryStateStore store;
    const v1::PlanNode node = TopNode(3, with_number, true, true);
    auto harness = std::make_unique<OperatorHarness>(GroupTopNOperator::Create(node), &store);
    std::vector<std::string> present;
    std::vector<Batch> output;
    for (int step = 0; step < 30; ++step) {
      std::string rows;
      for (int i = 0; i < 20; ++i) {
        if (!present.empty() && random() % 3 == 0) {
          const size_t at = random() % present.size();
          absl::StrAppend(&rows, "- ", present[at], " | ");
          present.erase(present.begin() + static_cast<int64_t>(at));
        } else {
          present.push_back(
              absl::StrCat("k", random() % 4, " ", random() % 10, " w", random() % 3));
          absl::StrAppend(&rows, "+ ", present.back(), " | ");
        }
      }
      harness->set_room(step % 2 == 0 ? 1 : 100);
      harness->Push(In(rows));
      harness->Barrier(step % 3 == 2);
      for (Batch& batch : harness->Take()) output.push_back(std::move(batch));
      if (step % 6 != 5) continue;
      harness.reset();
      harness = std::make_unique<OperatorHarness>(GroupTopNOperator::Create(node), &store);
    }
    OperatorHarness bounded(GroupTopNOperator::Create(TopNode(3, with_number, false, false)));
    std::string rest;
    for (const std::string& row : present) absl::StrAppend(&rest, row, " | ");
    bounded.Push(In(rest));
    bounded.End();
    EXPECT_EQ(ConsolidatedRows(output), ConsolidatedRows(bounded.Take()));
  }
}

}  // namespace
}  // namespace millrace
