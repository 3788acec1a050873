#include "worker/state/cold_state.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "gtest/gtest.h"
#include "tests/support/operators/memory_state_store.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

constexpr uint32_t kColdNode = 3;
constexpr uint64_t kNumKeys = 100;

uint64_t HashOf(uint64_t key) { return MixHash(key + 1); }

// Two entries of kind 'a' and one of kind 'b' for each key.
class ColdStateTest : public ::testing::Test {
 protected:
  ColdStateTest() {
    StateEntries entries;
    for (uint64_t key = 0; key < kNumKeys; ++key) {
      for (const std::string_view name : {"a1", "a2", "b1"}) Put(key, name, &entries);
    }
    EXPECT_TRUE(store_.Write(kColdNode, std::move(entries)).ok());
    StateEntries others;
    Put(0, "a1", &others);
    EXPECT_TRUE(store_.Write(kColdNode + 1, std::move(others)).ok());
    cold_.emplace(store_, kColdNode, "ab");
  }

  void Put(uint64_t key, std::string_view name, StateEntries* entries) {
    const uint64_t hash = HashOf(key);
    entries->Put(ShardOf(hash, store_.num_shards()),
                 {name.substr(0, 1), RawBytes(hash), name.substr(1)}, {std::to_string(key)});
  }

  // "5 a1": how often it was visited.
  ColdState::Visitor Visitor() { return visit_; }
  int64_t num_visited() const {
    int64_t sum = 0;
    for (const auto& [entry, count] : visited_) sum += count;
    return sum;
  }

  MemoryStateStore store_;
  std::optional<ColdState> cold_;
  std::map<std::string, int> visited_;
  std::function<absl::Status(uint32_t, absl::string_view, absl::string_view)> visit_ =
      [this](uint32_t, absl::string_view key, absl::string_view value) {
        ++visited_[absl::StrCat(value, " ", key.substr(0, 1), key.substr(ColdState::kPrefixBytes))];
        return absl::OkStatus();
      };
};

TEST_F(ColdStateTest, WhatBelongsToAKeyComesWhenItIsAskedFor) {
  ASSERT_TRUE(cold_->Ask({HashOf(5), HashOf(7), HashOf(5), HashOf(kNumKeys)}, Visitor()).ok());
  EXPECT_EQ(visited_,
            (std::map<std::string, int>{
                {"5 a1", 1}, {"5 a2", 1}, {"5 b1", 1}, {"7 a1", 1}, {"7 a2", 1}, {"7 b1", 1}}));
  ASSERT_TRUE(cold_->Ask({HashOf(7), HashOf(kNumKeys)}, Visitor()).ok());
  EXPECT_EQ(num_visited(), 6);
}

TEST_F(ColdStateTest, TheRestComesOnceWithoutWhatWasAskedFor) {
  ASSERT_TRUE(cold_->Ask({HashOf(5)}, Visitor()).ok());
  ASSERT_TRUE(cold_->LoadMore(100, Visitor()).ok());
  EXPECT_FALSE(cold_->is_complete());
  ASSERT_TRUE(cold_->LoadMore(INT64_MAX, Visitor()).ok());
  EXPECT_TRUE(cold_->is_complete());
  EXPECT_EQ(visited_.size(), 3 * kNumKeys);
  EXPECT_EQ(num_visited(), int64_t{3 * kNumKeys});
  ASSERT_TRUE(cold_->Ask({HashOf(8)}, Visitor()).ok());
  EXPECT_EQ(num_visited(), int64_t{3 * kNumKeys});
}

TEST_F(ColdStateTest, WhatChangedSinceItWasAskedForDoesNotComeAgain) {
  ASSERT_TRUE(cold_->Ask({HashOf(5)}, Visitor()).ok());
  visited_.clear();
  StateEntries changes;
  const uint64_t hash = HashOf(5);
  const uint32_t shard = ShardOf(hash, store_.num_shards());
  changes.Delete(shard, {"a", RawBytes(hash), "1"});
  Put(5, "a9", &changes);
  ASSERT_TRUE(store_.Write(kColdNode, std::move(changes)).ok());
  ASSERT_TRUE(cold_->LoadMore(INT64_MAX, Visitor()).ok());
  EXPECT_EQ(visited_.size(), 3 * (kNumKeys - 1));
  for (const auto& [entry, count] : visited_) EXPECT_NE(entry.substr(0, 2), "5 ");
}

TEST_F(ColdStateTest, AllIsThereAfterATimeThatGrowsWithTheState) {
  int64_t rows = 0;
  for (uint64_t key = 0; !cold_->is_complete(); ++key) {
    ASSERT_LT(rows, int64_t{3 * kNumKeys});
    ASSERT_TRUE(cold_->Ask({HashOf(kNumKeys + key)}, Visitor()).ok());
    ASSERT_TRUE(cold_->LoadBehind(1, Visitor()).ok());
    ++rows;
  }
  EXPECT_EQ(visited_.size(), 3 * kNumKeys);
}

TEST_F(ColdStateTest, AFailureOfTheVisitorEndsTheVisit) {
  int visits = 0;
  const auto fail = [&](uint32_t, absl::string_view, absl::string_view) {
    ++visits;
    return MakeError(SqlState::kDataCorrupted, "no");
  };
  EXPECT_FALSE(cold_->Ask({HashOf(5)}, fail).ok());
  EXPECT_FALSE(cold_->LoadMore(10, fail).ok());
  EXPECT_EQ(visits, 2);
}

TEST(ColdStateOfNothingTest, IsCompleteAfterTheFirstLook) {
  MemoryStateStore store;
  ColdState cold(store, kColdNode, "a");
  ASSERT_TRUE(cold.LoadMore(1, [](uint32_t, absl::string_view,
                                  absl::string_view) { return InternalError("there is nothing"); })
                  .ok());
  EXPECT_TRUE(cold.is_complete());
}

}  // namespace
}  // namespace millrace
