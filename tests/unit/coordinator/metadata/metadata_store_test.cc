#include "coordinator/metadata/metadata_store.h"

#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/metadata/id_allocator.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "coordinator/metadata/rocksdb_metadata_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

// Files cannot grow beyond a size while it lives: what a full disk does, too.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

// Both implementations keep the same contract. Reopen: a restart of the process.
class MetadataStoreTest : public ::testing::TestWithParam<bool> {
 protected:
  MetadataStoreTest() {
    if (!GetParam()) {
      store_ = std::make_unique<MemoryMetadataStore>();
      return;
    }
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string("millrace_") + test->name();
    std::replace(name.begin(), name.end(), '/', '_');
    folder_ = std::filesystem::path(::testing::TempDir()) / name;
    std::filesystem::remove_all(folder_);
    Reopen();
  }
  ~MetadataStoreTest() override {
    store_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  void Reopen() {
    if (!GetParam()) return;
    store_.reset();
    auto opened = RocksDbMetadataStore::Open(folder_.string());
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  std::string ValueOf(const std::string& key) {
    auto value = store_->Get(key);
    EXPECT_TRUE(value.ok());
    return value->has_value() ? (*value)->value : "(none)";
  }

  std::filesystem::path folder_;
  std::unique_ptr<MetadataStore> store_;
};

TEST(RocksDbMetadataStoreTest, AFirstStartLogsNothing) {
  const TempFolder folder;
  testing::internal::CaptureStderr();
  const auto opened = RocksDbMetadataStore::Open(folder.Path("metadata"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_TRUE(opened.ok()) << opened.status();
}

TEST_P(MetadataStoreTest, CreatesOnlyWhereNothingIs) {
  ASSERT_TRUE(store_->CompareAndSwap("a", 0, "1").ok());
  const auto again = store_->CompareAndSwap("a", 0, "2");
  EXPECT_EQ(GetErrorDetail(again.status()).state, SqlState::kSerializationFailure);
  EXPECT_EQ(GetErrorDetail(again.status()).retry, Retry::kSafe);
  EXPECT_EQ(ValueOf("a"), "1");
}

TEST_P(MetadataStoreTest, SwapsAtTheExpectedRevisionOnly) {
  const uint64_t first = *store_->CompareAndSwap("a", 0, "1");
  const uint64_t second = *store_->CompareAndSwap("a", first, "2");
  EXPECT_GT(second, first);
  EXPECT_FALSE(store_->CompareAndSwap("a", first, "3").ok());
  EXPECT_EQ(ValueOf("a"), "2");
}

TEST_P(MetadataStoreTest, TransactionIsAllOrNothing) {
  const uint64_t revision = *store_->CompareAndSwap("a", 0, "1");
  EXPECT_FALSE(store_->Transact({{"a", revision}, {"b", 7}}, {{"a", "2"}, {"b", "2"}}).ok());
  EXPECT_EQ(ValueOf("a"), "1");
  EXPECT_EQ(ValueOf("b"), "(none)");
  EXPECT_TRUE(store_->Transact({{"a", revision}, {"b", 0}}, {{"a", {}}, {"b", "2"}}).ok());
  EXPECT_EQ(ValueOf("a"), "(none)");
  EXPECT_EQ(ValueOf("b"), "2");
}

TEST_P(MetadataStoreTest, ListsByPrefixInOrder) {
  for (const char* key : {"t/2", "t/1", "u/1", "s"}) {
    ASSERT_TRUE(store_->CompareAndSwap(key, 0, key).ok());
  }
  std::vector<std::string> keys;
  const auto listed = store_->List("t/");
  ASSERT_TRUE(listed.ok());
  for (const auto& entry : *listed) keys.push_back(entry.key);
  EXPECT_THAT(keys, ElementsAre("t/1", "t/2"));
  EXPECT_EQ(store_->List("")->size(), 4);
}

TEST_P(MetadataStoreTest, ValuesAndRevisionsSurviveARestart) {
  const uint64_t revision = *store_->CompareAndSwap("a", 0, std::string("x\0y", 3));
  Reopen();
  EXPECT_EQ(ValueOf("a"), std::string("x\0y", 3));
  const auto next = store_->CompareAndSwap("a", revision, "2");
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_GT(*next, revision);
}

TEST_P(MetadataStoreTest, IdsNeverRepeatOverRestarts) {
  uint64_t last = 0;
  for (int restart = 0; restart < 3; ++restart) {
    IdAllocator ids(*store_, "job", 4);
    for (int i = 0; i < 6; ++i) {
      const auto id = ids.Next();
      ASSERT_TRUE(id.ok());
      EXPECT_GT(*id, last);
      last = *id;
    }
    Reopen();
  }
}

TEST_P(MetadataStoreTest, RangeOfANewerFormatIsRefused) {
  IdAllocator ids(*store_, "job", 4);
  ASSERT_TRUE(store_->CompareAndSwap("ids/job", 0, "2 17").ok());
  EXPECT_EQ(GetErrorDetail(ids.Next().status()).state, SqlState::kFeatureNotSupported);
  IdAllocator damaged(*store_, "object", 4);
  ASSERT_TRUE(store_->CompareAndSwap("ids/object", 0, "1 x").ok());
  EXPECT_EQ(GetErrorDetail(damaged.Next().status()).state, SqlState::kDataCorrupted);
}

TEST_P(MetadataStoreTest, ClusterIdIsDrawnOnce) {
  const std::string id = *LoadOrCreateClusterId(*store_);
  EXPECT_EQ(id.size(), 16);
  Reopen();
  EXPECT_EQ(*LoadOrCreateClusterId(*store_), id);
  EXPECT_EQ(ValueOf("cluster/id"), absl::StrCat("1 ", id));
}

TEST_P(MetadataStoreTest, ClusterIdIsReadAsTheFirstVersionsWroteItAndRefusedInANewerFormat) {
  const uint64_t revision = *store_->CompareAndSwap("cluster/id", 0, "0011223344556677");
  EXPECT_EQ(*LoadOrCreateClusterId(*store_), "0011223344556677");
  ASSERT_TRUE(store_->CompareAndSwap("cluster/id", revision, "2 id of 3 words").ok());
  EXPECT_EQ(GetErrorDetail(LoadOrCreateClusterId(*store_).status()).state,
            SqlState::kFeatureNotSupported);
}

INSTANTIATE_TEST_SUITE_P(All, MetadataStoreTest, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "RocksDb" : "Memory"; });

TEST(RocksDbMetadataStoreTest, SecondOpenIsRefusedAsInUse) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / "millrace_second_open";
  std::filesystem::remove_all(folder);
  auto first = RocksDbMetadataStore::Open(folder.string());
  ASSERT_TRUE(first.ok());
  const auto second = RocksDbMetadataStore::Open(folder.string());
  EXPECT_EQ(GetErrorDetail(second.status()).state, SqlState::kObjectInUse) << second.status();
  first->reset();
  std::filesystem::remove_all(folder);
}

TEST(RocksDbMetadataStoreTest, ADamagedLogIsRefusedAndOneThatIsCutOffIsNot) {
  const TempFolder folder;
  {
    const auto store = *RocksDbMetadataStore::Open(folder.path());
    for (int i = 0; i < 50; ++i) {
      ASSERT_OK(store->CompareAndSwap(absl::StrCat("key", i), 0, std::string(100, 'x')));
    }
  }
  std::string log;
  for (const std::string& name : folder.Names()) {
    if (absl::EndsWith(name, ".log")) log = name;
  }
  const std::string written = TempFolder::Read(folder.Path(log));
  ASSERT_GT(written.size(), 5000);
  for (const size_t percent : {10, 50, 90}) {
    std::string damaged = written;
    damaged[written.size() * percent / 100] ^= 1;
    folder.Write(log, damaged);
    const absl::Status refused = RocksDbMetadataStore::Open(folder.path()).status();
    EXPECT_ERROR(refused, SqlState::kDataCorrupted, "cannot open metadata store");
    EXPECT_TRUE(absl::StrContains(GetErrorDetail(refused).hint, folder.path()));
  }
  folder.Write(log, written.substr(0, written.size() - 5));
  const auto store = RocksDbMetadataStore::Open(folder.path());
  ASSERT_OK(store);
  EXPECT_TRUE((*store)->Get("key48")->has_value());
  EXPECT_FALSE((*store)->Get("key49")->has_value());
}

TEST(RocksDbMetadataStoreTest, HeaderOfANewerFormatIsRefusedWhateverItsLength) {
  const std::string number("\x01\0\0\0\0\0\0\0", 8);
  const std::string newer("\x02\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(*RevisionInStoreHeader(number + number), 1);
  for (const std::string& rest : {std::string(), number, number + number}) {
    EXPECT_EQ(GetErrorDetail(RevisionInStoreHeader(newer + rest).status()).state,
              SqlState::kFeatureNotSupported);
  }
  for (const std::string& damaged : {std::string("\x02"), number, number + number + number}) {
    EXPECT_EQ(GetErrorDetail(RevisionInStoreHeader(damaged).status()).state,
              SqlState::kDataCorrupted);
  }
}

TEST(RecordFormatTest, NewerFormatIsRefused) {
  EXPECT_TRUE(CheckRecordFormat("table t", 1, 1).ok());
  const absl::Status newer = CheckRecordFormat("table t", 3, 1);
  EXPECT_EQ(GetErrorDetail(newer).state, SqlState::kFeatureNotSupported);
  EXPECT_EQ(newer.message(), "table t has format 3, this version reads up to 1");
  EXPECT_EQ(GetErrorDetail(CheckRecordFormat("table t", 0, 1)).state, SqlState::kDataCorrupted);
}

TEST_P(MetadataStoreTest, AFailedWriteHasNotHappenedAndTheNextOneGoesOn) {
  if (!GetParam()) return;  // Writes nothing.
  const std::string large(20'000, 'x');
  ASSERT_TRUE(store_->CompareAndSwap("kept", 0, "old").ok());
  int num_written = 0;
  {
    const FileSizeLimit limit(100'000);
    while (store_->CompareAndSwap(absl::StrCat("large", num_written), 0, large).ok()) {
      ASSERT_LT(++num_written, 10);
    }
    EXPECT_FALSE(store_->CompareAndSwap("other", 0, large).ok());
    EXPECT_EQ(ValueOf("kept"), "old");
  }
  EXPECT_GT(num_written, 0);
  for (const bool reopened : {false, true}) {
    SCOPED_TRACE(reopened);
    if (reopened) Reopen();
    const std::string next = reopened ? "second" : "first";
    ASSERT_TRUE(store_->CompareAndSwap(next, 0, "new").ok());
    EXPECT_EQ(ValueOf(absl::StrCat("large", num_written - 1)), large);
    EXPECT_EQ(ValueOf(absl::StrCat("large", num_written)), "(none)");
    EXPECT_EQ(ValueOf("other"), "(none)");
    EXPECT_EQ(ValueOf(next), "new");
  }
}

}  // namespace
}  // namespace millrace
