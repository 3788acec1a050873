#include "coordinator/planner/rules/stream_calls.h"

#include "gtest/gtest.h"
#include "tests/support/planner/logical_fixture.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

TEST(StreamCallsTest, RefusesTheClockAtItsPlace) {
  const ExprPtr now = *BuildFunctionCall("now", {}, 17);
  const LogicalPtr query = NewProject(Abc("s"), {now}, {"now"});
  const absl::Status status = CheckStreamCalls(*NewLimit(query, 1, 0));
  EXPECT_ERROR(status, SqlState::kFeatureNotSupported, "now in a stream");
  EXPECT_EQ(GetErrorDetail(status).position, 17);
}

TEST(StreamCallsTest, RefusesAgeUntilToday) {
  const ExprPtr time = MakeColumn(0, SqlType::Of(TypeId::kTimestamp));
  const LogicalPtr rows = NewValues({{"t", time->type}}, {});
  EXPECT_FALSE(
      CheckStreamCalls(*NewProject(rows, {*BuildFunctionCall("age", {time}, 1)}, {"age"})).ok());
  EXPECT_TRUE(
      CheckStreamCalls(*NewProject(rows, {*BuildFunctionCall("age", {time, time}, 1)}, {"age"}))
          .ok());
}

}  // namespace
}  // namespace millrace
