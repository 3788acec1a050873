#include "worker/operators/project_operator.h"

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/expr/function_registry.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/operators/operator_harness.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/status_matchers.h"
#include "worker/operators/filter_operator.h"

namespace millrace {
namespace {

const Schema kRows = TextSchema("int4 n, text t");
const ExprPtr kN = MakeColumn(0, kRows[0].type);
const ExprPtr kT = MakeColumn(1, kRows[1].type);

ExprPtr Int(int64_t value) { return MakeLiteral(Value{SqlType::Of(TypeId::kInt32), value}); }

ExprPtr Call(absl::string_view function, std::vector<ExprPtr> args) {
  auto expr = BuildFunctionCall(function, std::move(args), 0);
  EXPECT_OK(expr);
  return *expr;
}

ExprPtr Op(absl::string_view op, ExprPtr left, ExprPtr right) {
  auto expr = BuildOperator(op, {std::move(left), std::move(right)}, 0);
  EXPECT_OK(expr);
  return *expr;
}

v1::PlanNode ProjectNode(const std::vector<ExprPtr>& exprs) {
  v1::PlanNode node;
  SetOutput(kRows, node.add_inputs());
  for (const ExprPtr& expr : exprs) ToProto(*expr, node.mutable_project()->add_exprs());
  return node;
}

// Rows "i ti"; every tenth text is NULL.
std::string NumberedRows(int num_rows) {
  std::string rows;
  for (int i = 0; i < num_rows; ++i) {
    absl::StrAppend(&rows, i == 0 ? "" : " | ", i, i % 10 == 9 ? " null" : absl::StrCat(" t", i));
  }
  return rows;
}

// What comes out is what the evaluation of the whole batch gives, in parts that are no larger than
// a batch may be unless they are one row. The number of parts.
size_t ExpectPartsOfTheWhole(const std::vector<ExprPtr>& exprs, const Batch& batch, int room = 99) {
  auto evaluator = Evaluator::Create(exprs, kRows, EvalContext());
  EXPECT_OK(evaluator);
  const auto whole = (*evaluator)->Evaluate(batch);
  EXPECT_OK(whole);
  OperatorHarness harness(ProjectOperator::Create(ProjectNode(exprs)));
  harness.set_room(room);
  harness.Push(batch);
  const std::vector<Batch> parts = harness.Take();
  int64_t next = 0;
  for (const Batch& part : parts) {
    EXPECT_TRUE(part.num_rows() == 1 || part.ByteSize() <= kMaxBatchBytes * 11 / 10);
    for (int c = 0; c < part.num_columns(); ++c) {
      EXPECT_TRUE(part.column(c)->Equals((*whole)[c]->Slice(next, part.num_rows())));
    }
    if (batch.weights() != nullptr) {
      EXPECT_TRUE(part.weights()->Equals(*batch.weights()->Slice(next, part.num_rows())));
    }
    next += part.num_rows();
  }
  EXPECT_EQ(next, batch.num_rows());
  return parts.size();
}

TEST(ProjectOperator, EvaluatesABatchOfNarrowResultsAsAWhole) {
  const Batch batch = TextBatch(NumberedRows(8192), kRows);
  EXPECT_EQ(ExpectPartsOfTheWhole({Op("+", kN, Int(1)), Call("upper", {kT}), kT}, batch), 1u);
}

TEST(ProjectOperator, CutsABatchWhoseResultsAreWide) {
  const Batch batch = TextBatch(NumberedRows(4000), kRows);
  const size_t parts = ExpectPartsOfTheWhole({kN, Call("repeat", {kT, Int(4000)})}, batch);
  EXPECT_GE(parts, 4u);
  EXPECT_LE(parts, 30u);
}

TEST(ProjectOperator, CutsManyResultsThatAreEachNarrow) {
  const Batch batch = TextBatch(NumberedRows(8192), kRows);
  std::vector<ExprPtr> texts;
  std::vector<ExprPtr> numbers;
  for (int i = 0; i < 100; ++i) {
    texts.push_back(Call("concat", {kT, Int(1'000'000'000 + i), kT, kT, kT}));
    for (int k = 0; k < 10; ++k) numbers.push_back(Op("+", kN, Int(10 * i + k)));
  }
  EXPECT_GE(ExpectPartsOfTheWhole(texts, batch), 2u);
  EXPECT_GE(ExpectPartsOfTheWhole(numbers, batch), 2u);
}

TEST(ProjectOperator, KeepsTheWeightsOfEachPart) {
  std::string rows;
  for (int i = 0; i < 3000; ++i) {
    absl::StrAppend(&rows, i == 0 ? "" : " | ", i % 3 == 0 ? "- " : "+2 ", i, " abcdefgh");
  }
  const Batch batch = TextBatch(rows, kRows);
  EXPECT_GE(ExpectPartsOfTheWhole({Call("repeat", {kT, Int(2000)})}, batch), 2u);
}

TEST(ProjectOperator, StopsBetweenPartsWhenTheOutputIsFull) {
  const Batch batch = TextBatch(NumberedRows(4000), kRows);
  EXPECT_GE(ExpectPartsOfTheWhole({Call("repeat", {kT, Int(4000)})}, batch, /*room=*/1), 4u);
}

TEST(ProjectOperator, ARowThatIsLargerComesAlone) {
  std::string rows;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&rows, i == 0 ? "" : " | ", i == 150 ? 30'000'000 : i, " x");
  }
  const Batch batch = TextBatch(rows, kRows);
  EXPECT_GE(ExpectPartsOfTheWhole({kN, Call("repeat", {kT, kN})}, batch), 3u);
}

TEST(ProjectOperator, CountsWhatIsMadeInBetween) {
  const Batch batch = TextBatch(NumberedRows(4000), kRows);
  const ExprPtr narrow = Call("length", {Call("repeat", {kT, Int(4000)})});
  EXPECT_GE(ExpectPartsOfTheWhole({narrow}, batch), 4u);
}

TEST(ProjectOperator, CutsWhatBecomesLargeOutOfADictionaryOrAConstant) {
  std::string rows;
  for (int i = 0; i < 6000; ++i) absl::StrAppend(&rows, i == 0 ? "" : " | ", i, " t", i % 3);
  const Batch batch = TextBatchWithDictionaries(rows, kRows);
  EXPECT_GE(ExpectPartsOfTheWhole({Call("repeat", {kT, Int(4000)})}, batch), 2u);
  const Value text{SqlType::Of(TypeId::kText), std::string(10'000, 'x')};
  EXPECT_GE(ExpectPartsOfTheWhole({MakeLiteral(text)}, batch), 2u);
}

TEST(ProjectOperator, AnErrorBehindTheFirstPartsEndsTheCall) {
  OperatorHarness harness(ProjectOperator::Create(
      ProjectNode({Call("repeat", {kT, Int(40'000)}), Op("/", Int(1), Op("-", kN, Int(1500)))})));
  const absl::Status status = harness.TryPush(TextBatch(NumberedRows(2000), kRows));
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kDivisionByZero) << status;
}

TEST(ProjectOperator, WithoutRowsOrColumns) {
  OperatorHarness harness(ProjectOperator::Create(ProjectNode({Call("upper", {kT})})));
  harness.Push(TextBatch("", kRows));
  EXPECT_TRUE(harness.Take().empty());
  OperatorHarness counting(ProjectOperator::Create(ProjectNode({})));
  counting.Push(TextBatch("1 a | 2 b", kRows));
  const std::vector<Batch> counted = counting.Take();
  ASSERT_EQ(counted.size(), 1u);
  EXPECT_EQ(counted[0].num_rows(), 2);
}

TEST(FilterOperator, LooksAtRowsInPartsWhereItsConditionMakesMuch) {
  v1::PlanNode node;
  SetOutput(kRows, node.add_inputs());
  // Of a whole batch: 800 MB, more than one column may have.
  const ExprPtr length = Call("length", {Call("repeat", {kT, Int(20'000)})});
  ToProto(*Op("=", length, Int(100'000)), node.mutable_filter()->mutable_predicate());
  OperatorHarness harness(FilterOperator::Create(node));
  harness.Push(TextBatch(NumberedRows(8192), kRows));
  int64_t expected = 0;
  for (int i = 1000; i < 8192; ++i) expected += i % 10 == 9 ? 0 : 1;
  const std::vector<Batch> kept = harness.Take();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].num_rows(), expected);
  const auto& numbers = static_cast<const arrow::Int32Array&>(*kept[0].column(0));
  for (int64_t i = 0; i < expected; ++i) ASSERT_EQ(numbers.Value(i), 1000 + i + i / 9);
}

}  // namespace
}  // namespace millrace
