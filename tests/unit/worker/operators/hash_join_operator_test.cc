#include "worker/operators/hash_join_operator.h"

#include <algorithm>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/memory_state_store.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "worker/operators/nested_loop_join_operator.h"

namespace millrace {
namespace {

using Rows = std::vector<std::string>;

const Schema kLeft = TextSchema("int4 k, text a");
const Schema kRight = TextSchema("int4 k, int4 b");

// left.a... the residual: left.k < right.b, by position in left ++ right.
ExprPtr Residual() {
  auto less = std::make_shared<Expr>();
  less->kind = ExprKind::kCall;
  less->type = SqlType::Of(TypeId::kBoolean);
  less->function = "lt(int4,int4)";
  less->args = {MakeColumn(0, SqlType::Of(TypeId::kInt32)),
                MakeColumn(3, SqlType::Of(TypeId::kInt32))};
  return less;
}

enum class With { kNoResidual, kResidual };

v1::PlanNode JoinNode(v1::JoinType type, With residual = With::kNoResidual, bool symmetric = false,
                      bool changing = false) {
  v1::PlanNode node;
  SetOutput(kLeft, node.add_inputs());
  SetOutput(kRight, node.add_inputs());
  v1::HashJoinNode* join = node.mutable_hash_join();
  join->set_type(type);
  join->add_left_keys(0);
  join->add_right_keys(0);
  join->set_symmetric(symmetric);
  if (residual == With::kResidual) ToProto(*Residual(), join->mutable_residual());
  node.set_changing(changing);
  for (v1::PlanNode& input : *node.mutable_inputs()) input.set_changing(changing);
  return node;
}

std::vector<Batch> RunBounded(const v1::PlanNode& node, std::string_view left,
                              std::string_view right, int room = 1 << 20) {
  OperatorHarness harness(HashJoinOperator::Create(node));
  harness.set_room(room);
  EXPECT_EQ(harness.op().open_inputs(), 2u);
  harness.Push(TextBatch(right, kRight), 1);
  harness.End(1);
  EXPECT_EQ(harness.op().open_inputs(), 1u);
  harness.Push(TextBatch(left, kLeft), 0);
  harness.End(0);
  return harness.Take();
}

// A join by definition, row by row.
Rows Model(v1::JoinType type, With residual, const Batch& left, const Batch& right) {
  const Rows left_rows = RowsOf(left);
  const Rows right_rows = RowsOf(right);
  const ColumnView left_keys(*left.column(0));
  const ColumnView right_keys(*right.column(0));
  const ColumnView right_values(*right.column(1));
  Rows joined;
  std::vector<bool> right_matched(right_rows.size());
  for (size_t l = 0; l < left_rows.size(); ++l) {
    bool matched = false;
    for (size_t r = 0; r < right_rows.size(); ++r) {
      if (left_keys.IsNull(l) || right_keys.IsNull(r)) continue;
      const int32_t key = left_keys.Get<int32_t>(l);
      if (key != right_keys.Get<int32_t>(r)) continue;
      const bool passes = residual == With::kNoResidual ||
                          (!right_values.IsNull(r) && key < right_values.Get<int32_t>(r));
      if (!passes) continue;
      matched = true;
      right_matched[r] = true;
      if (type <= v1::JOIN_TYPE_FULL) joined.push_back(left_rows[l] + " " + right_rows[r]);
    }
    const bool pads = type == v1::JOIN_TYPE_LEFT || type == v1::JOIN_TYPE_FULL;
    if (pads && !matched) joined.push_back(left_rows[l] + " null null");
    if (type == v1::JOIN_TYPE_SEMI && matched) joined.push_back(left_rows[l]);
    if (type == v1::JOIN_TYPE_ANTI && !matched) joined.push_back(left_rows[l]);
  }
  for (size_t r = 0; r < right_rows.size(); ++r) {
    const bool pads = type == v1::JOIN_TYPE_RIGHT || type == v1::JOIN_TYPE_FULL;
    if (pads && !right_matched[r]) joined.push_back("null null " + right_rows[r]);
  }
  std::sort(joined.begin(), joined.end());
  return joined;
}

constexpr v1::JoinType kTypes[] = {v1::JOIN_TYPE_INNER, v1::JOIN_TYPE_LEFT, v1::JOIN_TYPE_RIGHT,
                                   v1::JOIN_TYPE_FULL,  v1::JOIN_TYPE_SEMI, v1::JOIN_TYPE_ANTI};

std::string RandomRows(std::mt19937& random, int n, int num_keys, bool is_left) {
  std::string rows;
  for (int i = 0; i < n; ++i) {
    const auto key = random() % num_keys;
    absl::StrAppend(&rows, i == 0 ? "" : " | ", key == 0 ? "null" : absl::StrCat(key), " ",
                    is_left ? absl::StrCat("a", random() % 5) : absl::StrCat(random() % 9));
  }
  return rows;
}

TEST(HashJoinOperator, EveryTypeAgreesWithTheDefinition) {
  std::mt19937 random(17);
  for (const v1::JoinType type : kTypes) {
    for (const With residual : {With::kNoResidual, With::kResidual}) {
      for (const int num_keys : {3, 12, 1000}) {
        SCOPED_TRACE(absl::StrCat(v1::JoinType_Name(type), " keys ", num_keys, " residual ",
                                  residual == With::kResidual));
        const std::string left = RandomRows(random, 150, num_keys, true);
        const std::string right = RandomRows(random, 120, num_keys, false);
        const Rows expected =
            Model(type, residual, TextBatch(left, kLeft), TextBatch(right, kRight));
        EXPECT_EQ(SortedRowsOf(RunBounded(JoinNode(type, residual), left, right)), expected);
        EXPECT_EQ(SortedRowsOf(RunBounded(JoinNode(type, residual), left, right, 1)), expected);
      }
    }
  }
}

TEST(HashJoinOperator, EmptySides) {
  EXPECT_TRUE(RunBounded(JoinNode(v1::JOIN_TYPE_INNER), "1 a", "").empty());
  EXPECT_EQ(RowsOf(RunBounded(JoinNode(v1::JOIN_TYPE_LEFT), "1 a", "")), (Rows{"1 a null null"}));
  EXPECT_EQ(RowsOf(RunBounded(JoinNode(v1::JOIN_TYPE_FULL), "", "1 2")), (Rows{"null null 1 2"}));
  EXPECT_EQ(RowsOf(RunBounded(JoinNode(v1::JOIN_TYPE_ANTI), "1 a | null b", "")),
            (Rows{"1 a", "null b"}));
}

TEST(HashJoinOperator, NotInKnowsAboutNulls) {
  const v1::PlanNode node = JoinNode(v1::JOIN_TYPE_NULL_AWARE_ANTI);
  EXPECT_EQ(RowsOf(RunBounded(node, "1 a | 2 b | null c", "1 5")), (Rows{"2 b"}));
  EXPECT_TRUE(RunBounded(node, "1 a | 2 b | null c", "1 5 | null 6").empty());
  EXPECT_EQ(RowsOf(RunBounded(node, "1 a | null c", "")), (Rows{"1 a", "null c"}));
}

TEST(HashJoinOperator, ManyMatchesComeInBoundedBatches) {
  std::string left;
  std::string right;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&left, "1 a | ");
    absl::StrAppend(&right, "1 ", i, " | ");
  }
  const std::vector<Batch> joined = RunBounded(JoinNode(v1::JOIN_TYPE_INNER), left, right, 1);
  int64_t rows = 0;
  for (const Batch& batch : joined) {
    EXPECT_LE(batch.num_rows(), kTargetBatchRows);
    rows += batch.num_rows();
  }
  EXPECT_EQ(rows, 90'000);
}

TEST(NestedLoopJoinOperator, EveryTypeAgreesWithTheHashJoin) {
  std::mt19937 random(23);
  for (const v1::JoinType type : kTypes) {
    SCOPED_TRACE(v1::JoinType_Name(type));
    const std::string left = RandomRows(random, 60, 6, true);
    const std::string right = RandomRows(random, 50, 6, false);
    v1::PlanNode node = JoinNode(type);
    auto equal = std::make_shared<Expr>(*Residual());
    equal->function = "eq(int4,int4)";
    equal->args[1] = MakeColumn(2, SqlType::Of(TypeId::kInt32));
    node.mutable_nested_loop_join()->set_type(type);
    ToProto(*equal, node.mutable_nested_loop_join()->mutable_condition());
    for (const int room : {1, 1 << 20}) {
      OperatorHarness harness(NestedLoopJoinOperator::Create(node));
      harness.set_room(room);
      harness.Push(TextBatch(right, kRight), 1);
      harness.End(1);
      harness.Push(TextBatch(left, kLeft), 0);
      harness.End(0);
      EXPECT_EQ(SortedRowsOf(harness.Take()),
                Model(type, With::kNoResidual, TextBatch(left, kLeft), TextBatch(right, kRight)));
    }
  }
}

TEST(NestedLoopJoinOperator, CrossJoin) {
  v1::PlanNode node = JoinNode(v1::JOIN_TYPE_INNER);
  node.mutable_nested_loop_join()->set_type(v1::JOIN_TYPE_INNER);
  OperatorHarness harness(NestedLoopJoinOperator::Create(node));
  harness.Push(TextBatch("1 2 | 3 4", kRight), 1);
  harness.End(1);
  harness.Push(TextBatch("7 a | 8 b", kLeft), 0);
  harness.End(0);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"7 a 1 2", "7 a 3 4", "8 b 1 2", "8 b 3 4"}));
}

TEST(NestedLoopJoinOperator, YieldsAlsoWhileItsOutputHasRoom) {
  std::mt19937 random(5);
  v1::PlanNode node = JoinNode(v1::JOIN_TYPE_INNER);
  node.mutable_nested_loop_join()->set_type(v1::JOIN_TYPE_INNER);
  OperatorHarness harness(NestedLoopJoinOperator::Create(node));
  harness.AllowYields();
  harness.Push(TextBatch(RandomRows(random, 600, 6, false), kRight), 1);
  harness.End(1);
  harness.Push(TextBatch(RandomRows(random, 600, 6, true), kLeft), 0);
  harness.End(0);
  EXPECT_GE(harness.resumes(), 2);
  EXPECT_EQ(RowsOf(harness.Take()).size(), 360'000U);
}

TEST(SymmetricJoin, LeftJoinTakesThePaddedRowBack) {
  OperatorHarness harness(
      HashJoinOperator::Create(JoinNode(v1::JOIN_TYPE_LEFT, With::kNoResidual, true, true)));
  harness.Push(TextBatch("1 a", kLeft), 0);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"1 a null null"}));
  harness.Push(TextBatch("1 5", kRight), 1);
  EXPECT_EQ(SortedRowsOf(harness.Take()), (Rows{"-1 1 a null null", "1 a 1 5"}));
  harness.Push(TextBatch("- 1 5", kRight), 1);
  EXPECT_EQ(SortedRowsOf(harness.Take()), (Rows{"-1 1 a 1 5", "1 a null null"}));
  harness.Push(TextBatch("- 1 a", kLeft), 0);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"-1 1 a null null"}));
}

TEST(SymmetricJoin, AGrowingJoinHasNoWeights) {
  OperatorHarness harness(
      HashJoinOperator::Create(JoinNode(v1::JOIN_TYPE_INNER, With::kNoResidual, true)));
  harness.Push(TextBatch("1 a | 1 a", kLeft), 0);
  harness.Push(TextBatch("1 5", kRight), 1);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"1 a 1 5", "1 a 1 5"}));
}

// Changes of one side; what is taken back is among `present`.
std::string RandomChanges(std::mt19937& random, bool is_left, std::vector<std::string>* present) {
  std::string rows;
  for (int i = 0; i < 12; ++i) {
    absl::StrAppend(&rows, i == 0 ? "" : " | ");
    if (!present->empty() && random() % 3 == 0) {
      const size_t at = random() % present->size();
      absl::StrAppend(&rows, "- ", (*present)[at]);
      present->erase(present->begin() + static_cast<int64_t>(at));
    } else {
      present->push_back(RandomRows(random, 1, 7, is_left));
      absl::StrAppend(&rows, "+ ", present->back());
    }
  }
  return rows;
}

// Drives a symmetric join through random changes, restarts and full outputs, and compares with a
// join of what is left.
void CompareWithBatchResult(v1::JoinType type, With residual) {
  std::mt19937 random(static_cast<uint32_t>(type) * 2 + 1);
  const v1::PlanNode node = JoinNode(type, residual, true, true);
  MemoryStateStore store;
  auto harness = std::make_unique<OperatorHarness>(HashJoinOperator::Create(node), &store);
  std::vector<std::string> present[2];
  std::vector<Batch> output;
  for (int step = 0; step < 40; ++step) {
    const int side = static_cast<int>(random() % 2);
    const std::string rows = RandomChanges(random, side == 0, &present[side]);
    harness->set_room(step % 3 == 0 ? 1 : 1 << 20);
    harness->Push(TextBatch(rows, side == 0 ? kLeft : kRight), side);
    for (Batch& batch : harness->Take()) output.push_back(std::move(batch));
    harness->Barrier(step % 5 == 4);
    if (step % 10 != 9) continue;
    harness.reset();
    harness = std::make_unique<OperatorHarness>(HashJoinOperator::Create(node), &store);
  }
  const Batch left = TextBatch(absl::StrJoin(present[0], " | "), kLeft);
  const Batch right = TextBatch(absl::StrJoin(present[1], " | "), kRight);
  std::map<std::string, int64_t> expected;
  for (const std::string& row : Model(type, residual, left, right)) ++expected[row];
  EXPECT_EQ(ConsolidatedRows(output), expected);
}

TEST(SymmetricJoin, EndsWithTheBatchResultAndSurvivesRestarts) {
  for (const v1::JoinType type : kTypes) {
    SCOPED_TRACE(v1::JoinType_Name(type));
    CompareWithBatchResult(type, With::kNoResidual);
    CompareWithBatchResult(type, With::kResidual);
  }
}

TEST(SymmetricJoin, ForgetsRowsOfClosedWindows) {
  const Schema schema = TextSchema("timestamp e, text k");
  v1::PlanNode node;
  SetOutput(schema, node.add_inputs());
  SetOutput(schema, node.add_inputs());
  v1::HashJoinNode* join = node.mutable_hash_join();
  join->set_type(v1::JOIN_TYPE_INNER);
  for (const int key : {0, 1}) {
    join->add_left_keys(key);
    join->add_right_keys(key);
  }
  join->set_symmetric(true);
  join->set_window_end_key(0);
  MemoryStateStore store;
  OperatorHarness harness(HashJoinOperator::Create(node), &store);
  harness.Push(TextBatch("10 a | 20 a", schema), 0);
  harness.Barrier(true);
  EXPECT_EQ(store.num_entries(), 2u);
  harness.Watermark(10);
  harness.Push(TextBatch("10 a | 20 a", schema), 1);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"20 a 20 a"}));
  EXPECT_EQ(harness.counters().late_rows, 1u);
  harness.Barrier(true);
  EXPECT_EQ(store.num_entries(), 2u);
  EXPECT_EQ(harness.counters().state_rows, 2u);
}

// One hot key, payloads of 100 kB on both sides: 400 pairs are 80 MB.
class WidePairs : public ::testing::Test {
 protected:
  static std::string Payloads(int num_rows) {
    std::string rows;
    for (int i = 0; i < num_rows; ++i) {
      absl::StrAppend(&rows, i == 0 ? "" : " | ", "7 ", i, std::string(100'000, 'x'));
    }
    return rows;
  }
  static v1::PlanNode Node() {
    v1::PlanNode node = JoinNode(v1::JOIN_TYPE_INNER);
    node.mutable_inputs(1)->clear_output();
    SetOutput(kLeft, node.mutable_inputs(1));
    return node;
  }
  static void JoinBuildSideFirst(OperatorHarness& harness) {
    harness.set_room(1);
    for (const InputIndex input : {1, 0}) {
      harness.Push(TextBatch(Payloads(20), kLeft), input);
      harness.End(input);
    }
    EXPECT_GE(harness.resumes(), 4);
  }
  // 20 × 20 pairs, each once, in batches that are not too large.
  static void ExpectPairs(OperatorHarness& harness) {
    int64_t pairs = 0;
    std::map<std::string, int> seen;
    for (const Batch& batch : harness.Take()) {
      EXPECT_LE(batch.ByteSize(), kMaxBatchBytes + 300'000);
      pairs += batch.num_rows();
      const ColumnView left(*batch.column(1));
      const ColumnView right(*batch.column(3));
      for (int64_t i = 0; i < batch.num_rows(); ++i) {
        const std::string pair(left.Text(i).substr(0, 3));
        ++seen[pair + std::string(right.Text(i).substr(0, 3))];
      }
    }
    EXPECT_EQ(pairs, 400);
    EXPECT_EQ(seen.size(), 400u);
  }
};

TEST_F(WidePairs, ComeInBatchesCutByBytes) {
  OperatorHarness harness(HashJoinOperator::Create(Node()));
  JoinBuildSideFirst(harness);
  ExpectPairs(harness);
}

TEST_F(WidePairs, ComeInBatchesCutByBytesWithoutAKey) {
  v1::PlanNode node = Node();
  node.clear_hash_join();
  node.mutable_nested_loop_join()->set_type(v1::JOIN_TYPE_INNER);
  OperatorHarness harness(NestedLoopJoinOperator::Create(node));
  JoinBuildSideFirst(harness);
  ExpectPairs(harness);
}

TEST_F(WidePairs, ComeInBatchesCutByBytesOverUnboundedInput) {
  v1::PlanNode node = Node();
  node.mutable_hash_join()->set_symmetric(true);
  MemoryStateStore state;
  OperatorHarness harness(HashJoinOperator::Create(node), &state);
  harness.set_room(1);
  harness.Push(TextBatch(Payloads(20), kLeft), 1);
  harness.Push(TextBatch(Payloads(20), kLeft), 0);
  EXPECT_GE(harness.resumes(), 4);
  ExpectPairs(harness);
}

TEST_F(WidePairs, UnmatchedRowsOfTheTableComeInBatchesCutByBytes) {
  v1::PlanNode node = Node();
  node.mutable_hash_join()->set_type(v1::JOIN_TYPE_RIGHT);
  OperatorHarness harness(HashJoinOperator::Create(node));
  harness.Push(TextBatch(Payloads(400), kLeft), 1);
  harness.End(1);
  harness.End(0);
  int64_t rows = 0;
  for (const Batch& batch : harness.Take()) {
    EXPECT_LE(batch.ByteSize(), kMaxBatchBytes + 300'000);
    rows += batch.num_rows();
  }
  EXPECT_EQ(rows, 400);
}

}  // namespace
}  // namespace millrace
