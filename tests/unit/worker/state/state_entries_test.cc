#include "worker/state/state_entries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using Kind = StateEntries::Kind;

TEST(StateEntriesTest, PutsPartsTogether) {
  StateEntries entries;
  const int64_t count = 5;
  entries.Put(3, {"g", "key"}, {RawBytes(count), "value"});
  entries.Delete(4, {"gone"});
  entries.Add(5, {"counter"}, -2);
  ASSERT_EQ(entries.size(), 3);
  EXPECT_EQ(entries[0].shard, 3U);
  EXPECT_EQ(entries[0].kind, Kind::kPut);
  EXPECT_EQ(entries[0].key, "gkey");
  EXPECT_EQ(entries[0].value, std::string(RawBytes(count)) + "value");
  EXPECT_EQ(entries[1].kind, Kind::kDelete);
  EXPECT_EQ(entries[1].key, "gone");
  EXPECT_EQ(entries[2].kind, Kind::kAdd);
  EXPECT_EQ(entries[2].count, -2);
}

TEST(StateEntriesTest, AfterClearOthersTakeTheirPlace) {
  StateEntries entries;
  entries.Put(3, {"one"}, {"1"});
  entries.Put(3, {"two"}, {"2"});
  EXPECT_THAT(entries.Keys(), ElementsAre("one", "two"));
  entries.Clear();
  EXPECT_TRUE(entries.empty());
  entries.Put(4, {"three"}, {"3"});
  EXPECT_THAT(entries.Keys(), ElementsAre("three"));
  EXPECT_EQ(entries[0].value, "3");
}

// Shard and key of each.
std::vector<std::pair<uint32_t, std::string>> KeysOf(const StateEntries& entries) {
  std::vector<std::pair<uint32_t, std::string>> keys;
  for (int64_t i = 0; i < entries.size(); ++i) {
    keys.emplace_back(entries[i].shard, std::string(entries[i].key));
  }
  return keys;
}

TEST(StateEntriesTest, SortsByShardThenKeyAsBytes) {
  const std::string a_and_zero("a\0", 2);
  StateEntries entries;
  entries.Delete(2, {"a"});
  entries.Delete(1, {"abcdefgh2"});
  entries.Delete(1, {"abcdefgh"});
  entries.Delete(1, {a_and_zero});
  entries.Delete(1, {"\xff"});
  entries.Delete(1, {"a"});
  entries.Delete(1, {""});
  EXPECT_THAT(KeysOf(entries.Sorted()),
              ElementsAre(Pair(1, ""), Pair(1, "a"), Pair(1, a_and_zero), Pair(1, "abcdefgh"),
                          Pair(1, "abcdefgh2"), Pair(1, "\xff"), Pair(2, "a")));
}

TEST(StateEntriesTest, KeepsTheOrderOfEqualKeysAndAllThatTheyHave) {
  StateEntries entries;
  for (int i = 0; i < 40; ++i) entries.Put(0, {"the same long key"}, {std::to_string(i)});
  entries.Add(0, {"a"}, 7);
  const StateEntries sorted = entries.Sorted();
  ASSERT_EQ(sorted.size(), 41);
  EXPECT_EQ(sorted[0].kind, Kind::kAdd);
  EXPECT_EQ(sorted[0].count, 7);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(sorted[i + 1].value, std::to_string(i));
}

TEST(StateEntriesTest, OrderAgreesWithThatOfStrings) {
  std::mt19937 random(3);
  StateEntries entries;
  for (uint32_t i = 0; i < 2000; ++i) {
    std::string key(random() % 12, '\0');
    for (char& c : key) c = static_cast<char>(random() % 3 * 127);
    entries.Delete(random() % 4, {key});
  }
  auto expected = KeysOf(entries);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(KeysOf(entries.Sorted()), expected);
}

}  // namespace
}  // namespace millrace
