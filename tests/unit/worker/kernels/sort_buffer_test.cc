#include "worker/kernels/sort_buffer.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/operators/text_batch.h"
#include "worker/kernels/top_n_buffer.h"

namespace millrace {
namespace {

std::vector<SqlType> TypesOf(const Schema& schema) {
  std::vector<SqlType> types;
  for (const Field& field : schema) types.push_back(field.type);
  return types;
}

// Encodes all columns of a batch as keys.
void EncodeAll(const Batch& batch, std::vector<SortDirection> directions, EncodedRows* keys) {
  std::vector<ColumnView> views;
  for (size_t i = 0; i < directions.size(); ++i) {
    views.emplace_back(*batch.column(static_cast<int>(i)));
  }
  SortKeyEncoder(std::move(directions)).Encode(views, keys);
}

std::string Sorted(std::string_view rows, std::string_view columns,
                   std::vector<SortDirection> directions, TieBreak ties = TieBreak::kArrival) {
  const Schema schema = TextSchema(columns);
  const Batch batch = TextBatch(rows, schema);
  EncodedRows keys;
  EncodeAll(batch, std::move(directions), &keys);
  SortBuffer buffer(TypesOf(schema), ties);
  buffer.Append(batch, keys);
  buffer.Sort();
  return TextOf(buffer.OrderedBatch(0, buffer.num_rows()));
}

TEST(SortBuffer, DirectionsAndNulls) {
  EXPECT_EQ(Sorted("3 | null | -1 | 2", "int4 a", {{}}), "-1 | 2 | 3 | null");
  EXPECT_EQ(Sorted("3 | null | -1 | 2", "int4 a", {{true, true}}), "null | 3 | 2 | -1");
  EXPECT_EQ(Sorted("3 | null | -1 | 2", "int4 a", {{true, false}}), "3 | 2 | -1 | null");
  EXPECT_EQ(Sorted("b | null | '' | ab | a", "text a", {{false, true}}), "null |  | a | ab | b");
  EXPECT_EQ(Sorted("b | null | '' | ab | a", "text a", {{true, false}}), "b | ab | a |  | null");
}

TEST(SortBuffer, EveryTypeByValue) {
  EXPECT_EQ(Sorted("1.5 | nan | -inf | inf | -1 | 0", "float8 a", {{}}),
            "-inf | -1 | 0 | 1.5 | inf | NaN");
  EXPECT_EQ(Sorted("1.5 | nan | -2.5", "float4 a", {{true, false}}), "NaN | 1.5 | -2.5");
  EXPECT_EQ(Sorted("0.01 | -100.00 | 99999999999999999999.00", "numeric(2) a", {{}}),
            "-100.00 | 0.01 | 99999999999999999999.00");
  EXPECT_EQ(Sorted("t | f | null | t", "bool a", {{true, false}}), "t | t | f | null");
  EXPECT_EQ(Sorted("1:0:0 | 0:31:0 | 0:29:86400000001", "interval a", {{}}),
            "1:0:0 | 0:29:86400000001 | 0:31:0");
  EXPECT_EQ(Sorted("5 | -5", "int2 a", {{}}), "-5 | 5");
}

TEST(SortBuffer, LongCommonPrefixes) {
  const std::string prefix(2000, 'x');
  const std::string rows = absl::StrCat(prefix, "b | ", prefix, " | ", prefix, "a | y | ", prefix);
  EXPECT_EQ(Sorted(rows, "text a", {{}}),
            absl::StrCat(prefix, " | ", prefix, " | ", prefix, "a | ", prefix, "b | y"));
}

TEST(SortBuffer, EqualKeysKeepTheirOrderOrAreOrderedByTheRow) {
  const std::string rows = "1 z | 0 b | 1 a | 0 c";
  EXPECT_EQ(Sorted(rows, "int4 a, text b", {{}}), "0 b | 0 c | 1 z | 1 a");
  EXPECT_EQ(Sorted(rows, "int4 a, text b", {{}}, TieBreak::kWholeRow), "0 b | 0 c | 1 a | 1 z");
}

TEST(SortBuffer, SortsManyRowsOverManyBatches) {
  const Schema schema = TextSchema("int8 a, text b");
  std::mt19937 random(3);
  SortBuffer buffer(TypesOf(schema), TieBreak::kWholeRow);
  std::vector<std::pair<int64_t, std::string>> model;
  for (int batch_index = 0; batch_index < 10; ++batch_index) {
    std::string rows;
    for (int i = 0; i < 2000; ++i) {
      const auto number = static_cast<int64_t>(random() % 500) - 250;
      const std::string text = absl::StrCat("common_prefix_", random() % 3000);
      model.emplace_back(number, text);
      absl::StrAppend(&rows, i == 0 ? "" : " | ", number, " ", text);
    }
    const Batch batch = TextBatch(rows, schema);
    EncodedRows keys;
    EncodeAll(batch, {{}, {true, false}}, &keys);
    buffer.Append(batch, keys);
  }
  buffer.Sort();
  std::sort(model.begin(), model.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  });
  const std::vector<std::string> sorted = RowsOf(buffer.OrderedBatch(0, buffer.num_rows()));
  ASSERT_EQ(sorted.size(), model.size());
  for (size_t i = 0; i < model.size(); ++i) {
    ASSERT_EQ(sorted[i], absl::StrCat(model[i].first, " ", model[i].second));
  }
}

TEST(TopNBuffer, KeepsTheFirstRowsWhateverTheOrderOfArrival) {
  const Schema schema = TextSchema("int4 a, int4 b");
  std::mt19937 random(5);
  std::vector<std::pair<int, int>> model;
  TopNBuffer top(TypesOf(schema), 100);
  for (int batch_index = 0; batch_index < 30; ++batch_index) {
    std::string rows;
    for (int i = 0; i < 3000; ++i) {
      const int a = static_cast<int>(random() % 50);
      const int b = static_cast<int>(random() % 1000000);
      model.emplace_back(a, b);
      absl::StrAppend(&rows, i == 0 ? "" : " | ", a, " ", b);
    }
    const Batch batch = TextBatch(rows, schema);
    EncodedRows keys;
    EncodeAll(batch, {{}}, &keys);
    top.Add(batch, keys);
  }
  top.Finish();
  std::sort(model.begin(), model.end());
  const std::vector<std::string> rows = RowsOf(top.OrderedBatch(0, top.num_rows()));
  ASSERT_EQ(rows.size(), 100u);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i], absl::StrCat(model[i].first, " ", model[i].second));
  }
}

TEST(TopNBuffer, FewerRowsThanAskedFor) {
  const Schema schema = TextSchema("int4 a");
  TopNBuffer top(TypesOf(schema), UINT64_MAX);
  const Batch batch = TextBatch("3 | 1 | 2", schema);
  EncodedRows keys;
  EncodeAll(batch, {{}}, &keys);
  top.Add(batch, keys);
  top.Finish();
  EXPECT_EQ(TextOf(top.OrderedBatch(0, top.num_rows())), "1 | 2 | 3");
}

}  // namespace
}  // namespace millrace
