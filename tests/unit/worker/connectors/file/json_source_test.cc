#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/worker/connectors/file/scan_fixture.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class JsonSourceTest : public ScanFixture {
 protected:
  Scan TableOf(const std::string& json, const Schema& columns, OptionMap options = {}) {
    options.emplace("path", folder_.Write("t.jsonl", json));
    return Scan{options, columns, {}, nullptr};
  }
  Schema IdAndName() const { return {{"id", Type(TypeId::kInt64)}, {"name", Type(TypeId::kText)}}; }
};

TEST_F(JsonSourceTest, ReadsValuesByKey) {
  const Scan scan = TableOf(
      "{\"id\": 1, \"name\": \"a\"}\n"
      "{\"name\":\"b\\n\\u00e4\",\"other\":[1,{\"x\":2}],\"id\":2}\r\n"
      "\n"
      "{\"id\":3}\n"
      "{\"name\":null,\"id\":4}",
      IdAndName());
  EXPECT_THAT(*Read(scan), ElementsAre("1|a", "2|b\n\xC3\xA4", "3|NULL", "4|NULL"));
}

TEST_F(JsonSourceTest, NumbersKeepAllDigits) {
  const Schema columns = {{"n", SqlType::Numeric(38, 10)}, {"l", Type(TypeId::kInt64)}};
  const Scan scan = TableOf(
      "{\"n\": 1234567890123456789012345678.0123456789 , \"l\": -9223372036854775808}\n", columns);
  EXPECT_THAT(*Read(scan),
              ElementsAre("1234567890123456789012345678.0123456789|-9223372036854775808"));
}

TEST_F(JsonSourceTest, ReadsTypesFromStringsAndScalarsAsText) {
  const Schema columns = {{"b", Type(TypeId::kBoolean)},
                          {"ts", Type(TypeId::kTimestamp)},
                          {"d", Type(TypeId::kFloat64)},
                          {"t", Type(TypeId::kText)}};
  const Scan scan = TableOf(
      "{\"b\":true,\"ts\":\"2024-01-02T03:04:05.6\",\"d\":1e3,\"t\":12.50}\n"
      "{\"b\":\"no\",\"ts\":null,\"d\":\"NaN\",\"t\":false}\n"
      "{\"t\":{\"x\": [1, 2]}}\n",
      columns);
  EXPECT_THAT(*Read(scan), ElementsAre("t|2024-01-02 03:04:05.6|1000|12.50", "f|NULL|NaN|false",
                                       "NULL|NULL|NULL|{\"x\": [1, 2]}"));
}

TEST_F(JsonSourceTest, OfEqualKeysTheLastCounts) {
  EXPECT_THAT(*Read(TableOf("{\"id\":1,\"id\":2}\n", IdAndName())), ElementsAre("2|NULL"));
}

TEST_F(JsonSourceTest, ErrorsNameLineAndColumn) {
  EXPECT_ERROR(Read(TableOf("{\"id\":1}\n{\"id\":\"x\"}\n", IdAndName())),
               SqlState::kInvalidTextRepresentation,
               "t.jsonl line 2, column \"id\": invalid input syntax for type bigint: \"x\"");
  EXPECT_ERROR(Read(TableOf("{\"id\":[1]}\n", IdAndName())), SqlState::kInvalidTextRepresentation,
               "line 1, column \"id\"");
}

TEST_F(JsonSourceTest, RefusesWhatIsNoObject) {
  for (const char* line : {"[1,2]", "17", "{\"id\":1", "{\"id\":1}}", "{\"id\":1} 2", "{id:1}",
                           "{\"id\":01}", "{\"id\":tru}", "nul", "{\"id\":nul}"}) {
    SCOPED_TRACE(line);
    EXPECT_ERROR(Read(TableOf(absl::StrCat(line, "\n"), IdAndName())),
                 SqlState::kInvalidTextRepresentation, "t.jsonl line 1");
  }
  EXPECT_ERROR(Read(TableOf("{\"name\":\"\\u0000\"}\n", IdAndName())),
               SqlState::kCharacterNotInRepertoire, "UTF8");
  EXPECT_ERROR(Read(TableOf("{\"name\":\"\xFF\"}\n", IdAndName())),
               SqlState::kCharacterNotInRepertoire, "UTF8");
}

TEST_F(JsonSourceTest, BadRowsAreSkippedOrKept) {
  const std::string json = "{\"id\":1}\nnot json\n{\"id\":\"x\"}\n{\"id\":4}\n";
  EXPECT_THAT(*Read(TableOf(json, IdAndName(), {{"bad_rows", "skip"}})),
              ElementsAre("1|NULL", "4|NULL"));
  EXPECT_EQ(bad_rows_, 2U);
  EXPECT_THAT(kept_rows_, IsEmpty());
  EXPECT_THAT(*Read(TableOf(json, IdAndName(), {{"bad_rows", "keep"}})),
              ElementsAre("1|NULL", "4|NULL"));
  ASSERT_EQ(kept_rows_.size(), 2U);
  EXPECT_EQ(kept_rows_[0].line, 2U);
  EXPECT_EQ(kept_rows_[0].text, "not json");
  EXPECT_EQ(kept_rows_[1].line, 3U);
  EXPECT_THAT(kept_rows_[1].reason, HasSubstr("column \"id\""));
}

TEST_F(JsonSourceTest, BadRowsCountAsRowsThatAreAskedFor) {
  const Scan scan =
      TableOf("{\"id\":1}\nnot json\nneither\n{\"id\":4}\n", IdAndName(), {{"bad_rows", "skip"}});
  auto source = *MakeSource(scan);
  ASSERT_OK(source->Open(Splits(scan)->front()));
  PollBudget one;
  one.rows_max = 1;
  std::vector<uint64_t> rows;
  for (int i = 0; i < 4; ++i) {
    Batch batch;
    ASSERT_OK(source->Poll(one, &batch));
    rows.push_back(source->Position().rows());
  }
  EXPECT_THAT(rows, ElementsAre(1, 2, 3, 4));
}

TEST_F(JsonSourceTest, EverySplitSizeGivesTheSameRows) {
  std::string json;
  std::vector<std::string> expected;
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&json, "{\"id\":", i, ",\"name\":\"n", i, "\"}\n");
    expected.push_back(absl::StrCat(i, "|n", i));
  }
  for (int split_bytes = 1; split_bytes < 60; ++split_bytes) {
    SCOPED_TRACE(split_bytes);
    const auto rows = Read(TableOf(json, IdAndName(), {{"split_size", absl::StrCat(split_bytes)}}));
    ASSERT_OK(rows);
    ASSERT_EQ(*rows, expected);
  }
}

TEST_F(JsonSourceTest, PassesTheSourceContract) {
  std::string json;
  for (int i = 0; i < 30; ++i) absl::StrAppend(&json, "{\"id\":", i, "}\n", i % 4 ? "" : "bad\n");
  CheckContract(TableOf(json, IdAndName(), {{"bad_rows", "skip"}}));
  CheckContract(TableOf(json, IdAndName(), {{"bad_rows", "skip"}, {"split_size", "40"}}));
}

}  // namespace
}  // namespace millrace
