#include "worker/kernels/ordered_multiset.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

struct Change {
  uint32_t group;
  std::string value;
  int64_t weight;
};

void Apply(OrderedMultiset& set, const std::vector<Change>& changes) {
  set.Begin();
  for (const Change& change : changes) {
    set.bytes_of_next(change.group)->append(change.value);
    set.End(change.weight);
  }
  set.Apply();
}

std::string FirstOf(const OrderedMultiset& set, uint32_t group) {
  const uint32_t first = set.FirstOf(group);
  return first == OrderedMultiset::kNone ? "none" : std::string(set.value(first));
}

std::vector<std::string> Values(const OrderedMultiset& set, uint32_t group) {
  std::vector<uint32_t> values;
  set.AppendValues(group, &values);
  std::vector<std::string> texts;
  for (const uint32_t value : values) {
    texts.push_back(absl::StrCat(std::string(set.value(value)), "*", set.count(value)));
  }
  return texts;
}

TEST(OrderedMultiset, TheFirstValueIsKnownAlsoWhenItIsTakenBack) {
  OrderedMultiset set(OrderedMultiset::First::kSmallest, false);
  set.Resize(2);
  Apply(set, {{0, "m", 1}, {0, "c", 2}, {0, "x", 1}, {1, "a", 1}});
  EXPECT_EQ(FirstOf(set, 0), "c");
  Apply(set, {{0, "c", -1}});
  EXPECT_EQ(FirstOf(set, 0), "c");
  Apply(set, {{0, "c", -1}, {0, "m", -1}});
  EXPECT_EQ(FirstOf(set, 0), "x");
  Apply(set, {{0, "x", -1}});
  EXPECT_EQ(FirstOf(set, 0), "none");
  Apply(set, {{0, "c", 1}});
  EXPECT_EQ(FirstOf(set, 0), "c");
  EXPECT_EQ(FirstOf(set, 1), "a");
}

TEST(OrderedMultiset, TheLargestMayComeFirst) {
  OrderedMultiset set(OrderedMultiset::First::kLargest, false);
  set.Resize(1);
  Apply(set, {{0, "b", 1}, {0, "c", 1}, {0, "a", 1}});
  EXPECT_EQ(FirstOf(set, 0), "c");
  EXPECT_THAT(Values(set, 0), ElementsAre("c*1", "b*1", "a*1"));
}

TEST(OrderedMultiset, AValueThatComesAndGoesInOneBatchLeavesNothing) {
  OrderedMultiset set(OrderedMultiset::First::kSmallest, false);
  set.Resize(1);
  Apply(set, {{0, "b", 1}, {0, "a", 1}, {0, "a", -1}});
  EXPECT_EQ(FirstOf(set, 0), "b");
  EXPECT_THAT(Values(set, 0), ElementsAre("b*1"));
}

TEST(OrderedMultiset, SingleMeansOneValueOnce) {
  OrderedMultiset set(OrderedMultiset::First::kSmallest, false);
  set.Resize(1);
  EXPECT_TRUE(set.IsSingle(0));
  Apply(set, {{0, "b", 1}});
  EXPECT_TRUE(set.IsSingle(0));
  Apply(set, {{0, "b", 1}});
  EXPECT_FALSE(set.IsSingle(0));
  Apply(set, {{0, "b", -1}, {0, "c", 1}});
  EXPECT_FALSE(set.IsSingle(0));
  Apply(set, {{0, "b", -1}});
  EXPECT_TRUE(set.IsSingle(0));
}

TEST(OrderedMultiset, ChangesAreToldOnceWithTheNewCount) {
  OrderedMultiset set(OrderedMultiset::First::kSmallest, true);
  set.Resize(2);
  std::vector<std::string> told;
  const auto tell = [&](uint32_t group, std::string_view value, int64_t count) {
    told.push_back(absl::StrCat(group, std::string(value), count));
  };
  Apply(set, {{0, "b", 1}, {1, "a", 1}, {0, "b", 1}});
  set.TakeChanged(tell);
  EXPECT_THAT(told, ElementsAre("0b2", "1a1"));
  set.Restore(1, "r", 5);
  Apply(set, {{1, "a", -1}});
  told.clear();
  set.TakeChanged(tell);
  EXPECT_THAT(told, ElementsAre("1a0"));
  EXPECT_EQ(FirstOf(set, 1), "r");
}

TEST(OrderedMultiset, ValuesThatAreGoneTakeNoMemoryForEver) {
  OrderedMultiset set(OrderedMultiset::First::kLargest, true);
  set.Resize(1);
  int64_t most = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<Change> changes;
    for (int j = 0; j < 100; ++j) {
      changes.push_back({0, absl::StrCat(1'000'000 + i * 100 + j), 1});
      if (i > 0) changes.push_back({0, absl::StrCat(1'000'000 + (i - 1) * 100 + j), -1});
    }
    Apply(set, changes);
    set.TakeChanged([](uint32_t, std::string_view, int64_t) {});
    EXPECT_EQ(FirstOf(set, 0), absl::StrCat(1'000'000 + i * 100 + 99));
    most = std::max(most, set.bytes());
  }
  EXPECT_LT(most, 400'000);
}

TEST(OrderedMultiset, AgreesWithAnOrderedMap) {
  for (const auto first : {OrderedMultiset::First::kSmallest, OrderedMultiset::First::kLargest}) {
    std::mt19937 random(7);
    OrderedMultiset set(first, true);
    std::map<std::pair<uint32_t, std::string>, int64_t> expected;
    uint32_t num_groups = 5;
    set.Resize(num_groups);
    for (int round = 0; round < 400; ++round) {
      std::vector<Change> changes;
      for (size_t n = random() % 20; n > 0; --n) {
        const uint32_t group = random() % num_groups;
        const std::string value = absl::StrCat("v", random() % 40);
        int64_t& count = expected[{group, value}];
        const int64_t weight = count > 0 && random() % 2 == 0 ? -1 : 1;
        count += weight;
        changes.push_back({group, value, weight});
      }
      Apply(set, changes);
      if (random() % 10 == 0) set.TakeChanged([](uint32_t, std::string_view, int64_t) {});
      if (random() % 50 == 0) {
        // The group in the middle goes.
        set.Retain({0, 1, 3, 4});
        set.Resize(num_groups);
        std::map<std::pair<uint32_t, std::string>, int64_t> kept;
        for (const auto& [key, count] : expected) {
          if (key.first == 2) continue;
          kept[{key.first > 2 ? key.first - 1 : key.first, key.second}] = count;
        }
        expected = std::move(kept);
      }
      for (uint32_t group = 0; group < num_groups; ++group) {
        std::vector<std::string> want;
        for (const auto& [key, count] : expected) {
          if (key.first == group && count != 0)
            want.push_back(absl::StrCat(key.second, "*", count));
        }
        if (first == OrderedMultiset::First::kLargest) std::reverse(want.begin(), want.end());
        ASSERT_EQ(Values(set, group), want) << "round " << round;
        if (want.empty()) {
          ASSERT_EQ(FirstOf(set, group), "none");
        } else {
          ASSERT_EQ(absl::StrCat(FirstOf(set, group), "*", set.count(set.FirstOf(group))), want[0]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace millrace
