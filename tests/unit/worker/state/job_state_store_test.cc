#include "worker/state/job_state_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/data_folder.h"
#include "common/storage/local_file_system.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/recording_file_system.h"
#include "worker/state/state_resources.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr uint32_t kNumShards = 8;
constexpr uint32_t kNode = 7;

// What a test writes: a value, a deletion, or something to add.
struct Change {
  uint32_t shard;
  std::string key;
  std::optional<std::string> value;
  std::optional<int64_t> add = std::nullopt;
};

absl::Status Write(TaskStateStore& store, uint32_t node, const std::vector<Change>& changes) {
  StateEntries entries;
  for (const Change& change : changes) {
    if (change.add.has_value()) {
      entries.Add(change.shard, {change.key}, *change.add);
    } else if (change.value.has_value()) {
      entries.Put(change.shard, {change.key}, {*change.value});
    } else {
      entries.Delete(change.shard, {change.key});
    }
  }
  return store.Write(node, std::move(entries));
}

class JobStateStoreTest : public testing::Test {
 protected:
  JobStateStoreTest() {
    std::string pattern = (fs::temp_directory_path() / "mr-state-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    fs::create_directories(folder_ + "/checkpoints/job-3");
  }
  ~JobStateStoreTest() override { fs::remove_all(folder_); }

  JobStateOptions Options(uint32_t worker, uint32_t attempt, std::vector<TaskShards> tasks) {
    JobStateOptions options;
    options.job = JobId(3);
    options.attempt = AttemptId(attempt);
    options.worker = WorkerId(worker);
    options.local_folder = folder_ + "/local-" + std::to_string(worker);
    options.checkpoint_folder = folder_ + "/checkpoints/job-3";
    options.num_shards = kNumShards;
    options.tasks = std::move(tasks);
    return options;
  }

  std::unique_ptr<JobStateStore> MustOpen(const JobStateOptions& options,
                                          const v1::CheckpointManifest* restore = nullptr) {
    auto store = JobStateStore::Open(options, restore, resources_, file_system_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  static std::map<std::string, std::string> Contents(TaskStateStore& task, uint32_t node = kNode) {
    std::map<std::string, std::string> contents;
    const absl::Status status =
        task.Restore(node, "", [&](uint32_t shard, absl::string_view key, absl::string_view value) {
          contents[std::to_string(shard) + "/" + std::string(key)] = std::string(value);
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return contents;
  }

  static std::set<std::string> PathsOf(const v1::CheckpointManifest& manifest) {
    std::set<std::string> paths;
    for (const auto& file : manifest.files()) paths.insert(file.path());
    return paths;
  }

  // Checkpoints a store and adds its files to a manifest.
  static void MustCheckpoint(JobStateStore& store, uint64_t epoch,
                             v1::CheckpointManifest* manifest) {
    auto files = store.Checkpoint();
    ASSERT_TRUE(files.ok()) << files.status();
    manifest->set_epoch(epoch);
    for (const auto& file : *files) *manifest->add_files() = file;
  }

  std::string folder_;
  LocalFileSystem file_system_;
  StateResources resources_{8 << 20, 8 << 20};
};

// So many entries that they become a file at once; later ones lie over those before.
TEST_F(JobStateStoreTest, RestoresManyEntriesAndWhatWasWrittenOverThem) {
  constexpr int kEntries = 40'000;
  const auto key_of = [](int i) { return "key " + std::to_string(i); };
  std::map<std::string, std::string> expected;
  v1::CheckpointManifest manifest;
  {
    auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
    auto task = store->ForTask(0, 0);
    StateEntries first;
    StateEntries second;
    for (int i = 0; i < kEntries; ++i) {
      const uint32_t shard = 1 + static_cast<uint32_t>(i % 2);
      const std::string place = std::to_string(shard) + "/" + key_of(i);
      first.Put(shard, {key_of(i)}, {"first ", std::to_string(i)});
      expected[place] = "first " + std::to_string(i);
      if (i % 8 < 2) continue;
      if (i % 8 < 4) {
        second.Delete(shard, {key_of(i)});
        expected.erase(place);
      } else {
        second.Put(shard, {key_of(i)}, {"second"});
        expected[place] = "second";
      }
    }
    ASSERT_TRUE(Write(*task, kNode, {{1, key_of(0), "before"}, {1, "z", "stays"}}).ok());
    ASSERT_TRUE(task->Write(kNode, std::move(first)).ok());
    v1::CheckpointManifest ignored;
    MustCheckpoint(*store, 10, &ignored);
    ASSERT_TRUE(task->Write(kNode, std::move(second)).ok());
    ASSERT_TRUE(Write(*task, kNode, {{1, key_of(4), "third"}}).ok());
    expected["1/z"] = "stays";
    expected["1/" + key_of(4)] = "third";
    EXPECT_EQ(Contents(*task), expected);
    MustCheckpoint(*store, 20, &manifest);
  }
  auto restored = MustOpen(Options(2, 2, {{0, 0, 0, kNumShards}}), &manifest);
  auto task = restored->ForTask(0, 0);
  EXPECT_EQ(Contents(*task), expected);
  // What is written after a restore is newer than all that came with it.
  StateEntries third;
  for (int i = 0; i < kEntries; ++i) {
    const uint32_t shard = 1 + static_cast<uint32_t>(i % 2);
    third.Put(shard, {key_of(i)}, {"third"});
    expected[std::to_string(shard) + "/" + key_of(i)] = "third";
  }
  ASSERT_TRUE(task->Write(kNode, std::move(third)).ok());
  EXPECT_EQ(Contents(*task), expected);
}

TEST_F(JobStateStoreTest, AddsUpManyCounters) {
  constexpr int kEntries = 20'000;
  v1::CheckpointManifest manifest;
  {
    auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
    for (const int64_t count : {3, -1}) {
      StateEntries entries;
      for (int i = 0; i < kEntries; ++i) entries.Add(1, {std::to_string(i)}, count);
      ASSERT_TRUE(store->ForTask(0, 0)->Write(kNode, std::move(entries)).ok());
    }
    MustCheckpoint(*store, 10, &manifest);
  }
  auto restored = MustOpen(Options(2, 2, {{0, 0, 0, kNumShards}}), &manifest);
  const auto contents = Contents(*restored->ForTask(0, 0));
  EXPECT_EQ(contents.size(), static_cast<size_t>(kEntries));
  for (const auto& [key, value] : contents) ASSERT_EQ(StateCounter(value), 2) << key;
}

TEST_F(JobStateStoreTest, StartsEmpty) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
  EXPECT_THAT(Contents(*store->ForTask(0, 0)), IsEmpty());
}

TEST_F(JobStateStoreTest, ANewStoreLogsNothing) {
  testing::internal::CaptureStderr();
  MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(JobStateStoreTest, RestoresWhatWasWrittenBeforeTheCheckpointOnly) {
  v1::CheckpointManifest manifest;
  {
    auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
    auto task = store->ForTask(0, 0);
    ASSERT_TRUE(Write(*task, kNode, {{5, "b", "2"}, {1, "a", "1"}, {1, "gone", "x"}}).ok());
    ASSERT_TRUE(Write(*task, kNode, {{1, "gone", std::nullopt}}).ok());
    MustCheckpoint(*store, 10, &manifest);
    ASSERT_TRUE(Write(*task, kNode, {{1, "a", "later"}, {2, "c", "later"}}).ok());
  }
  auto restored = MustOpen(Options(1, 2, {{0, 0, 0, kNumShards}}), &manifest);
  EXPECT_THAT(Contents(*restored->ForTask(0, 0)), ElementsAre(Pair("1/a", "1"), Pair("5/b", "2")));
}

TEST_F(JobStateStoreTest, KeepsFragmentsAndOperatorsApart) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}, {1, 0, 0, kNumShards}}));
  auto first = store->ForTask(0, 0);
  auto second = store->ForTask(1, 0);
  ASSERT_TRUE(Write(*first, kNode, {{3, "k", "first"}}).ok());
  ASSERT_TRUE(Write(*second, kNode, {{3, "k", "second"}}).ok());
  ASSERT_TRUE(Write(*second, kNode + 1, {{3, "k", "other"}}).ok());
  EXPECT_THAT(Contents(*first), ElementsAre(Pair("3/k", "first")));
  EXPECT_THAT(Contents(*second), ElementsAre(Pair("3/k", "second")));
}

TEST_F(JobStateStoreTest, MovesShardsWhenTheNumberOfWorkersChanges) {
  v1::CheckpointManifest manifest;
  for (uint32_t worker : {1u, 2u}) {
    const uint32_t first = (worker - 1) * 4;
    auto store = MustOpen(Options(worker, 1, {{0, worker - 1, first, 4}}));
    auto task = store->ForTask(0, worker - 1);
    ASSERT_TRUE(Write(*task, kNode, {{first, "low", "x"}, {first + 3, "high", "y"}}).ok());
    MustCheckpoint(*store, 20, &manifest);
  }
  auto whole = MustOpen(Options(9, 2, {{0, 0, 0, kNumShards}}), &manifest);
  EXPECT_THAT(Contents(*whole->ForTask(0, 0)),
              UnorderedElementsAre(Pair("0/low", "x"), Pair("3/high", "y"), Pair("4/low", "x"),
                                   Pair("7/high", "y")));
  auto middle = MustOpen(Options(8, 2, {{0, 1, 3, 2}}), &manifest);
  EXPECT_THAT(Contents(*middle->ForTask(0, 1)),
              UnorderedElementsAre(Pair("3/high", "y"), Pair("4/low", "x")));
}

TEST_F(JobStateStoreTest, UploadsAnImmutableFileOnce) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
  auto task = store->ForTask(0, 0);
  ASSERT_TRUE(Write(*task, kNode, {{1, "a", std::string(10000, 'x')}}).ok());
  v1::CheckpointManifest first;
  MustCheckpoint(*store, 1, &first);
  ASSERT_TRUE(Write(*task, kNode, {{2, "b", "1"}}).ok());
  v1::CheckpointManifest second;
  MustCheckpoint(*store, 2, &second);
  std::map<std::string, int> sst_files;
  for (const auto* manifest : {&first, &second}) {
    for (const auto& file : manifest->files()) {
      if (file.path().ends_with(".sst")) ++sst_files[file.path()];
    }
  }
  EXPECT_THAT(sst_files, UnorderedElementsAre(Pair(testing::_, 2), Pair(testing::_, 1)));
}

TEST_F(JobStateStoreTest, GathersTheFragmentsOfOneShardFromSeveralWorkers) {
  v1::CheckpointManifest manifest;
  for (uint32_t worker : {1u, 2u}) {
    auto store = MustOpen(Options(worker, 1, {{worker, 0, 0, kNumShards}}));
    ASSERT_TRUE(
        Write(*store->ForTask(worker, 0), kNode, {{3, "k", "of " + std::to_string(worker)}}).ok());
    MustCheckpoint(*store, 20, &manifest);
  }
  auto both = MustOpen(Options(3, 2, {{1, 0, 0, kNumShards}, {2, 0, 0, kNumShards}}), &manifest);
  EXPECT_THAT(Contents(*both->ForTask(1, 0)), ElementsAre(Pair("3/k", "of 1")));
  EXPECT_THAT(Contents(*both->ForTask(2, 0)), ElementsAre(Pair("3/k", "of 2")));
}

TEST_F(JobStateStoreTest, ARestoredStateIsNotUploadedAgain) {
  v1::CheckpointManifest first;
  {
    auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
    ASSERT_TRUE(Write(*store->ForTask(0, 0), kNode, {{1, "a", "1"}, {6, "b", "2"}}).ok());
    MustCheckpoint(*store, 10, &first);
  }
  ASSERT_EQ(first.files_size(), 2);
  v1::CheckpointManifest second;
  {
    auto store = MustOpen(Options(2, 2, {{0, 0, 0, kNumShards}}), &first);
    MustCheckpoint(*store, 20, &second);
    EXPECT_EQ(PathsOf(second), PathsOf(first));
    second.Clear();
    ASSERT_TRUE(Write(*store->ForTask(0, 0), kNode, {{6, "b", "3"}}).ok());
    MustCheckpoint(*store, 21, &second);
    EXPECT_EQ(second.files_size(), 3);
    for (const auto& file : second.files()) EXPECT_EQ(file.worker_id(), 2u);
  }
  auto store = MustOpen(Options(1, 3, {{0, 0, 0, kNumShards}}), &second);
  EXPECT_THAT(Contents(*store->ForTask(0, 0)), ElementsAre(Pair("1/a", "1"), Pair("6/b", "3")));
}

TEST_F(JobStateStoreTest, AFailedUploadChangesNothingAndTheNextCheckpointHasAll) {
  // Every step that writes to the checkpoint folder fails once.
  int failures = 0;
  for (int failing = 1;; ++failing) {
    SCOPED_TRACE(failing);
    RecordingFileSystem disk(file_system_);
    auto opened =
        JobStateStore::Open(Options(1, static_cast<uint32_t>(failing), {{0, 0, 0, kNumShards}}),
                            nullptr, resources_, disk);
    ASSERT_TRUE(opened.ok()) << opened.status();
    auto task = (*opened)->ForTask(0, 0);
    ASSERT_TRUE(Write(*task, kNode, {{1, "a", "1"}, {2, "b", "2"}}).ok());
    disk.FailAt(failing);
    const bool failed = !(*opened)->Checkpoint().ok();
    failures += failed ? 1 : 0;
    if (!failed) disk.FailAt(-1);
    ASSERT_TRUE(Write(*task, kNode, {{3, "c", "3"}}).ok());
    v1::CheckpointManifest manifest;
    MustCheckpoint(**opened, 2, &manifest);
    // What the manifest names is durable: its folder was synced after the last file came into it.
    EXPECT_GT(disk.FindLast("sync-folder "), disk.FindLast("sync "));
    auto restored = MustOpen(Options(9, 100, {{0, 0, 0, kNumShards}}), &manifest);
    EXPECT_EQ(Contents(*restored->ForTask(0, 0)).size(), 3u);
    if (!failed) break;
  }
  EXPECT_GE(failures, 6);
}

TEST_F(JobStateStoreTest, NothingGoesIntoAnEmptyMountPoint) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
  auto task = store->ForTask(0, 0);
  v1::CheckpointManifest first;
  ASSERT_TRUE(Write(*task, kNode, {{1, "a", "1"}}).ok());
  MustCheckpoint(*store, 1, &first);
  ASSERT_TRUE(Write(*task, kNode, {{2, "b", "2"}}).ok());
  fs::rename(folder_ + "/checkpoints", folder_ + "/away");
  fs::create_directory(folder_ + "/checkpoints");
  const absl::Status away = store->Checkpoint().status();
  EXPECT_EQ(GetErrorDetail(away).state, SqlState::kIoError) << away;
  const absl::Status unread =
      JobStateStore::Open(Options(2, 2, {{0, 0, 0, kNumShards}}), &first, resources_, file_system_)
          .status();
  EXPECT_EQ(GetErrorDetail(unread).state, SqlState::kIoError) << unread;
  EXPECT_TRUE(fs::is_empty(folder_ + "/checkpoints"));
  fs::remove(folder_ + "/checkpoints");
  fs::rename(folder_ + "/away", folder_ + "/checkpoints");
  v1::CheckpointManifest second;
  MustCheckpoint(*store, 2, &second);
  auto restored = MustOpen(Options(2, 2, {{0, 0, 0, kNumShards}}), &second);
  EXPECT_THAT(Contents(*restored->ForTask(0, 0)), ElementsAre(Pair("1/a", "1"), Pair("2/b", "2")));
}

TEST_F(JobStateStoreTest, ACheckpointThatIsOvertakenStops) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
  ASSERT_TRUE(Write(*store->ForTask(0, 0), kNode, {{1, "a", "1"}}).ok());
  EXPECT_EQ(GetErrorDetail(store->Checkpoint([] { return true; }).status()).state,
            SqlState::kQueryCanceled);
  v1::CheckpointManifest manifest;
  MustCheckpoint(*store, 2, &manifest);
  EXPECT_EQ(manifest.files_size(), 1);
}

TEST_F(JobStateStoreTest, ARestoreStopsWhenItsAttemptIsCancelled) {
  v1::CheckpointManifest manifest;
  {
    auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
    ASSERT_TRUE(Write(*store->ForTask(0, 0), kNode, {{1, "a", "1"}}).ok());
    MustCheckpoint(*store, 1, &manifest);
  }
  auto stop = std::make_shared<std::atomic<bool>>(true);
  JobStateOptions options = Options(1, 2, {{0, 0, 0, kNumShards}});
  options.stop = stop;
  EXPECT_EQ(
      GetErrorDetail(JobStateStore::Open(options, &manifest, resources_, file_system_).status())
          .state,
      SqlState::kQueryCanceled);
  *stop = false;
  auto store = MustOpen(options, &manifest);
  auto cursor = store->ForTask(0, 0)->Read(kNode);
  *stop = true;
  const auto visit = [](uint32_t, absl::string_view, absl::string_view) {
    return absl::OkStatus();
  };
  EXPECT_EQ(GetErrorDetail(cursor->Next(10, visit).status()).state, SqlState::kQueryCanceled);
}

// A job of many statements on a wide cluster: what a family costs must not grow with their number.
TEST_F(JobStateStoreTest, ManyFamiliesWriteNoOptionsOfAllFamilies) {
  constexpr uint32_t kFragments = 6;
  constexpr uint32_t kShards = 256;
  const auto options_of = [&](uint32_t worker) {
    std::vector<TaskShards> tasks;
    for (uint32_t fragment = 0; fragment < kFragments; ++fragment) {
      tasks.push_back({fragment, 0, 0, kShards});
    }
    JobStateOptions options = Options(worker, worker, std::move(tasks));
    options.num_shards = kShards;
    return options;
  };
  v1::CheckpointManifest manifest;
  {
    auto store = MustOpen(options_of(1));
    for (uint32_t fragment = 0; fragment < kFragments; ++fragment) {
      StateEntries entries;
      for (uint32_t shard = 0; shard < kShards; ++shard) entries.Put(shard, {"k"}, {"v"});
      ASSERT_TRUE(store->ForTask(fragment, 0)->Write(kNode, std::move(entries)).ok());
    }
    MustCheckpoint(*store, 10, &manifest);
  }
  auto restored = MustOpen(options_of(2), &manifest);
  for (uint32_t fragment = 0; fragment < kFragments; ++fragment) {
    EXPECT_EQ(Contents(*restored->ForTask(fragment, 0)).size(), kShards);
  }
  for (const char* worker : {"1", "2"}) {
    for (const auto& entry : fs::directory_iterator(folder_ + "/local-" + worker + "/db")) {
      EXPECT_THAT(entry.path().filename().string(), Not(StartsWith("OPTIONS-")));
    }
  }
}

TEST_F(JobStateStoreTest, ACursorShowsWhatWasThereWhenItWasMade) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
  auto task = store->ForTask(0, 0);
  ASSERT_TRUE(Write(*task, kNode, {{1, "a", "1"}, {1, "b", "2"}, {4, "c", "3"}}).ok());
  auto cursor = task->Read(kNode);
  std::vector<std::string> seen;
  const auto visit = [&](uint32_t shard, absl::string_view key, absl::string_view value) {
    seen.push_back(absl::StrCat(shard, key, value));
    return absl::OkStatus();
  };
  ASSERT_TRUE(*cursor->Next(1, visit));
  ASSERT_TRUE(Write(*task, kNode, {{1, "b", "new"}, {4, "c", std::nullopt}, {5, "d", "new"}}).ok());
  while (*cursor->Next(1, visit)) continue;
  EXPECT_THAT(seen, ElementsAre("1a1", "1b2", "4c3"));
  EXPECT_EQ(Contents(*task).size(), 3u);
}

TEST_F(JobStateStoreTest, LooksUpSingleEntries) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 2, 4}}));
  auto task = store->ForTask(0, 0);
  ASSERT_TRUE(Write(*task, kNode, {{3, "a", "1"}, {5, "b", "2"}, {4, "gone", "x"}}).ok());
  ASSERT_TRUE(Write(*task, kNode, {{4, "gone", std::nullopt}}).ok());
  std::vector<std::optional<std::string>> values;
  ASSERT_TRUE(
      task->Get(kNode, {{5, "b"}, {3, "other"}, {4, "gone"}, {3, "a"}, {2, "a"}}, &values).ok());
  EXPECT_THAT(values, ElementsAre(testing::Optional(std::string("2")), std::nullopt, std::nullopt,
                                  testing::Optional(std::string("1")), std::nullopt));
  EXPECT_FALSE(task->Get(kNode, {{6, "b"}}, &values).ok());
}

TEST_F(JobStateStoreTest, FindsEntriesByWhatTheirKeysBeginWith) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 0, 6}}));
  auto task = store->ForTask(0, 0);
  ASSERT_TRUE(
      Write(*task, kNode,
            {{3, "a", "1"}, {3, "ab", "2"}, {3, "abc", "3"}, {3, "ac", "4"}, {5, "ab", "5"}})
          .ok());
  ASSERT_TRUE(Write(*task, kNode + 1, {{3, "ab", "other"}}).ok());
  const auto found = [&](std::vector<StateKey> prefixes) {
    std::vector<std::string> values;
    EXPECT_TRUE(
        task->ReadPrefixes(kNode, prefixes,
                           [&](uint32_t shard, absl::string_view key, absl::string_view value) {
                             values.push_back(absl::StrCat(shard, " ", key, "=", value));
                             return absl::OkStatus();
                           })
            .ok());
    return values;
  };
  EXPECT_THAT(found({{3, "ab"}}), ElementsAre("3 ab=2", "3 abc=3"));
  EXPECT_THAT(found({{5, "ab"}, {3, "abc"}, {3, "ab"}, {3, "b"}, {2, "a"}, {3, "ab"}}),
              ElementsAre("3 ab=2", "3 abc=3", "5 ab=5"));
  EXPECT_THAT(found({}), testing::IsEmpty());
  EXPECT_FALSE(task->ReadPrefixes(kNode, {{6, "a"}},
                                  [](uint32_t, absl::string_view, absl::string_view) {
                                    return absl::OkStatus();
                                  })
                   .ok());
  std::vector<std::string> keys;
  const std::unique_ptr<StateCursor> cursor = task->Read(kNode, "ab");
  ASSERT_FALSE(
      *cursor->Next(INT64_MAX, [&](uint32_t shard, absl::string_view key, absl::string_view) {
        keys.push_back(absl::StrCat(shard, " ", key));
        return absl::OkStatus();
      }));
  EXPECT_THAT(keys, ElementsAre("3 ab", "3 abc", "5 ab"));
}

TEST_F(JobStateStoreTest, AddsToCounters) {
  v1::CheckpointManifest manifest;
  {
    auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
    auto task = store->ForTask(0, 0);
    ASSERT_TRUE(
        Write(*task, kNode, {{1, "row", std::nullopt, 3}, {1, "row", std::nullopt, -1}}).ok());
    MustCheckpoint(*store, 1, &manifest);
  }
  auto store = MustOpen(Options(1, 2, {{0, 0, 0, kNumShards}}), &manifest);
  auto task = store->ForTask(0, 0);
  ASSERT_TRUE(Write(*task, kNode, {{1, "row", std::nullopt, 5}}).ok());
  for (const auto& [key, value] : Contents(*task)) EXPECT_EQ(StateCounter(value), 7) << key;
  EXPECT_EQ(Contents(*task).size(), 1);
}

TEST_F(JobStateStoreTest, RefusesADamagedCheckpoint) {
  v1::CheckpointManifest manifest;
  {
    auto store = MustOpen(Options(1, 1, {{0, 0, 0, kNumShards}}));
    ASSERT_TRUE(Write(*store->ForTask(0, 0), kNode, {{1, "a", "1"}}).ok());
    MustCheckpoint(*store, 1, &manifest);
  }
  for (const auto& file : manifest.files()) {
    if (!file.path().ends_with(".sst")) continue;
    std::fstream damaged(folder_ + "/checkpoints/job-3/" + file.path(),
                         std::ios::in | std::ios::out | std::ios::binary);
    damaged.put('!');
  }
  auto store = JobStateStore::Open(Options(1, 2, {{0, 0, 0, kNumShards}}), &manifest, resources_,
                                   file_system_);
  EXPECT_EQ(GetErrorDetail(store.status()).state, SqlState::kDataCorrupted);
}

TEST_F(JobStateStoreTest, NothingIsReadOrWrittenInAnotherFolderThanTheOneThatWasShown) {
  const std::string token_file = folder_ + "/checkpoints/" + kStorageTokenFile;
  std::ofstream(token_file) << "ours";
  JobStateOptions options = Options(1, 1, {{0, 0, 0, kNumShards}});
  options.checkpoint_token = "ours";
  v1::CheckpointManifest manifest;
  auto store = MustOpen(options);
  ASSERT_TRUE(Write(*store->ForTask(0, 0), kNode, {{1, "a", "1"}}).ok());
  MustCheckpoint(*store, 1, &manifest);
  const auto num_files = [&] {
    const fs::recursive_directory_iterator files(folder_ + "/checkpoints");
    return std::distance(begin(files), end(files));
  };
  const auto before = num_files();
  std::ofstream(token_file) << "theirs";
  ASSERT_TRUE(Write(*store->ForTask(0, 0), kNode, {{1, "b", "2"}}).ok());
  EXPECT_EQ(GetErrorDetail(store->Checkpoint().status()).state, SqlState::kIoError);
  EXPECT_EQ(num_files(), before);
  const auto restored = [&] {
    JobStateOptions next = options;
    next.local_folder = folder_ + "/local-2";
    return JobStateStore::Open(next, &manifest, resources_, file_system_).status();
  };
  EXPECT_EQ(GetErrorDetail(restored()).state, SqlState::kIoError);
  std::ofstream(token_file) << "ours";
  EXPECT_TRUE(restored().ok());
  MustCheckpoint(*store, 2, &manifest);
}

TEST_F(JobStateStoreTest, RefusesAShardOfAnotherTask) {
  auto store = MustOpen(Options(1, 1, {{0, 0, 2, 2}}));
  auto task = store->ForTask(0, 0);
  EXPECT_EQ(GetErrorDetail(Write(*task, kNode, {{6, "a", "1"}})).state, SqlState::kInternalError);
  // What belongs to no shard goes to the task's first one.
  EXPECT_TRUE(Write(*task, kNode, {{0, "watermark", "1"}}).ok());
  EXPECT_THAT(Contents(*task), ElementsAre(Pair("2/watermark", "1")));
}

}  // namespace
}  // namespace millrace
