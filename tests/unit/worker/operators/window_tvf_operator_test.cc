#include "worker/operators/window_tvf_operator.h"

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "worker/operators/limit_operator.h"
#include "worker/operators/sort_operator.h"
#include "worker/operators/top_n_operator.h"
#include "worker/operators/union_all_operator.h"
#include "worker/operators/values_operator.h"

namespace millrace {
namespace {

using Rows = std::vector<std::string>;

v1::PlanNode NodeOver(const Schema& input) {
  v1::PlanNode node;
  SetOutput(input, node.add_inputs());
  return node;
}

TEST(LimitOperator, SkipsAndStops) {
  const Schema schema = TextSchema("int4 a");
  v1::PlanNode node = NodeOver(schema);
  node.mutable_limit()->set_limit(3);
  node.mutable_limit()->set_offset(2);
  OperatorHarness harness(LimitOperator::Create(node));
  harness.Push(TextBatch("1", schema));
  harness.Push(TextBatch("2 | 3 | 4", schema));
  EXPECT_NE(harness.op().open_inputs(), 0u);
  harness.Push(TextBatch("5 | 6", schema));
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"3", "4", "5"}));
  EXPECT_EQ(harness.op().open_inputs(), 0u);
  harness.End();
}

TEST(UnionAllOperator, PassesEverythingOn) {
  const Schema schema = TextSchema("int4 a");
  v1::PlanNode node = NodeOver(schema);
  SetOutput(schema, node.add_inputs());
  SetOutput(schema, &node);
  OperatorHarness harness(UnionAllOperator::Create(node));
  harness.Push(TextBatch("1", schema), 0);
  harness.Push(TextBatch("- 2", schema), 1);
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"1", "-1 2"}));
}

v1::PlanNode WindowNode(v1::WindowTvfNode::Kind kind, int64_t size, int64_t slide, int64_t offset) {
  v1::PlanNode node = NodeOver(TextSchema("timestamp t, int4 v"));
  v1::WindowTvfNode* window = node.mutable_window_tvf();
  window->set_kind(kind);
  window->set_time_column(0);
  window->set_size_micros(size);
  window->set_slide_micros(slide);
  window->set_offset_micros(offset);
  return node;
}

Rows Windows(const v1::PlanNode& node, std::string_view rows, int room = 1 << 20) {
  OperatorHarness harness(WindowTvfOperator::Create(node));
  harness.set_room(room);
  harness.Push(TextBatch(rows, TextSchema("timestamp t, int4 v")));
  return RowsOf(harness.Take());
}

TEST(WindowTvfOperator, TumbleAlignsToTheEpochAlsoBeforeIt) {
  const v1::PlanNode node = WindowNode(v1::WindowTvfNode::KIND_TUMBLE, 10, 0, 0);
  EXPECT_EQ(Windows(node, "0 1 | 9 2 | 10 3 | -1 4 | -10 5 | null 6"),
            (Rows{"0 1 0 10", "9 2 0 10", "10 3 10 20", "-1 4 -10 0", "-10 5 -10 0"}));
  EXPECT_EQ(Windows(WindowNode(v1::WindowTvfNode::KIND_TUMBLE, 10, 0, 3), "2 1 | 3 2"),
            (Rows{"2 1 -7 3", "3 2 3 13"}));
}

TEST(WindowTvfOperator, HopGivesARowToEveryWindow) {
  const v1::PlanNode node = WindowNode(v1::WindowTvfNode::KIND_HOP, 10, 4, 0);
  EXPECT_EQ(Windows(node, "9 1 | -1 2"),
            (Rows{"9 1 0 10", "9 1 4 14", "9 1 8 18", "-1 2 -8 2", "-1 2 -4 6"}));
  // Windows with gaps between them.
  EXPECT_EQ(Windows(WindowNode(v1::WindowTvfNode::KIND_HOP, 2, 5, 0), "6 1 | 8 2"),
            (Rows{"6 1 5 7"}));
}

TEST(WindowTvfOperator, CumulateGrowsByStep) {
  const v1::PlanNode node = WindowNode(v1::WindowTvfNode::KIND_CUMULATE, 9, 3, 0);
  EXPECT_EQ(Windows(node, "0 1 | 3 2 | 8 3"),
            (Rows{"0 1 0 3", "0 1 0 6", "0 1 0 9", "3 2 0 6", "3 2 0 9", "8 3 0 9"}));
}

TEST(WindowTvfOperator, GoesOnWhenTheOutputWasFull) {
  std::string rows;
  for (int i = 0; i < 3000; ++i) rows += (i == 0 ? "" : " | ") + std::to_string(i) + " 1";
  const v1::PlanNode node = WindowNode(v1::WindowTvfNode::KIND_HOP, 100, 10, 0);
  EXPECT_EQ(Windows(node, rows, 1), Windows(node, rows));
  EXPECT_EQ(Windows(node, rows, 1).size(), 30000u);
}

TEST(WindowTvfOperator, RefusesWhatIsNoWindow) {
  EXPECT_FALSE(WindowTvfOperator::Create(WindowNode(v1::WindowTvfNode::KIND_TUMBLE, 0, 0, 0)).ok());
  EXPECT_FALSE(WindowTvfOperator::Create(WindowNode(v1::WindowTvfNode::KIND_HOP, 5, 0, 0)).ok());
  EXPECT_FALSE(
      WindowTvfOperator::Create(WindowNode(v1::WindowTvfNode::KIND_CUMULATE, 10, 3, 0)).ok());
  OperatorHarness harness(
      WindowTvfOperator::Create(WindowNode(v1::WindowTvfNode::KIND_TUMBLE, 10, 0, 0)));
  EXPECT_FALSE(
      harness.TryPush(TextBatch("9223372036854775807 1", TextSchema("timestamp t, int4 v"))).ok());
}

void AddKey(int column, TypeId type, bool descending, v1::SortKey* key) {
  key->mutable_expr()->mutable_column()->set_index(column);
  key->mutable_expr()->mutable_type()->set_id(static_cast<v1::TypeId>(type));
  key->set_descending(descending);
}

TEST(SortOperator, GivesOutSlicesInOrder) {
  const Schema schema = TextSchema("int4 a, text b");
  v1::PlanNode node = NodeOver(schema);
  AddKey(0, TypeId::kInt32, true, node.mutable_sort()->add_keys());
  OperatorHarness harness(SortOperator::Create(node));
  harness.set_room(1);
  harness.Push(TextBatch("1 x | 3 y | null z", schema));
  harness.Push(TextBatchWithDictionaries("2 y | 3 a", schema));
  harness.End();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"3 y", "3 a", "2 y", "1 x", "null z"}));
}

TEST(SortOperator, ResumesBetweenBatches) {
  const Schema schema = TextSchema("int8 a");
  v1::PlanNode node = NodeOver(schema);
  AddKey(0, TypeId::kInt64, false, node.mutable_sort()->add_keys());
  OperatorHarness harness(SortOperator::Create(node));
  harness.set_room(1);
  std::string rows;
  for (int i = 20000; i > 0; --i) rows += std::to_string(i) + " | ";
  harness.Push(TextBatch(rows, schema));
  harness.End();
  EXPECT_GE(harness.resumes(), 2);
  const Rows sorted = RowsOf(harness.Take());
  ASSERT_EQ(sorted.size(), 20000u);
  for (size_t i = 0; i < sorted.size(); ++i) ASSERT_EQ(sorted[i], std::to_string(i + 1));
}

TEST(TopNOperator, OffsetAndTiesByTheRow) {
  const Schema schema = TextSchema("int4 a, text b");
  v1::PlanNode node = NodeOver(schema);
  AddKey(0, TypeId::kInt32, false, node.mutable_top_n()->add_keys());
  node.mutable_top_n()->set_limit(3);
  node.mutable_top_n()->set_offset(1);
  OperatorHarness harness(TopNOperator::Create(node));
  harness.Push(TextBatch("2 z | 1 c | 2 a", schema));
  harness.Push(TextBatch("1 b | 2 m | 9 q", schema));
  harness.End();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"1 c", "2 a", "2 m"}));
}

TEST(TopNOperator, EmptyInput) {
  v1::PlanNode node = NodeOver(TextSchema("int4 a"));
  AddKey(0, TypeId::kInt32, false, node.mutable_top_n()->add_keys());
  node.mutable_top_n()->set_limit(3);
  OperatorHarness harness(TopNOperator::Create(node));
  harness.End();
  EXPECT_TRUE(harness.Take().empty());
}

TEST(ValuesOperator, GivesOutItsRows) {
  v1::PlanNode node;
  SetOutput(TextSchema("int4 a, text b"), &node);
  for (int i = 0; i < 2; ++i) {
    v1::ValuesRow* row = node.mutable_values()->add_rows();
    ToProto(*MakeLiteral(Value{SqlType::Of(TypeId::kInt32), int64_t{i}}), row->add_columns());
    const Value text = i == 0 ? Value{SqlType::Of(TypeId::kText), std::string("x")}
                              : Value::Null(SqlType::Of(TypeId::kText));
    ToProto(*MakeLiteral(text), row->add_columns());
  }
  OperatorHarness harness(ValuesOperator::Create(node));
  harness.RunLeaf();
  EXPECT_EQ(RowsOf(harness.Take()), (Rows{"0 x", "1 null"}));
}

// Rows of 100 kB; 400 of them are 40 MB.
std::string WideRows(int num_rows) {
  std::string rows;
  for (int i = 0; i < num_rows; ++i) {
    absl::StrAppend(&rows, i == 0 ? "" : " | ", i, " ", std::string(100'000, 'x'));
  }
  return rows;
}

void ExpectBatchesCutByBytes(OperatorHarness& harness, int64_t num_rows) {
  int64_t rows = 0;
  for (const Batch& batch : harness.Take()) {
    EXPECT_LE(batch.ByteSize(), kMaxBatchBytes + 200'000);
    const auto& numbers = static_cast<const arrow::Int64Array&>(*batch.column(0));
    for (int64_t i = 0; i < batch.num_rows(); ++i, ++rows) {
      EXPECT_EQ(numbers.Value(i), rows * 400 / num_rows);
    }
  }
  EXPECT_EQ(rows, num_rows);
}

TEST(WindowTvfOperator, CutsWideRowsByBytesAlsoInsideTheWindowsOfOne) {
  const Schema schema = TextSchema("timestamp t, text s");
  v1::PlanNode node = WindowNode(v1::WindowTvfNode::KIND_HOP, 5, 1, 0);
  node.mutable_inputs(0)->clear_output();
  SetOutput(schema, node.mutable_inputs(0));
  OperatorHarness harness(WindowTvfOperator::Create(node));
  harness.set_room(1);
  harness.Push(TextBatch(WideRows(400), schema));
  EXPECT_GE(harness.resumes(), 10);
  ExpectBatchesCutByBytes(harness, 400 * 5);
}

TEST(SortOperator, CutsWideRowsByBytes) {
  const Schema schema = TextSchema("int8 a, text b");
  v1::PlanNode node = NodeOver(schema);
  AddKey(0, TypeId::kInt64, false, node.mutable_sort()->add_keys());
  OperatorHarness harness(SortOperator::Create(node));
  harness.Push(TextBatch(WideRows(400), schema));
  harness.End();
  ExpectBatchesCutByBytes(harness, 400);
}

TEST(TopNOperator, CutsWideRowsByBytes) {
  const Schema schema = TextSchema("int8 a, text b");
  v1::PlanNode node = NodeOver(schema);
  AddKey(0, TypeId::kInt64, false, node.mutable_top_n()->add_keys());
  node.mutable_top_n()->set_limit(400);
  OperatorHarness harness(TopNOperator::Create(node));
  harness.Push(TextBatch(WideRows(400), schema));
  harness.End();
  ExpectBatchesCutByBytes(harness, 400);
}

TEST(ValuesOperator, EvaluatesFewRowsAtOnceWhereTheyAreWide) {
  v1::PlanNode node;
  SetOutput(TextSchema("int8 a, text b"), &node);
  for (int i = 0; i < 400; ++i) {
    v1::ValuesRow* row = node.mutable_values()->add_rows();
    ToProto(*MakeLiteral(Value{SqlType::Of(TypeId::kInt64), int64_t{i}}), row->add_columns());
    const Value text{SqlType::Of(TypeId::kText), std::string(100'000, 'x')};
    ToProto(*MakeLiteral(text), row->add_columns());
  }
  OperatorHarness harness(ValuesOperator::Create(node));
  harness.set_room(1);
  harness.RunLeaf();
  ExpectBatchesCutByBytes(harness, 400);
}

}  // namespace
}  // namespace millrace
