#include "worker/operators/group_top_n_operator.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"

namespace millrace {
namespace {

using Rows = std::vector<std::string>;

const Schema kTopNInput = TextSchema("text k, int4 v, text w");

// The `limit` rows with the largest v of each k.
v1::PlanNode TopNode(uint64_t limit, bool with_number) {
  v1::PlanNode node;
  SetOutput(kTopNInput, node.add_inputs());
  v1::GroupTopNNode* top = node.mutable_group_top_n();
  top->add_partition_keys(0);
  v1::SortKey* key = top->add_order_keys();
  ToProto(*MakeColumn(1, kTopNInput[1].type), key->mutable_expr());
  key->set_descending(true);
  top->set_limit(limit);
  top->set_with_number(with_number);
  return node;
}

Batch InputOf(std::string_view rows) { return TextBatch(rows, kTopNInput); }

TEST(GroupTopN, NumbersTheFirstRows) {
  OperatorHarness harness(GroupTopNOperator::Create(TopNode(2, true)));
  harness.set_room(1);
  harness.Push(InputOf("b 1 x | a 5 z | a 7 q"));
  harness.Push(InputOf("a 5 y | null 1 x"));
  harness.End();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"a 7 q 1", "a 5 y 2", "b 1 x 1", "null 1 x 1"}));
}

TEST(GroupTopN, ThrowsRowsAwayThatCannotBeAmongTheFirst) {
  OperatorHarness harness(GroupTopNOperator::Create(TopNode(1, false)));
  for (int round = 0; round < 4; ++round) {
    std::string rows;
    for (int i = 0; i < 50'000; ++i) {
      absl::StrAppend(&rows, "k", i % 10, " ", round * 50'000 + i, " x | ");
    }
    harness.Push(InputOf(rows));
  }
  harness.End();
  const Rows rows = RowsOf(harness.Take());
  ASSERT_EQ(rows.size(), 10u);
  EXPECT_EQ(rows[9], "k9 199999 x");
}

}  // namespace
}  // namespace millrace
