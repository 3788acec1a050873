#include "coordinator/service/request_memory.h"

#include "common/base/status.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

TEST(RequestMemoryTest, RepeatedCreationGivesBackItsResult) {
  RequestMemory memory(8);
  ASSERT_TRUE(memory.Begin("r1", "CREATE TABLE t").ok());
  EXPECT_FALSE(memory.Find("r1", 0).has_value());
  StatementResult result = Done("CREATE TABLE");
  result.rows = 7;
  memory.Done("r1", 0, result);
  ASSERT_TRUE(memory.Begin("r1", "CREATE TABLE t").ok());
  ASSERT_TRUE(memory.Find("r1", 0).has_value());
  EXPECT_EQ(memory.Find("r1", 0)->rows, 7);
  EXPECT_FALSE(memory.Find("r1", 1).has_value());
}

TEST(RequestMemoryTest, OtherTextUnderTheSameIdIsRefused) {
  RequestMemory memory(8);
  ASSERT_TRUE(memory.Begin("r1", "a").ok());
  EXPECT_EQ(GetErrorDetail(memory.Begin("r1", "b")).state, SqlState::kInvalidParameterValue);
}

TEST(RequestMemoryTest, QueriesAreRunAgain) {
  RequestMemory memory(8);
  ASSERT_TRUE(memory.Begin("r1", "SELECT 1").ok());
  memory.Done("r1", 0, Done("SELECT"));
  EXPECT_FALSE(memory.Find("r1", 0).has_value());
}

TEST(RequestMemoryTest, WithoutAnIdNothingIsRemembered) {
  RequestMemory memory(8);
  ASSERT_TRUE(memory.Begin("", "a").ok());
  ASSERT_TRUE(memory.Begin("", "b").ok());
  memory.Done("", 0, Done("CREATE TABLE"));
  EXPECT_FALSE(memory.Find("", 0).has_value());
}

TEST(RequestMemoryTest, OldRequestsAreForgotten) {
  RequestMemory memory(2);
  for (const char* id : {"r1", "r2", "r3"}) {
    ASSERT_TRUE(memory.Begin(id, "x").ok());
    memory.Done(id, 0, Done("INSERT"));
  }
  EXPECT_FALSE(memory.Find("r1", 0).has_value());
  EXPECT_TRUE(memory.Find("r3", 0).has_value());
}

}  // namespace
}  // namespace millrace
