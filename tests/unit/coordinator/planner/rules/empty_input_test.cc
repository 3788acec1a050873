#include "coordinator/planner/rules/empty_input.h"

#include "coordinator/planner/rules/logical_build.h"
#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

class EmptyInputTest : public ::testing::Test {
 protected:
  bool JoinIsEmpty(JoinType type, bool empty_left) {
    const LogicalPtr s = Abc("s");
    const LogicalPtr join =
        empty_left ? NewJoin(type, none_, s, nullptr) : NewJoin(type, s, none_, nullptr);
    return GivesNoRows(*RemoveEmptyInputs(join));
  }
  const LogicalPtr none_ = MakeNoRows({{"na", Int()}});
};

TEST_F(EmptyInputTest, JoinsThatCannotMatch) {
  EXPECT_TRUE(JoinIsEmpty(JoinType::kInner, true));
  EXPECT_TRUE(JoinIsEmpty(JoinType::kInner, false));
  EXPECT_TRUE(JoinIsEmpty(JoinType::kLeft, true));
  EXPECT_TRUE(JoinIsEmpty(JoinType::kSemi, false));
  EXPECT_TRUE(JoinIsEmpty(JoinType::kAnti, true));
  EXPECT_TRUE(JoinIsEmpty(JoinType::kRight, false));
}

TEST_F(EmptyInputTest, JoinsThatKeepTheOtherSide) {
  EXPECT_FALSE(JoinIsEmpty(JoinType::kLeft, false));
  EXPECT_FALSE(JoinIsEmpty(JoinType::kRight, true));
  EXPECT_FALSE(JoinIsEmpty(JoinType::kFull, true));
  EXPECT_FALSE(JoinIsEmpty(JoinType::kAnti, false));
}

TEST_F(EmptyInputTest, ALeftJoinFillsUpWithNulls) {
  const LogicalPtr join = NewJoin(JoinType::kLeft, Abc("s"), none_, nullptr);
  const LogicalPtr filled = RemoveEmptyInputs(join);
  ASSERT_EQ(filled->kind, LogicalKind::kProject);
  EXPECT_EQ(filled->output, join->output);
}

TEST_F(EmptyInputTest, AnAggregationWithoutKeysStillGivesARow) {
  EXPECT_FALSE(GivesNoRows(*RemoveEmptyInputs(NewAggregate(none_, {}, {CountStar()}))));
  EXPECT_TRUE(GivesNoRows(*RemoveEmptyInputs(NewAggregate(none_, {0}, {CountStar()}))));
}

TEST_F(EmptyInputTest, UnionsLoseEmptyInputs) {
  const LogicalPtr s = Scan(TableOf("s", {{"sa", Int()}}));
  EXPECT_EQ(RemoveEmptyInputs(NewUnionAll({none_, s})), s);
}

}  // namespace
}  // namespace millrace
