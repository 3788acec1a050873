#include "worker/operators/streaming/changing_group_top_n_operator.h"

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/memory_state_store.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Schema Input() { return TextSchema("int8 k, int4 v, text s"); }

struct TopN {
  uint64_t limit = 2;
  bool with_number = false;
  bool changing_input = true;
  bool descending = false;
  std::vector<int> partition = {0};
  bool streaming = true;

  v1::PlanNode Node() const {
    v1::PlanNode node;
    node.set_id(7);
    node.set_changing(streaming);
    SetOutput(Input(), node.add_inputs());
    node.mutable_inputs(0)->set_changing(changing_input);
    v1::GroupTopNNode* top_n = node.mutable_group_top_n();
    for (const int column : partition) top_n->add_partition_keys(column);
    SortKey key{MakeColumn(1, Input()[1].type)};
    key.descending = descending;
    ToProto(key, top_n->add_order_keys());
    top_n->set_limit(limit);
    top_n->set_with_number(with_number);
    return node;
  }
  absl::StatusOr<std::unique_ptr<Operator>> Create() const {
    return ChangingGroupTopNOperator::Create(Node());
  }
};

Batch Rows(const std::string& text) { return TextBatch(text, Input()); }

TEST(ChangingGroupTopNOperatorTest, GivesOutWhatChangedAtBarriers) {
  OperatorHarness top(TopN{}.Create());
  top.Push(Rows("1 5 a | 1 7 b | 1 9 c | 2 1 d"));
  EXPECT_THAT(top.Take(), IsEmpty());
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()), ElementsAre("+1 1 5 a", "+1 1 7 b", "+1 2 1 d"));
  top.Push(Rows("1 6 e"));
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()), UnorderedElementsAre("+1 1 6 e", "-1 1 7 b"));
  top.Barrier();
  EXPECT_THAT(top.Take(), IsEmpty());
}

TEST(ChangingGroupTopNOperatorTest, ARowThatLeavesLetsTheNextIn) {
  OperatorHarness top(TopN{}.Create());
  top.Push(Rows("1 5 a | 1 7 b | 1 9 c"));
  top.Barrier();
  top.Take();
  top.Push(Rows("- 1 5 a"));
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()), UnorderedElementsAre("-1 1 5 a", "+1 1 9 c"));
  top.Push(Rows("- 1 7 b | - 1 9 c"));
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()), UnorderedElementsAre("-1 1 7 b", "-1 1 9 c"));
}

TEST(ChangingGroupTopNOperatorTest, ChangesThatCancelOutInAnEpochAreNotShown) {
  OperatorHarness top(TopN{}.Create());
  top.Push(Rows("1 5 a"));
  top.Barrier();
  top.Take();
  // Taken back before it is added: the multiset is negative for a moment.
  top.Push(Rows("- 1 4 z | - 1 5 a"));
  top.Push(Rows("+ 1 4 z | + 1 5 a"));
  top.Barrier();
  EXPECT_THAT(top.Take(), IsEmpty());
}

TEST(ChangingGroupTopNOperatorTest, NumbersRowsAndMovesThem) {
  TopN plan;
  plan.with_number = true;
  OperatorHarness top(plan.Create());
  top.Push(Rows("1 5 a | 1 7 b"));
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()), ElementsAre("+1 1 5 a 1", "+1 1 7 b 2"));
  top.Push(Rows("1 4 c"));
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()),
              UnorderedElementsAre("-1 1 5 a 1", "+1 1 4 c 1", "-1 1 7 b 2", "+1 1 5 a 2"));
}

TEST(ChangingGroupTopNOperatorTest, EqualRowsCountOneByOne) {
  TopN plan;
  plan.limit = 3;
  OperatorHarness top(plan.Create());
  top.Push(Rows("+2 1 5 a | +2 1 6 b"));
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()), UnorderedElementsAre("+2 1 5 a", "+1 1 6 b"));
  top.Push(Rows("- 1 5 a"));
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()), UnorderedElementsAre("-1 1 5 a", "+1 1 6 b"));
}

TEST(ChangingGroupTopNOperatorTest, NullsComeLastAndTiesAreBrokenByTheRow) {
  TopN plan;
  plan.partition = {};
  OperatorHarness top(plan.Create());
  top.Push(Rows("null null b | null null a | 3 1 x"));
  top.Barrier();
  EXPECT_THAT(SortedRowsOf(top.Take()), ElementsAre("+1 3 1 x", "+1 null null a"));
}

TEST(ChangingGroupTopNOperatorTest, ForgetsRowsBehindTheLastWhereInputOnlyGrows) {
  TopN plan;
  plan.changing_input = false;
  MemoryStateStore store;
  OperatorHarness top(plan.Create(), &store);
  std::vector<std::string> rows;
  for (int i = 0; i < 5000; ++i) rows.push_back(absl::StrCat("1 ", (i * 7919) % 5000, " r", i));
  top.Push(Rows(absl::StrJoin(rows, " | ")));
  top.Barrier(true);
  EXPECT_EQ(top.counters().state_rows, 2u);
  EXPECT_EQ(store.num_entries(), 2u);
  const uint64_t before = top.counters().rows_touched;
  top.Push(Rows("1 4000 x | 1 4001 y"));
  EXPECT_EQ(top.counters().rows_touched, before);
}

TEST(ChangingGroupTopNOperatorTest, BoundedInputGivesItsFirstRowsAtTheEnd) {
  TopN plan;
  plan.streaming = false;
  plan.changing_input = false;
  plan.with_number = true;
  OperatorHarness top(plan.Create());
  top.Push(Rows("1 5 a | 1 5 a | 1 3 b | 2 1 c"));
  top.End();
  EXPECT_THAT(SortedRowsOf(top.Take()), ElementsAre("1 3 b 1", "1 5 a 2", "2 1 c 1"));
}

TEST(ChangingGroupTopNOperatorTest, LimitZeroGivesNothing) {
  TopN plan;
  plan.limit = 0;
  OperatorHarness top(plan.Create());
  top.Push(Rows("1 5 a"));
  top.Barrier();
  EXPECT_THAT(top.Take(), IsEmpty());
}

TEST(ChangingGroupTopNOperatorTest, WorkGrowsWithChangesNotWithState) {
  uint64_t touched[2];
  size_t written[2];
  for (const int size : {0, 1}) {
    MemoryStateStore store;
    OperatorHarness top(TopN{}.Create(), &store);
    std::vector<std::string> rows;
    for (int i = 0; i < (size == 0 ? 100 : 20000); ++i) {
      rows.push_back(absl::StrCat(i % 100, " ", i, " x"));
    }
    top.Push(Rows(absl::StrJoin(rows, " | ")));
    top.Barrier(true);
    const uint64_t before = top.counters().rows_touched;
    top.Push(Rows("+ 1 0 a | - 2 2 x"));
    top.Barrier(true);
    touched[size] = top.counters().rows_touched - before;
    written[size] = store.last_write();
  }
  EXPECT_LE(touched[1], touched[0] + 4);
  EXPECT_EQ(written[1], written[0]);
}

// A row: key, value, text; NULL as the largest.
using Row = std::tuple<int, int, std::string>;

// What the first rows are, computed from scratch.
std::map<std::string, int64_t> Model(const std::map<Row, int64_t>& rows, const TopN& plan) {
  std::map<int, std::vector<Row>> groups;
  for (const auto& [row, count] : rows) {
    const int key = plan.partition.empty() ? 0 : std::get<0>(row);
    for (int64_t i = 0; i < count; ++i) groups[key].push_back(row);
  }
  std::map<std::string, int64_t> result;
  for (auto& [key, group] : groups) {
    std::stable_sort(group.begin(), group.end(), [&plan](const Row& a, const Row& b) {
      return plan.descending ? std::get<1>(a) > std::get<1>(b) : std::get<1>(a) < std::get<1>(b);
    });
    for (size_t i = 0; i < std::min<size_t>(group.size(), plan.limit); ++i) {
      const auto& [k, v, s] = group[i];
      std::string text = absl::StrCat(k, " ", v, " ", s);
      if (plan.with_number) absl::StrAppend(&text, " ", i + 1);
      ++result[text];
    }
  }
  return result;
}

TEST(ChangingGroupTopNOperatorTest, RandomChangesFollowTheModelAcrossRestarts) {
  for (uint32_t seed = 0; seed < 80; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    TopN plan;
    plan.limit = 1 + random() % 4;
    plan.with_number = random() % 2 == 0;
    plan.changing_input = random() % 2 == 0;
    plan.descending = random() % 2 == 0;
    if (random() % 3 == 0) plan.partition = {};
    MemoryStateStore store;
    auto top = std::make_unique<OperatorHarness>(plan.Create(), &store);
    std::map<Row, int64_t> rows;
    std::vector<Batch> output;
    for (int step = 0; step < 30; ++step) {
      if (random() % 2 == 0) top->set_room(1);
      std::vector<std::string> changes;
      for (size_t n = random() % 12; n > 0; --n) {
        const Row row(static_cast<int>(random() % 3), static_cast<int>(random() % 12),
                      absl::StrCat("s", random() % 3));
        int64_t& count = rows[row];
        const bool removes = plan.changing_input && count > 0 && random() % 2 == 0;
        count += removes ? -1 : 1;
        changes.push_back(absl::StrCat(removes ? "- " : "+ ", std::get<0>(row), " ",
                                       std::get<1>(row), " ", std::get<2>(row)));
      }
      std::shuffle(changes.begin(), changes.end(), random);
      if (!changes.empty()) top->Push(Rows(absl::StrJoin(changes, " | ")));
      const bool restart = random() % 4 == 0;
      if (!restart && random() % 2 == 0) continue;
      top->Barrier(restart || random() % 2 == 0);
      for (Batch& batch : top->Take()) output.push_back(std::move(batch));
      ASSERT_EQ(ConsolidatedRows(output), Model(rows, plan));
      if (restart) top = std::make_unique<OperatorHarness>(plan.Create(), &store);
    }
  }
}

TEST(ChangingGroupTopNOperatorTest, StaysRightWhenDeadRowsAreFreed) {
  std::mt19937 random(5);
  TopN plan;
  plan.limit = 3;
  OperatorHarness top(plan.Create());
  std::map<Row, int64_t> rows;
  std::vector<Batch> output;
  for (int epoch = 0; epoch < 20; ++epoch) {
    std::vector<std::string> changes;
    // The rows of the epoch before leave, new ones come.
    for (auto& [row, count] : rows) {
      if (count == 0 || random() % 20 == 0) continue;
      changes.push_back(
          absl::StrCat("- ", std::get<0>(row), " ", std::get<1>(row), " ", std::get<2>(row)));
      --count;
    }
    for (int i = 0; i < 2000; ++i) {
      const Row row(static_cast<int>(random() % 5), static_cast<int>(random() % 1000),
                    absl::StrCat("e", epoch, "-", i));
      ++rows[row];
      changes.push_back(
          absl::StrCat("+ ", std::get<0>(row), " ", std::get<1>(row), " ", std::get<2>(row)));
    }
    top.Push(Rows(absl::StrJoin(changes, " | ")));
    top.Barrier(epoch % 3 == 0);
    for (Batch& batch : top.Take()) output.push_back(std::move(batch));
    ASSERT_EQ(ConsolidatedRows(output), Model(rows, plan));
  }
}

}  // namespace
}  // namespace millrace
