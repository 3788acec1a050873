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

TEST(JobStoreTest, RecordsSurviveARestart) {
  MemoryMetadataStore store;
  JobStore jobs(store);
  ASSERT_OK(jobs.Load());
  v1::JobRecord record;
  record.set_id(4);
  record.set_name("daily");
  ASSERT_OK(jobs.Create(record));
  ASSERT_OK(jobs.Update(4, [](v1::JobRecord& changed) { changed.set_durable_epoch(9); }));
  JobStore restarted(store);
  ASSERT_OK(restarted.Load());
  EXPECT_EQ(restarted.Find("daily")->durable_epoch(), 9);
}

TEST(JobStoreTest, OtherRecordsAreWrittenWithTheJobAndRemovedWithIt) {
  MemoryMetadataStore store;
  JobStore jobs(store);
  ASSERT_OK(jobs.Load());
  v1::JobRecord record;
  record.set_id(4);
  record.set_name("daily");
  const auto created = jobs.Create(record, {{"request/0/r", "done"}});
  ASSERT_OK(created);
  const auto beside = *store.Get("request/0/r");
  ASSERT_TRUE(beside.has_value());
  EXPECT_EQ(beside->revision, (*store.Get("jobs/4"))->revision);
  ASSERT_OK(jobs.Remove(4, {{"request/0/r", std::nullopt}}));
  EXPECT_FALSE((*store.Get("request/0/r")).has_value());
  // Nothing to remove, nothing written.
  ASSERT_OK(jobs.Remove(4, {{"request/0/r", "again"}}));
  EXPECT_FALSE((*store.Get("request/0/r")).has_value());
}

TEST(JobStoreTest, AChangeThatRefusesOrTakesALiveNameWritesNothing) {
  MemoryMetadataStore store;
  JobStore jobs(store);
  ASSERT_OK(jobs.Load());
  for (const uint64_t id : {4, 5}) {
    v1::JobRecord record;
    record.set_id(id);
    record.set_name("daily");
    record.set_state(id == 4 ? v1::JOB_STATE_STOPPED : v1::JOB_STATE_RUNNING);
    ASSERT_OK(jobs.Create(record));
  }
  const auto revive = [](v1::JobRecord& record) {
    record.set_state(v1::JOB_STATE_RUNNING);
    return absl::OkStatus();
  };
  EXPECT_EQ(GetErrorDetail(jobs.UpdateIf(4, revive)).state, SqlState::kDuplicateTable);
  EXPECT_EQ(jobs.Get(4)->state(), v1::JOB_STATE_STOPPED);
  ASSERT_OK(jobs.Update(5, [](v1::JobRecord& record) { record.set_state(v1::JOB_STATE_FAILED); }));
  const absl::Status refused = jobs.UpdateIf(4, [](v1::JobRecord& record) {
    record.set_state(v1::JOB_STATE_RUNNING);
    return CancelledByUser();
  });
  EXPECT_EQ(GetErrorDetail(refused).state, SqlState::kQueryCanceled);
  EXPECT_EQ(jobs.Get(4)->state(), v1::JOB_STATE_STOPPED);
  ASSERT_OK(jobs.UpdateIf(4, revive));
  EXPECT_EQ(jobs.Get(4)->state(), v1::JOB_STATE_RUNNING);
}

TEST(JobStoreTest, RecordOfANewerFormatIsRefused) {
  MemoryMetadataStore store;
  v1::JobRecord record;
  record.set_id(4);
  record.set_name("daily");
  record.set_format_version(99);
  ASSERT_OK(store.CompareAndSwap("jobs/4", 0, record.SerializeAsString()));
  JobStore jobs(store);
  const absl::Status loaded = jobs.Load();
  EXPECT_EQ(GetErrorDetail(loaded).state, SqlState::kFeatureNotSupported);
  EXPECT_THAT(std::string(loaded.message()), HasSubstr("record of job daily has format 99"));
}

}  // namespace
}  // namespace millrace
