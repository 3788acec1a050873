#include "coordinator/service/request_memory.h"

#include "common/base/status.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class RequestMemoryTest : public ::testing::Test {
 protected:
  RequestMemoryTest() { Restart(8); }

  void Restart(size_t requests_max) {
    memory_ = std::make_unique<RequestMemory>(store_, requests_max);
    ASSERT_OK(memory_->Load());
  }
  // A request of one statement, from its beginning to its end.
  void Make(const std::string& id, const std::string& sql, const StatementResult& result) {
    ASSERT_OK(memory_->Begin(id, sql));
    ASSERT_OK(memory_->Done(id, 0, result));
    memory_->End(id);
  }
  size_t NumRecords() const { return store_.List("request/")->size(); }

  MemoryMetadataStore store_;
  std::unique_ptr<RequestMemory> memory_;
};

TEST_F(RequestMemoryTest, RecordOfANewerFormatIsRefused) {
  v1::RequestRecord record;
  record.set_format_version(99);
  record.set_request_id("r1");
  ASSERT_OK(store_.CompareAndSwap("request/0/r1", 0, record.SerializeAsString()));
  RequestMemory memory(store_, 8);
  EXPECT_EQ(GetErrorDetail(memory.Load()).state, SqlState::kFeatureNotSupported);
}

TEST_F(RequestMemoryTest, RepeatedCreationGivesBackItsResultAlsoAfterARestart) {
  StatementResult result = Done("CREATE TABLE AS");
  result.rows = 7;
  ASSERT_OK(memory_->Begin("r1", "CREATE TABLE t"));
  EXPECT_FALSE(memory_->Find("r1", 0).has_value());
  ASSERT_OK(memory_->Done("r1", 0, result));
  memory_->End("r1");
  for (const bool restarted : {false, true}) {
    if (restarted) Restart(8);
    ASSERT_OK(memory_->Begin("r1", "CREATE TABLE t"));
    ASSERT_TRUE(memory_->Find("r1", 0).has_value());
    EXPECT_EQ(memory_->Find("r1", 0)->rows, 7);
    EXPECT_EQ(memory_->Find("r1", 0)->tag, "CREATE TABLE AS");
    EXPECT_FALSE(memory_->Find("r1", 1).has_value());
    memory_->End("r1");
  }
}

TEST_F(RequestMemoryTest, RecordOfAStatementsTransactionIsEnough) {
  ASSERT_OK(memory_->Begin("r1", "INSERT"));
  const auto writes = memory_->RecordOf("r1", 3, Done("INSERT"));
  ASSERT_THAT(writes, SizeIs(1));
  ASSERT_OK(store_.Transact({}, writes));
  // The process ends before it can remember anything.
  Restart(8);
  ASSERT_OK(memory_->Begin("r1", "INSERT"));
  EXPECT_TRUE(memory_->Find("r1", 3).has_value());
}

TEST_F(RequestMemoryTest, OtherTextUnderTheSameIdIsRefused) {
  Make("r1", "a", Done("INSERT"));
  EXPECT_ERROR(memory_->Begin("r1", "b"), SqlState::kInvalidParameterValue, "another text");
  Restart(8);
  EXPECT_ERROR(memory_->Begin("r1", "b"), SqlState::kInvalidParameterValue, "another text");
}

TEST_F(RequestMemoryTest, TheSameTextInAnotherFolderIsAnotherRequest) {
  ASSERT_OK(memory_->Begin("r1", "COPY", "/a"));
  memory_->End("r1");
  EXPECT_OK(memory_->Begin("r1", "COPY", "/a"));
  memory_->End("r1");
  EXPECT_ERROR(memory_->Begin("r1", "COPY", "/b"), SqlState::kInvalidParameterValue,
               "working directory");
}

TEST_F(RequestMemoryTest, SameRequestIsNotRunTwiceAtOnce) {
  ASSERT_OK(memory_->Begin("r1", "a"));
  EXPECT_ERROR(memory_->Begin("r1", "a"), SqlState::kObjectInUse, "still running");
  memory_->End("r1");
  EXPECT_OK(memory_->Begin("r1", "a"));
}

TEST_F(RequestMemoryTest, QueriesAndSettingsLeaveNoRecord) {
  Make("r1", "SELECT 1", Done("SELECT"));
  EXPECT_FALSE(memory_->Find("r1", 0).has_value());
  StatementResult set = Done("SET");
  set.settings.emplace_back("parallelism", "3");
  Make("r2", "SET parallelism = 3", set);
  EXPECT_TRUE(memory_->Find("r2", 0).has_value());
  EXPECT_EQ(NumRecords(), 0);
}

TEST_F(RequestMemoryTest, WithoutAnIdNothingIsRemembered) {
  Make("", "a", Done("CREATE TABLE"));
  Make("", "b", Done("CREATE TABLE"));
  EXPECT_FALSE(memory_->Find("", 0).has_value());
  EXPECT_THAT(memory_->RecordOf("", 0, Done("INSERT")), IsEmpty());
}

TEST_F(RequestMemoryTest, OldRequestsAreForgottenWithTheirRecords) {
  Restart(2);
  for (const char* id : {"r1", "r2", "r3", "r4", "r5"}) Make(id, "x", Done("INSERT"));
  EXPECT_FALSE(memory_->Find("r1", 0).has_value());
  EXPECT_TRUE(memory_->Find("r5", 0).has_value());
  EXPECT_EQ(NumRecords(), 2);
  Restart(1);
  EXPECT_FALSE(memory_->Find("r4", 0).has_value());
  EXPECT_TRUE(memory_->Find("r5", 0).has_value());
}

// The process may have ended right after its newest statement.
TEST_F(RequestMemoryTest, AfterARestartAScriptIsAsYoungAsItsNewestStatement) {
  ASSERT_OK(memory_->Begin("script", "x"));
  ASSERT_OK(memory_->Done("script", 0, Done("INSERT")));
  for (const char* id : {"r1", "r2", "r3"}) Make(id, "x", Done("INSERT"));
  ASSERT_OK(memory_->Done("script", 1, Done("INSERT")));
  Restart(2);
  EXPECT_TRUE(memory_->Find("script", 1).has_value());
  EXPECT_TRUE(memory_->Find("r3", 0).has_value());
  EXPECT_FALSE(memory_->Find("r2", 0).has_value());
}

TEST_F(RequestMemoryTest, IdsHaveALimit) {
  EXPECT_ERROR(memory_->Begin(std::string(257, 'x'), "a"), SqlState::kInvalidParameterValue,
               "at most");
}

}  // namespace
}  // namespace millrace
