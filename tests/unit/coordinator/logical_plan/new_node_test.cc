#include "coordinator/logical_plan/new_node.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

const SqlType kIntegerType = SqlType::Of(TypeId::kInt32);
const SqlType kText = SqlType::Of(TypeId::kText);
const SqlType kBigintType = SqlType::Of(TypeId::kInt64);

// Columns a integer, b text; no rows.
LogicalPtr TwoColumns() { return NewValues({{"a", kIntegerType}, {"b", kText}}, {}); }

TEST(NewNodeTest, JoinsBothSidesButSemiJoinsOne) {
  EXPECT_EQ(NewJoin(JoinType::kLeft, TwoColumns(), TwoColumns(), nullptr)->output.size(), 4u);
  for (const JoinType type : {JoinType::kSemi, JoinType::kAnti, JoinType::kNullAwareAnti}) {
    EXPECT_EQ(NewJoin(type, TwoColumns(), TwoColumns(), nullptr)->output, TwoColumns()->output);
  }
}

TEST(NewNodeTest, AggregatesGiveKeysThenResults) {
  AggregateCall count;
  count.type = kBigintType;
  const LogicalPtr node = NewAggregate(TwoColumns(), {1}, {count});
  EXPECT_EQ(node->output, (Schema{{"b", kText}, {"count", kBigintType}}));
}

TEST(NewNodeTest, DistinctGroupsByEverything) {
  const LogicalPtr node = NewDistinct(TwoColumns());
  EXPECT_EQ(static_cast<const LogicalAggregate&>(*node).keys, (std::vector<int>{0, 1}));
  EXPECT_EQ(node->output, TwoColumns()->output);
}

TEST(NewNodeTest, FilterWithoutConditionIsItsInput) {
  const LogicalPtr input = TwoColumns();
  EXPECT_EQ(NewFilter(input, nullptr), input);
  EXPECT_EQ(NewPrefix(input, 2), input);
  EXPECT_EQ(NewPrefix(input, 1)->output, (Schema{{"a", kIntegerType}}));
}

TEST(NewNodeTest, NamesReplaceThoseOfAProjection) {
  const LogicalPtr project = NewProject(TwoColumns(), {MakeColumn(1, kText)}, {"x"});
  const LogicalPtr named = WithNames(project, {"y"});
  EXPECT_EQ(named->output[0].name, "y");
  EXPECT_EQ(named->inputs[0], project->inputs[0]);
  EXPECT_EQ(WithNames(TwoColumns(), {"p", "q"})->output[1].name, "q");
}

TEST(NewNodeTest, WindowsAddTheirBounds) {
  WindowSpec spec;
  spec.size_micros = 5;
  const SqlType timestamp = SqlType::Of(TypeId::kTimestamp);
  const LogicalPtr node = NewWindowTvf(NewValues({{"ts", timestamp}}, {}), spec);
  EXPECT_EQ(node->output,
            (Schema{{"ts", timestamp}, {"window_start", timestamp}, {"window_end", timestamp}}));
}

TEST(NewNodeTest, UnionTakesTheFirstNames) {
  EXPECT_EQ(NewUnionAll({TwoColumns(), TwoColumns()})->output, TwoColumns()->output);
}

}  // namespace
}  // namespace millrace
