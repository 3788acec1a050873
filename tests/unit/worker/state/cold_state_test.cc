#include "worker/state/cold_state.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/operators/memory_state_store.h"
#include "tests/support/operators/text_batch.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

using ::testing::_;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr uint32_t kColdNode = 3;
constexpr uint64_t kNumKeys = 100;

uint64_t HashOf(uint64_t key) { return MixHash(key + 1); }

// Two entries of kind 'a' and one of kind 'b' for each key, and what the operator reads by itself.
class ColdStateTest : public ::testing::Test {
 protected:
  ColdStateTest() {
    StateEntries entries;
    for (uint64_t key = 0; key < kNumKeys; ++key) {
      for (const std::string_view name : {"a1", "a2", "b1"}) {
        Put(HashOf(key), name, std::to_string(key), &entries);
      }
    }
    entries.Put(0, {"s"}, {"short"});
    EXPECT_TRUE(store_.Write(kColdNode, std::move(entries)).ok());
    StateEntries others;
    Put(HashOf(0), "a1", "0", &others);
    EXPECT_TRUE(store_.Write(kColdNode + 1, std::move(others)).ok());
    cold_ = MakeCold();
  }

  ColdState MakeCold() {
    return ColdState(store_, kColdNode, {"ab", "s"}, [this](char kind, const StateEntries& taken) {
      for (int64_t i = 0; i < taken.size(); ++i) {
        ++taken_[std::string(taken[i].value) + " " + kind + std::string(taken[i].key)];
      }
      calls_.emplace_back(kind, taken.size());
      return absl::OkStatus();
    });
  }

  void Put(uint64_t hash, std::string_view name, std::string_view value, StateEntries* entries) {
    entries->Put(ShardOf(hash, store_.num_shards()),
                 {name.substr(0, 1), RawBytes(hash), name.substr(1)}, {value});
  }

  // What came of a key.
  std::map<std::string, int> TakenOf(uint64_t key) const {
    std::map<std::string, int> taken;
    for (const auto& [entry, count] : taken_) {
      if (entry.starts_with(absl::StrCat(key, " "))) taken[entry] = count;
    }
    return taken;
  }

  MemoryStateStore store_;
  ColdState cold_;
  // "5 a1": how often it came.
  std::map<std::string, int> taken_;
  // Kind and entries of each call.
  std::vector<std::pair<char, int64_t>> calls_;
};

TEST_F(ColdStateTest, WhatBelongsToAKeyComesWhenItIsAskedFor) {
  ASSERT_TRUE(cold_.LoadFor({HashOf(5), HashOf(7), HashOf(5), HashOf(kNumKeys)}).ok());
  EXPECT_THAT(TakenOf(5), ElementsAre(Pair("5 a1", 1), Pair("5 a2", 1), Pair("5 b1", 1)));
  EXPECT_THAT(TakenOf(7), SizeIs(3));
  // It does not come again.
  ASSERT_TRUE(cold_.LoadFor({HashOf(7), HashOf(kNumKeys)}).ok());
  EXPECT_THAT(TakenOf(7), ElementsAre(Pair("7 a1", 1), Pair("7 a2", 1), Pair("7 b1", 1)));
}

TEST_F(ColdStateTest, KindsComeInTheirOrderManyEntriesTogether) {
  ASSERT_TRUE(cold_.LoadMore(INT64_MAX).ok());
  EXPECT_THAT(calls_, ElementsAre(Pair('a', 2 * kNumKeys), Pair('b', kNumKeys)));
}

TEST_F(ColdStateTest, KeysOfABatchAreThoseOfItsColumns) {
  const Batch batch = TextBatch("1 x | 2 y", TextSchema("int8 n, text s"));
  std::vector<uint64_t> hashes;
  HashRows(batch, {1}, &hashes);
  StateEntries entries;
  Put(hashes[1], "a1", "of y", &entries);
  ASSERT_TRUE(store_.Write(kColdNode, std::move(entries)).ok());
  cold_ = MakeCold();
  ASSERT_TRUE(cold_.LoadFor(batch, {1}).ok());
  EXPECT_EQ(taken_["of y a1"], 1);
}

// Whatever hashes fall on the same place of what is remembered of them.
TEST_F(ColdStateTest, EveryHashIsTakenOnce) {
  const std::vector<uint64_t> alike = {0, 1, uint64_t{1} << 40, (uint64_t{1} << 40) + 1};
  StateEntries entries;
  for (const uint64_t hash : alike) Put(hash, "a1", "alike", &entries);
  ASSERT_TRUE(store_.Write(kColdNode, std::move(entries)).ok());
  cold_ = MakeCold();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(cold_.LoadFor(alike).ok());
  EXPECT_EQ(taken_["alike a1"], 4);
}

TEST_F(ColdStateTest, TheRestComesOnceWithoutWhatWasAskedFor) {
  ASSERT_TRUE(cold_.LoadFor({HashOf(5)}).ok());
  ASSERT_TRUE(cold_.LoadMore(100).ok());
  EXPECT_FALSE(cold_.is_complete());
  ASSERT_TRUE(cold_.LoadMore(INT64_MAX).ok());
  EXPECT_TRUE(cold_.is_complete());
  EXPECT_THAT(taken_, SizeIs(3 * kNumKeys));
  EXPECT_THAT(taken_, Each(Pair(_, 1)));
  calls_.clear();
  ASSERT_TRUE(cold_.LoadFor({HashOf(8)}).ok());
  ASSERT_TRUE(cold_.LoadMore(1).ok());
  EXPECT_THAT(calls_, IsEmpty());
}

TEST_F(ColdStateTest, WhatChangedSinceItWasAskedForDoesNotComeAgain) {
  ASSERT_TRUE(cold_.LoadFor({HashOf(5)}).ok());
  StateEntries changes;
  const uint64_t hash = HashOf(5);
  const uint32_t shard = ShardOf(hash, store_.num_shards());
  changes.Delete(shard, {"a", RawBytes(hash), "1"});
  Put(hash, "a9", "5", &changes);
  ASSERT_TRUE(store_.Write(kColdNode, std::move(changes)).ok());
  ASSERT_TRUE(cold_.LoadMore(INT64_MAX).ok());
  EXPECT_THAT(taken_, SizeIs(3 * kNumKeys));
  EXPECT_THAT(TakenOf(5), ElementsAre(Pair("5 a1", 1), Pair("5 a2", 1), Pair("5 b1", 1)));
}

TEST_F(ColdStateTest, AllIsThereAfterATimeThatGrowsWithTheState) {
  int64_t rows = 0;
  for (uint64_t key = 0; !cold_.is_complete(); ++key) {
    ASSERT_LT(rows, int64_t{3 * kNumKeys});
    ASSERT_TRUE(cold_.LoadFor({HashOf(kNumKeys + key)}).ok());
    ++rows;
  }
  EXPECT_THAT(taken_, SizeIs(3 * kNumKeys));
}

TEST_F(ColdStateTest, AFailureToTakeOverIsPassedOn) {
  int calls = 0;
  const auto fail = [&calls](char, const StateEntries&) {
    ++calls;
    return MakeError(SqlState::kDataCorrupted, "no");
  };
  cold_ = ColdState(store_, kColdNode, {"ab", "s"}, fail);
  EXPECT_EQ(GetErrorDetail(cold_.LoadFor({HashOf(5)})).state, SqlState::kDataCorrupted);
  EXPECT_EQ(calls, 1);
}

TEST_F(ColdStateTest, KeysOfAnotherFormAreNotTaken) {
  const auto take = [](char, const StateEntries&) { return absl::OkStatus(); };
  for (const ColdState::Kinds& kinds : {ColdState::Kinds{"a", "s"}, ColdState::Kinds{"abs", ""}}) {
    ColdState cold(store_, kColdNode, kinds, take);
    EXPECT_EQ(GetErrorDetail(cold.LoadMore(INT64_MAX)).state, SqlState::kDataCorrupted);
  }
}

TEST(ColdStateOfNothingTest, IsCompleteAfterTheFirstLook) {
  MemoryStateStore store;
  ColdState cold(store, kColdNode, {"a"},
                 [](char, const StateEntries&) { return InternalError("there is nothing"); });
  EXPECT_FALSE(cold.is_complete());
  ASSERT_TRUE(cold.LoadMore(1).ok());
  EXPECT_TRUE(cold.is_complete());
  EXPECT_TRUE(ColdState().is_complete());
}

}  // namespace
}  // namespace millrace
