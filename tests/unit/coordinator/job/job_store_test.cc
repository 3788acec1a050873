#include "coordinator/job/job_store.h"

#include "common/base/status.h"
#include "coordinator/job/cancellation.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

v1::JobRecord Daily(uint64_t id = 4) {
  v1::JobRecord record;
  record.set_id(id);
  record.set_name("daily");
  record.set_state(v1::JOB_STATE_RUNNING);
  return record;
}

class JobStoreTest : public ::testing::Test {
 protected:
  JobStoreTest() { EXPECT_OK(jobs_.Load()); }

  MemoryMetadataStore store_;
  JobStore jobs_{store_};
};

TEST_F(JobStoreTest, RecordsSurviveARestart) {
  ASSERT_OK(jobs_.Create(Daily()));
  ASSERT_OK(jobs_.Update(4, [](v1::JobRecord& changed) { changed.set_durable_epoch(9); }));
  JobStore restarted(store_);
  ASSERT_OK(restarted.Load());
  EXPECT_EQ(restarted.Find("daily")->durable_epoch(), 9);
}

TEST_F(JobStoreTest, OtherRecordsAreWrittenWithTheJobAndRemovedWithIt) {
  const auto created = jobs_.Create(Daily(), {{"request/0/r", "done"}});
  ASSERT_OK(created);
  const auto beside = *store_.Get("request/0/r");
  ASSERT_TRUE(beside.has_value());
  EXPECT_EQ(beside->revision, (*store_.Get("jobs/4"))->revision);
  ASSERT_OK(jobs_.Remove(4, {{"request/0/r", std::nullopt}}));
  EXPECT_FALSE((*store_.Get("request/0/r")).has_value());
  // Nothing to remove, nothing written.
  ASSERT_OK(jobs_.Remove(4, {{"request/0/r", "again"}}));
  EXPECT_FALSE((*store_.Get("request/0/r")).has_value());
}

TEST_F(JobStoreTest, AChangeThatRefusesOrTakesALiveNameWritesNothing) {
  for (const uint64_t id : {4, 5}) {
    v1::JobRecord record = Daily(id);
    record.set_state(id == 4 ? v1::JOB_STATE_STOPPED : v1::JOB_STATE_RUNNING);
    ASSERT_OK(jobs_.Create(record));
  }
  const auto revive = [](v1::JobRecord& record) {
    record.set_state(v1::JOB_STATE_RUNNING);
    return absl::OkStatus();
  };
  EXPECT_EQ(GetErrorDetail(jobs_.UpdateIf(4, revive)).state, SqlState::kDuplicateObject);
  EXPECT_EQ(jobs_.Get(4)->state(), v1::JOB_STATE_STOPPED);
  ASSERT_OK(jobs_.Update(5, [](v1::JobRecord& record) { record.set_state(v1::JOB_STATE_FAILED); }));
  const absl::Status refused = jobs_.UpdateIf(4, [](v1::JobRecord& record) {
    record.set_state(v1::JOB_STATE_RUNNING);
    return CancelledByUser();
  });
  EXPECT_EQ(GetErrorDetail(refused).state, SqlState::kQueryCanceled);
  EXPECT_EQ(jobs_.Get(4)->state(), v1::JOB_STATE_STOPPED);
  ASSERT_OK(jobs_.UpdateIf(4, revive));
  EXPECT_EQ(jobs_.Get(4)->state(), v1::JOB_STATE_RUNNING);
}

TEST_F(JobStoreTest, NamesAreUniqueAmongLiveJobsAndFindTheNewest) {
  ASSERT_OK(jobs_.Create(Daily(1)));
  EXPECT_ERROR(jobs_.Create(Daily(2)), SqlState::kDuplicateObject, "daily");
  ASSERT_OK(
      jobs_.Update(1, [](v1::JobRecord& record) { record.set_state(v1::JOB_STATE_FINISHED); }));
  ASSERT_OK(jobs_.Create(Daily(2)));
  EXPECT_EQ(jobs_.Find("daily")->id(), 2);
  EXPECT_EQ(jobs_.Find("1")->id(), 1);
  EXPECT_ERROR(jobs_.Find("3"), SqlState::kUndefinedObject, "3");
  EXPECT_ERROR(jobs_.Find(" 1"), SqlState::kUndefinedObject, " 1");
  JobStore restarted(store_);
  ASSERT_OK(restarted.Load());
  EXPECT_EQ(restarted.List().size(), 2);
}

TEST_F(JobStoreTest, AnIdFindsItsJobAlthoughAnotherOneIsCalledLikeIt) {
  v1::JobRecord view = Daily(1);
  view.set_name("2");
  ASSERT_OK(jobs_.Create(view));
  EXPECT_EQ(jobs_.Find("2")->id(), 1);
  ASSERT_OK(jobs_.Create(Daily(2)));
  EXPECT_EQ(jobs_.Find("2")->id(), 2);
  EXPECT_EQ(jobs_.Find("1")->id(), 1);
}

TEST_F(JobStoreTest, TheSameRequestFindsItsJobAndAnotherOneOfItsIdIsRefused) {
  v1::JobRecord request = Daily(1);
  request.set_request_id("r1");
  request.set_sql("SELECT 1");
  request.set_request_xxh3(7);
  ASSERT_OK(jobs_.Create(request));
  ASSERT_OK(jobs_.Update(1, [](v1::JobRecord& record) {
    (*record.mutable_settings())["parallelism"] = "2";  // As its script has SET it.
  }));
  EXPECT_EQ((*jobs_.FindRequest(request))->id(), 1);
  request.set_request_xxh3(8);
  EXPECT_ERROR(jobs_.FindRequest(request), SqlState::kInvalidParameterValue,
               "request id r1 was used before with another request");
  request.set_request_xxh3(7);
  request.set_sql("SELECT 2");
  EXPECT_ERROR(jobs_.FindRequest(request), SqlState::kInvalidParameterValue, "another request");
}

TEST_F(JobStoreTest, RecordOfANewerFormatIsRefused) {
  v1::JobRecord record = Daily();
  record.set_format_version(99);
  ASSERT_OK(store_.CompareAndSwap("jobs/4", 0, record.SerializeAsString()));
  const absl::Status loaded = JobStore(store_).Load();
  EXPECT_EQ(GetErrorDetail(loaded).state, SqlState::kFeatureNotSupported);
  EXPECT_THAT(std::string(loaded.message()), HasSubstr("record of job daily has format 99"));
}

}  // namespace
}  // namespace millrace
