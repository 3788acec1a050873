#include <gtest/gtest.h>

#include "coordinator/logical_plan/new_node.h"

namespace millrace {
namespace {

const SqlType kInteger = SqlType::Of(TypeId::kInt32);
const SqlType kBigint = SqlType::Of(TypeId::kInt64);

LogicalPtr Numbers() {
  const auto literal = [](int64_t value) { return MakeLiteral(Value{kInteger, value}); };
  return NewValues({{"n", kInteger}}, {{literal(1)}, {literal(2)}, {literal(3)}, {literal(4)}});
}

TEST(LogicalToStringTest, ShowsTheFirstRows) {
  EXPECT_EQ(LogicalToString(*Numbers()), "Values [n] (1), (2), (3), … 4 rows\n");
  EXPECT_EQ(LogicalToString(*NewOneRow()), "Values 1 empty rows\n");
}

TEST(LogicalToStringTest, IndentsInputs) {
  LogicalPtr join = NewJoin(JoinType::kFull, Numbers(), NewOneRow(), MakeBoolean(true));
  EXPECT_EQ(LogicalToString(*NewLimit(std::move(join), 5, 2)),
            "Limit 5 offset 2\n"
            "  FullJoin on true\n"
            "    Values [n] (1), (2), (3), … 4 rows\n"
            "    Values 1 empty rows\n");
}

TEST(LogicalToStringTest, ShowsPlacesOfNulls) {
  const ExprPtr n = MakeColumn(0, kInteger);
  const LogicalPtr sort = NewSort(NewOneRow(), {SortKey{n, false, false}, SortKey{n, false, true},
                                                SortKey{n, true, true}, SortKey{n, true, false}});
  EXPECT_EQ(LogicalToString(*sort).substr(0, 5), "Sort ");
  EXPECT_NE(LogicalToString(*sort).find("NULLS FIRST"), std::string::npos);
  EXPECT_NE(LogicalToString(*sort).find("DESC NULLS LAST"), std::string::npos);
}

TEST(LogicalToStringTest, ShowsFramesThatAreNotTheDefault) {
  OverCall call;
  call.ranking = "first_value";
  call.args = {0};
  call.type = kInteger;
  EXPECT_EQ(LogicalToString(*NewOver(Numbers(), {0}, {}, {call})).substr(0, 35),
            "Over first_value(n) partition n\n  V");
  call.frame.unit = FrameUnit::kRows;
  call.frame.start = FrameBoundKind::kPreceding;
  call.frame.start_offset = Value{kBigint, int64_t{2}};
  call.frame.end = FrameBoundKind::kUnboundedFollowing;
  const std::string text = LogicalToString(*NewOver(Numbers(), {}, {}, {call}));
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "Over first_value(n) ROWS 2 PRECEDING..UNBOUNDED FOLLOWING");
}

}  // namespace
}  // namespace millrace
