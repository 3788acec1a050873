#include "coordinator/planner/rules/interval_keys.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

const SqlType kInterval = SqlType::Of(TypeId::kInterval);

// One row of an interval and an integer.
LogicalPtr Rows() { return NewValues({{"x", kInterval}, {"n", Int()}}, {}); }

TEST(IntervalKeysTest, GroupsByLengthAndShowsTheLeastInterval) {
  const LogicalPtr plan = CompareIntervalKeysByLength(NewAggregate(Rows(), {0, 1}, {CountStar()}));
  ASSERT_EQ(plan->output.size(), 3U);
  EXPECT_EQ(plan->output[0].name, "x");
  EXPECT_EQ(plan->output[0].type, kInterval);
  const auto& aggregate = static_cast<const LogicalAggregate&>(*plan->inputs[0]);
  EXPECT_EQ(aggregate.keys, (std::vector<int>{2, 1}));
  ASSERT_EQ(aggregate.aggregates.size(), 2U);
  EXPECT_EQ(aggregate.aggregates[1].function, AggregateFunction::kMin);
}

TEST(IntervalKeysTest, CountsDifferentLengths) {
  const LogicalPtr plan = CompareIntervalKeysByLength(
      NewAggregate(Rows(), {}, {Aggregate(AggregateFunction::kCount, 0, kInterval, true)}));
  const auto& aggregate = static_cast<const LogicalAggregate&>(*plan);
  EXPECT_EQ(aggregate.aggregates[0].args, (std::vector<int>{2}));
}

TEST(IntervalKeysTest, JoinsByLength) {
  const ExprPtr equal =
      *BuildOperator("=", {MakeColumn(0, kInterval), MakeColumn(2, kInterval)}, 0);
  const LogicalPtr plan =
      CompareIntervalKeysByLength(NewJoin(JoinType::kInner, Rows(), Rows(), equal));
  const auto& join = static_cast<const LogicalJoin&>(*plan);
  EXPECT_EQ(join.condition->function, "eq(numeric,numeric)");
}

TEST(IntervalKeysTest, LeavesOtherKeysAlone) {
  const LogicalPtr query = NewAggregate(Rows(), {1}, {CountStar()});
  const LogicalPtr plan = CompareIntervalKeysByLength(query);
  EXPECT_EQ(LogicalToString(*plan), LogicalToString(*query));
}

}  // namespace
}  // namespace millrace
