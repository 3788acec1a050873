#include "worker/kernels/group_table.h"

#include <map>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/operators/text_batch.h"

namespace millrace {
namespace {

std::vector<SqlType> Types(const Schema& schema) {
  std::vector<SqlType> types;
  for (const Field& field : schema) types.push_back(field.type);
  return types;
}

std::vector<uint32_t> Insert(GroupTable& table, const Batch& batch) {
  std::vector<uint32_t> groups(batch.num_rows());
  std::vector<int> columns(batch.num_columns());
  std::iota(columns.begin(), columns.end(), 0);
  table.FindOrInsert(batch, columns, groups.data());
  return groups;
}

std::vector<std::string> KeyRows(const GroupTable& table) {
  std::vector<uint32_t> all(table.size());
  std::iota(all.begin(), all.end(), 0);
  return RowsOf(Batch(table.Keys(all), table.size()));
}

using Ids = std::vector<uint32_t>;

TEST(GroupTable, NumbersGroupsInOrderOfAppearance) {
  const Schema schema = TextSchema("int8 k");
  GroupTable table(Types(schema));
  EXPECT_EQ(Insert(table, TextBatch("5 | 7 | 5 | null | 0 | null", schema)),
            (Ids{0, 1, 0, 2, 3, 2}));
  EXPECT_EQ(Insert(table, TextBatch("0 | 9 | 7", schema)), (Ids{3, 4, 1}));
  EXPECT_EQ(KeyRows(table), (std::vector<std::string>{"5", "7", "null", "0", "9"}));
}

TEST(GroupTable, NullAndZeroDifferWhateverComesFirst) {
  const Schema schema = TextSchema("int8 a, int8 b");
  GroupTable table(Types(schema));
  EXPECT_EQ(Insert(table, TextBatch("0 0 | 1 0", schema)), (Ids{0, 1}));
  EXPECT_EQ(Insert(table, TextBatch("null 0 | 0 null | 0 0 | null null", schema)),
            (Ids{2, 3, 0, 4}));
  EXPECT_EQ(Insert(table, TextBatch("0 0 | 2 2", schema)), (Ids{0, 5}));
}

TEST(GroupTable, FloatsByValue) {
  const Schema schema = TextSchema("float8 k");
  GroupTable table(Types(schema));
  EXPECT_EQ(Insert(table, TextBatch("0 | -0 | nan | -nan | 1.5", schema)), (Ids{0, 0, 1, 1, 2}));
}

TEST(GroupTable, TextPlainAndDictionaryAreTheSameKeys) {
  const Schema schema = TextSchema("text k");
  GroupTable table(Types(schema));
  EXPECT_EQ(Insert(table, TextBatch("a | b | null | ''", schema)), (Ids{0, 1, 2, 3}));
  EXPECT_EQ(Insert(table, TextBatchWithDictionaries("'' | c | b | null | c", schema)),
            (Ids{3, 4, 1, 2, 4}));
  EXPECT_EQ(KeyRows(table), (std::vector<std::string>{"a", "b", "null", "", "c"}));
}

TEST(GroupTable, FindAfterInsertSeesNewKeysOfTheSameDictionary) {
  const Schema schema = TextSchema("text k");
  const Batch batch = TextBatchWithDictionaries("a | b | c", schema);
  GroupTable table(Types(schema));
  Insert(table, batch.Slice(0, 1));
  Ids groups(3);
  table.Find(batch, {0}, groups.data());
  EXPECT_EQ(groups, (Ids{0, kNoGroup, kNoGroup}));
  Insert(table, TextBatch("b", schema));
  table.Find(batch, {0}, groups.data());
  EXPECT_EQ(groups, (Ids{0, 1, kNoGroup}));
}

TEST(GroupTable, FindInAnEmptyTable) {
  GroupTable table(Types(TextSchema("int4 k")));
  Ids groups(2);
  table.Find(TextBatch("1 | 2", TextSchema("int4 k")), {0}, groups.data());
  EXPECT_EQ(groups, (Ids{kNoGroup, kNoGroup}));
  EXPECT_EQ(table.Keys({}).size(), 1u);
}

TEST(GroupTable, NoKeysIsOneGroup) {
  GroupTable table({});
  Ids groups(3);
  table.FindOrInsert(Batch({}, 3), {}, groups.data());
  EXPECT_EQ(groups, (Ids{0, 0, 0}));
  EXPECT_EQ(table.size(), 1u);
}

// 400 rows of small numbers in every column, some of them NULL.
std::string RandomKeys(const Schema& schema, std::mt19937& random, int num_values, bool nulls) {
  std::string rows;
  for (int i = 0; i < 400; ++i) {
    absl::StrAppend(&rows, i == 0 ? "" : " | ");
    for (const Field& field : schema) {
      const int value = static_cast<int>(random() % num_values);
      std::string cell = absl::StrCat(value);
      if (field.type.id == TypeId::kInterval) cell += ":1:5";
      if (field.type.id == TypeId::kBoolean) cell = value % 2 == 0 ? "t" : "f";
      absl::StrAppend(&rows, nulls && value == 0 ? "null" : cell, " ");
    }
  }
  return rows;
}

// Every form of keys against a map of their text.
void CompareWithModel(const Schema& schema, bool dictionaries) {
  std::mt19937 random(11);
  GroupTable table(Types(schema));
  std::map<std::string, uint32_t> model;
  for (int round = 0; round < 8; ++round) {
    const std::string rows = RandomKeys(schema, random, round < 4 ? 9 : 60, round > 0);
    const Batch batch =
        dictionaries ? TextBatchWithDictionaries(rows, schema) : TextBatch(rows, schema);
    const Ids groups = Insert(table, batch);
    const std::vector<std::string> keys = RowsOf(batch);
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto [at, is_new] = model.emplace(keys[i], model.size());
      ASSERT_EQ(groups[i], at->second) << keys[i];
    }
  }
  ASSERT_EQ(table.size(), model.size());
  const std::vector<std::string> keys = KeyRows(table);
  for (const auto& [key, group] : model) ASSERT_EQ(keys[group], key);
}

TEST(GroupTable, AgreesWithAModelForEveryKindOfKey) {
  for (const char* text :
       {"int8 a", "int4 a", "int2 a, bool b", "int8 a, int8 b", "text a", "text a, text b",
        "int4 a, text b", "numeric(2) a, int8 b", "float4 a, date b", "interval a",
        "text a, int8 b, text c", "int8 a, int8 b, int8 c, int8 d, int8 e",
        "timestamp a, int4 b, int4 c, bool d"}) {
    SCOPED_TRACE(text);
    CompareWithModel(TextSchema(text), /*dictionaries=*/false);
    CompareWithModel(TextSchema(text), /*dictionaries=*/true);
  }
}

TEST(GroupTable, RetainRenumbers) {
  for (const char* text : {"int8 k", "text k", "text k, text l"}) {
    SCOPED_TRACE(text);
    const Schema schema = TextSchema(text);
    const auto rows = [&](std::vector<std::string> keys) {
      std::string all;
      for (const std::string& key : keys) {
        absl::StrAppend(&all, all.empty() ? "" : " | ", key, schema.size() == 2 ? " 1" : "");
      }
      return TextBatch(all, schema);
    };
    GroupTable table(Types(schema));
    Insert(table, rows({"1", "2", "null", "4", "5"}));
    table.Retain(Ids{1, 2, 4});
    EXPECT_EQ(Insert(table, rows({"5", "1", "2", "null", "4"})), (Ids{2, 3, 0, 1, 4}));
  }
}

TEST(GroupTable, GrowsToManyGroups) {
  const Schema schema = TextSchema("int8 k");
  GroupTable table(Types(schema));
  constexpr int64_t kRows = 300000;
  std::string rows;
  for (int64_t i = 0; i < kRows; ++i) absl::StrAppend(&rows, i * 977, " | ");
  rows.resize(rows.size() - 3);
  const Batch batch = TextBatch(rows, schema);
  const Ids first = Insert(table, batch);
  EXPECT_EQ(table.size(), kRows);
  EXPECT_EQ(first.back(), kRows - 1);
  EXPECT_EQ(Insert(table, batch), first);
}

}  // namespace
}  // namespace millrace
