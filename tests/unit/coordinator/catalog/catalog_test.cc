#include "coordinator/catalog/catalog.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/catalog/drop_plan.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CatalogTest : public ::testing::Test {
 protected:
  CatalogTest() { Restart(); }

  void Restart() {
    catalog_.reset();
    ids_ = std::make_unique<IdAllocator>(store_, "object", 8);
    auto opened = Catalog::Open(store_, *ids_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    catalog_ = *std::move(opened);
  }

  uint64_t Create(const std::string& name, v1::ObjectKind kind,
                  std::vector<uint64_t> depends_on = {},
                  v1::ObjectState state = v1::OBJECT_STATE_READY) {
    v1::CatalogObject object;
    object.set_name(name);
    object.set_kind(kind);
    object.set_state(state);
    for (uint64_t id : depends_on) object.add_depends_on(id);
    const auto created = catalog_->Create(object);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? (*created)->id() : 0;
  }

  static std::vector<std::string> Names(const std::vector<CatalogObjectPtr>& objects) {
    std::vector<std::string> names;
    for (const auto& object : objects) names.push_back(object->name());
    return names;
  }

  MemoryMetadataStore store_;
  std::unique_ptr<IdAllocator> ids_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, RecordOfANewerFormatIsRefused) {
  v1::CatalogObject object;
  object.set_id(900);
  object.set_name("orders");
  object.set_format_version(99);
  ASSERT_TRUE(store_.CompareAndSwap("catalog/900", 0, object.SerializeAsString()).ok());
  const absl::Status opened = Catalog::Open(store_, *ids_).status();
  EXPECT_EQ(GetErrorDetail(opened).state, SqlState::kFeatureNotSupported);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("catalog record of orders has format 99"));
}

TEST_F(CatalogTest, FindsWhatWasCreatedAlsoAfterARestart) {
  const uint64_t id = Create("orders", v1::OBJECT_KIND_SOURCE);
  Restart();
  const auto snapshot = catalog_->Snapshot();
  ASSERT_NE(snapshot->Find("orders"), nullptr);
  EXPECT_EQ(snapshot->Find("orders")->id(), id);
  EXPECT_EQ(snapshot->Find("Orders"), nullptr);
  EXPECT_EQ(snapshot->NearestName("ordres"), "orders");
}

TEST_F(CatalogTest, SecondObjectOfTheSameNameIsRefused) {
  Create("t", v1::OBJECT_KIND_TABLE);
  v1::CatalogObject object;
  object.set_name("t");
  object.set_state(v1::OBJECT_STATE_READY);
  const auto again = catalog_->Create(object);
  EXPECT_EQ(GetErrorDetail(again.status()).state, SqlState::kDuplicateTable);
  EXPECT_EQ(again.status().message(), "relation \"t\" already exists");
}

TEST_F(CatalogTest, ObjectIsSeenOnlyWhenItIsReady) {
  const uint64_t id = Create("v", v1::OBJECT_KIND_MATERIALIZED_VIEW, {}, v1::OBJECT_STATE_CREATING);
  EXPECT_EQ(catalog_->Snapshot()->Find("v"), nullptr);
  ASSERT_TRUE(catalog_->CompleteCreate(id, [](auto& object) { object.set_job_id(9); }).ok());
  ASSERT_NE(catalog_->Snapshot()->Find("v"), nullptr);
  EXPECT_EQ(catalog_->Snapshot()->Find("v")->job_id(), 9);
  EXPECT_FALSE(catalog_->CompleteCreate(id, nullptr).ok());
}

TEST_F(CatalogTest, CrashLeavesUnfinishedObjectsToBeRemoved) {
  const uint64_t creating = Create("a", v1::OBJECT_KIND_TABLE, {}, v1::OBJECT_STATE_CREATING);
  const uint64_t dropping = Create("b", v1::OBJECT_KIND_TABLE);
  Create("c", v1::OBJECT_KIND_TABLE);
  ASSERT_TRUE(catalog_->BeginDrop({dropping}).ok());
  Restart();
  EXPECT_THAT(Names(catalog_->Unfinished()), ElementsAre("a", "b"));
  ASSERT_TRUE(catalog_->Remove({creating, dropping}).ok());
  Restart();
  EXPECT_TRUE(catalog_->Unfinished().empty());
  EXPECT_THAT(Names(catalog_->Snapshot()->ListAll()), ElementsAre("c"));
}

TEST_F(CatalogTest, SnapshotsDoNotChange) {
  const auto before = catalog_->Snapshot();
  Create("t", v1::OBJECT_KIND_TABLE);
  EXPECT_EQ(before->Find("t"), nullptr);
  EXPECT_GT(catalog_->Snapshot()->revision(), before->revision());
}

TEST_F(CatalogTest, AppendRaisesTheVersionAndKeepsSegments) {
  const uint64_t id = Create("t", v1::OBJECT_KIND_TABLE);
  v1::TableSegment segment;
  segment.set_path("tables/1/a.parquet");
  ASSERT_TRUE(catalog_->AppendSegments(id, {segment}).ok());
  segment.set_path("tables/1/b.parquet");
  ASSERT_TRUE(catalog_->AppendSegments(id, {segment}).ok());
  ASSERT_TRUE(catalog_->AppendSegments(id, {}).ok());
  Restart();
  const auto table = catalog_->Snapshot()->Find("t");
  EXPECT_EQ(table->table_version().version(), 2);
  ASSERT_EQ(table->table_version().segments_size(), 2);
  EXPECT_EQ(table->table_version().segments(1).path(), "tables/1/b.parquet");
}

TEST_F(CatalogTest, AppendToADroppedTableFails) {
  const uint64_t id = Create("t", v1::OBJECT_KIND_TABLE);
  ASSERT_TRUE(catalog_->BeginDrop({id}).ok());
  const absl::Status status = catalog_->AppendSegments(id, {v1::TableSegment()});
  EXPECT_EQ(GetErrorDetail(status).state, SqlState::kUndefinedTable);
}

v1::TableSegment Segment(const std::string& path, uint64_t rows) {
  v1::TableSegment segment;
  segment.set_path(path);
  segment.set_rows(rows);
  return segment;
}

TEST_F(CatalogTest, AppendsThatComeTogetherAllCount) {
  const uint64_t first = Create("t", v1::OBJECT_KIND_TABLE);
  const uint64_t second = Create("u", v1::OBJECT_KIND_TABLE);
  std::vector<std::thread> threads;
  constexpr int kThreads = 8;
  constexpr int kAppends = 25;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kAppends; ++i) {
        const std::string name = absl::StrCat(t, "-", i);
        EXPECT_TRUE(catalog_
                        ->AppendSegments(t % 2 == 0 ? first : second, {Segment(name, 1)},
                                         {{absl::StrCat("mark/", name), "done"}})
                        .ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Restart();
  for (const char* name : {"t", "u"}) {
    const v1::TableVersion& version = catalog_->Snapshot()->Find(name)->table_version();
    ASSERT_EQ(version.segments_size(), kThreads / 2 * kAppends);
    for (int i = 0; i < version.segments_size(); ++i) {
      EXPECT_EQ(version.segments(i).begin_position(), i);
      EXPECT_EQ(version.segments(i).end_position(), i + 1);
    }
  }
  EXPECT_EQ(store_.List("mark/")->size(), kThreads * kAppends);
}

TEST_F(CatalogTest, AppendOfNothingWritesWhatGoesWithIt) {
  const uint64_t id = Create("t", v1::OBJECT_KIND_TABLE);
  ASSERT_TRUE(catalog_->AppendSegments(id, {}, {{"mark", "done"}}).ok());
  EXPECT_TRUE(store_.Get("mark")->has_value());
  EXPECT_EQ(catalog_->Snapshot()->Find("t")->table_version().version(), 0);
  // Also there the table must exist.
  EXPECT_FALSE(catalog_->AppendSegments(id + 1, {}, {{"other", "done"}}).ok());
  EXPECT_FALSE(store_.Get("other")->has_value());
}

TEST_F(CatalogTest, CompactedSegmentTakesThePlaceOfItsParts) {
  const uint64_t id = Create("t", v1::OBJECT_KIND_TABLE);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(catalog_->AppendSegments(id, {Segment(absl::StrCat(i), 2)}).ok());
  }
  v1::TableSegment compacted = Segment("c", 6);
  compacted.set_begin_position(1);
  compacted.set_end_position(4);
  ASSERT_TRUE(catalog_->ReplaceSegments(id, compacted).ok());
  Restart();
  const v1::TableVersion& version = catalog_->Snapshot()->Find("t")->table_version();
  std::vector<std::string> paths;
  for (const v1::TableSegment& segment : version.segments()) paths.push_back(segment.path());
  EXPECT_THAT(paths, ElementsAre("0", "c", "4"));
  EXPECT_EQ(EndPosition(version), 5);
  // A second time they are not there any more.
  compacted.set_end_position(3);
  EXPECT_EQ(GetErrorDetail(catalog_->ReplaceSegments(id, compacted).status()).state,
            SqlState::kSerializationFailure);
}

TEST_F(CatalogTest, KnowsTheOldestSnapshotInUse) {
  // The last snapshot goes after the test.
  const auto released = std::make_shared<int>(0);
  catalog_->SetReleaseHook([released] { ++*released; });
  auto old = catalog_->Snapshot();
  const uint64_t revision = old->revision();
  Create("t", v1::OBJECT_KIND_TABLE);
  Create("u", v1::OBJECT_KIND_TABLE);
  EXPECT_EQ(catalog_->OldestRevisionInUse(), revision);
  const int before = *released;
  old.reset();
  EXPECT_EQ(*released, before + 1);
  EXPECT_EQ(catalog_->OldestRevisionInUse(), catalog_->Snapshot()->revision());
}

TEST_F(CatalogTest, NothingComesToDependOnWhatGoes) {
  const uint64_t table = Create("t", v1::OBJECT_KIND_TABLE);
  Create("v", v1::OBJECT_KIND_VIEW, {table});
  EXPECT_EQ(GetErrorDetail(catalog_->BeginDrop({table})).state, SqlState::kDependentObjects);
  v1::CatalogObject view;
  view.set_name("w");
  view.set_kind(v1::OBJECT_KIND_VIEW);
  view.set_state(v1::OBJECT_STATE_READY);
  view.add_depends_on(table + 100);
  EXPECT_EQ(GetErrorDetail(catalog_->Create(view).status()).state, SqlState::kUndefinedTable);
}

TEST_F(CatalogTest, RefusalNamesAllDependents) {
  const uint64_t table = Create("t", v1::OBJECT_KIND_TABLE);
  Create("b", v1::OBJECT_KIND_MATERIALIZED_VIEW, {table});
  Create("a", v1::OBJECT_KIND_VIEW, {table});
  const auto refused = PlanDrop(*catalog_->Snapshot(), {table}, DropBehavior::kRestrict);
  EXPECT_EQ(refused.status().message(),
            "cannot drop table t because view a, materialized view b depend on it");
}

TEST_F(CatalogTest, DropIsRefusedWhileSomethingDependsOnIt) {
  const uint64_t table = Create("t", v1::OBJECT_KIND_TABLE);
  const uint64_t view = Create("v", v1::OBJECT_KIND_VIEW, {table});
  Create("w", v1::OBJECT_KIND_MATERIALIZED_VIEW, {view});
  const auto snapshot = catalog_->Snapshot();
  const auto refused = PlanDrop(*snapshot, {table}, DropBehavior::kRestrict);
  EXPECT_EQ(GetErrorDetail(refused.status()).state, SqlState::kDependentObjects);
  EXPECT_EQ(refused.status().message(), "cannot drop table t because view v depends on it");
  EXPECT_THAT(GetErrorDetail(refused.status()).hint, HasSubstr("CASCADE"));
  const auto all = PlanDrop(*snapshot, {table}, DropBehavior::kCascade);
  ASSERT_TRUE(all.ok());
  EXPECT_THAT(Names(*all), ElementsAre("w", "v", "t"));
}

TEST_F(CatalogTest, ObjectsNamedTogetherMayDependOnEachOther) {
  const uint64_t table = Create("t", v1::OBJECT_KIND_TABLE);
  const uint64_t view = Create("v", v1::OBJECT_KIND_VIEW, {table});
  const auto plan = PlanDrop(*catalog_->Snapshot(), {table, view}, DropBehavior::kRestrict);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("v", "t"));
}

TEST_F(CatalogTest, FailedWriteChangesNothing) {
  store_.FailTransactions(MakeError(SqlState::kDiskFull, "no space"));
  v1::CatalogObject object;
  object.set_name("t");
  object.set_state(v1::OBJECT_STATE_READY);
  EXPECT_EQ(GetErrorDetail(catalog_->Create(object).status()).state, SqlState::kDiskFull);
  store_.FailTransactions(absl::OkStatus());
  EXPECT_EQ(catalog_->Snapshot()->Find("t"), nullptr);
  EXPECT_TRUE(catalog_->Create(object).ok());
}

TEST_F(CatalogTest, SystemViewsCanBeFoundButAreNotListed) {
  const auto view = catalog_->Snapshot()->Find("millrace.jobs");
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->connector(), kSystemConnector);
  EXPECT_TRUE(catalog_->Snapshot()->ListAll().empty());
}

}  // namespace
}  // namespace millrace
