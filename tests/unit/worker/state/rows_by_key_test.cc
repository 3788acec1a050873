#include "worker/state/rows_by_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "tests/support/operators/text_batch.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const Schema kSchema = TextSchema("int8 k, text v");

std::vector<SqlType> Types() {
  std::vector<SqlType> types;
  for (const Field& field : kSchema) types.push_back(field.type);
  return types;
}

class RowsByKeyTest : public testing::Test {
 protected:
  // One epoch; "/" separates batches.
  void Apply(const std::string& text) {
    std::vector<Batch> batches;
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('/', begin), text.size());
      batches.push_back(TextBatch(text.substr(begin, end - begin), kSchema));
      begin = end + 1;
    }
    rows_.Apply(batches);
  }

  RowsByKey rows_{Types(), {0}};
};

TEST_F(RowsByKeyTest, IsEmptyAtFirst) {
  EXPECT_THAT(rows_.Rows(), IsEmpty());
  EXPECT_THAT(rows_.Changes(), IsEmpty());
}

TEST_F(RowsByKeyTest, KeepsTheLastRowOfAKey) {
  Apply("+ 1 a | + 2 b");
  Apply("- 1 a | + 1 c");
  EXPECT_THAT(SortedRowsOf(rows_.Rows()), ElementsAre("1 c", "2 b"));
}

TEST_F(RowsByKeyTest, TakesAdditionsBeforeRemovalsOfOneEpoch) {
  Apply("+ 1 a");
  Apply("+ 1 b / - 1 a");
  EXPECT_THAT(SortedRowsOf(rows_.Rows()), ElementsAre("1 b"));
}

TEST_F(RowsByKeyTest, ForgetsARowTakenBackInALaterEpoch) {
  Apply("+ 1 a | + 2 b");
  Apply("- 1 a");
  EXPECT_THAT(SortedRowsOf(rows_.Rows()), ElementsAre("2 b"));
  EXPECT_THAT(SortedRowsOf(rows_.Changes()), UnorderedElementsAre("-1 1 a", "+1 2 b"));
}

TEST_F(RowsByKeyTest, BringsAKeyBack) {
  Apply("+ 1 a");
  Apply("- 1 a");
  Apply("+ 1 c");
  EXPECT_THAT(SortedRowsOf(rows_.Changes()), ElementsAre("+1 1 c"));
}

TEST_F(RowsByKeyTest, RowsWithoutWeightsAreAdded) {
  Apply("1 a | 2 b");
  EXPECT_THAT(SortedRowsOf(rows_.Rows()), ElementsAre("1 a", "2 b"));
}

TEST_F(RowsByKeyTest, AgreesWithAModelAndStaysSmall) {
  std::mt19937 random(11);
  std::map<int, std::string> model;
  rows_.Reserve(1000);
  int64_t bytes_half_way = 0;
  for (int epoch = 0; epoch < 200; ++epoch) {
    std::string text;
    for (int key = 0; key < 1000; ++key) {
      if (random() % 3 == 0) continue;
      const auto it = model.find(key);
      const std::string prefix = text.empty() ? "" : " | ";
      if (it != model.end()) text += prefix + "- " + std::to_string(key) + " " + it->second;
      if (it != model.end() && random() % 8 == 0) {
        model.erase(it);
        continue;
      }
      model[key] = "v" + std::to_string(random() % 100);
      text += (text.empty() ? "+ " : " | + ") + std::to_string(key) + " " + model[key];
    }
    Apply(text);
    if (epoch == 100) bytes_half_way = rows_.bytes();
  }
  std::vector<std::string> expected;
  for (const auto& [key, value] : model) expected.push_back(std::to_string(key) + " " + value);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(SortedRowsOf(rows_.Rows()), expected);
  EXPECT_LT(rows_.bytes(), 2 * bytes_half_way);
}

}  // namespace
}  // namespace millrace
