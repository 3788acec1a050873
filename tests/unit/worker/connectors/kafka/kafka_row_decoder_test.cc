#include "worker/connectors/kafka/kafka_row_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/source_contract.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Field Column(const char* name, TypeId type) { return Field{name, SqlType::Of(type)}; }

class KafkaRowDecoderTest : public ::testing::Test {
 protected:
  // Reads all columns unless `projection` says which.
  std::vector<std::string> Read(OptionMap more, const Schema& columns,
                                const std::vector<KafkaMessage>& messages,
                                std::vector<int> projection = {-1}) {
    OptionMap options{{"brokers", "localhost"}, {"topic", "clicks"}, {"format", "json"}};
    for (const auto& [name, value] : more) options[name] = value;
    const auto parsed = ParseKafkaOptions(options, columns);
    EXPECT_OK(parsed);
    if (projection == std::vector<int>{-1}) {
      projection.clear();
      for (size_t i = 0; i < columns.size(); ++i) projection.push_back(static_cast<int>(i));
    }
    auto decoder = KafkaRowDecoder::Create(*parsed, columns, projection);
    EXPECT_OK(decoder);
    BadRowLog log(parsed->bad_rows);
    log.BeginInput("clicks/3", 0);
    status_ = (*decoder)->Append(messages, 3, log);
    bad_ = log.Take();
    if (!status_.ok()) return {};
    const auto batch = (*decoder)->Finish();
    EXPECT_OK(batch);
    Schema output;
    for (const int column : projection) output.push_back(columns[static_cast<size_t>(column)]);
    return RowsAsText(*batch, output);
  }

  static std::vector<KafkaMessage> Messages(std::vector<std::optional<absl::string_view>> values) {
    std::vector<KafkaMessage> messages;
    for (const auto& value : values) {
      KafkaMessage& message = messages.emplace_back();
      message.offset = 100 + static_cast<int64_t>(messages.size());
      message.value = value;
    }
    return messages;
  }

  absl::Status status_;
  std::vector<BadRow> bad_;
};

const Schema kIdAndName = {Column("id", TypeId::kInt64), Column("name", TypeId::kText)};

TEST_F(KafkaRowDecoderTest, ReadsJsonObjectsAlsoOverSeveralLines) {
  EXPECT_THAT(Read({}, kIdAndName,
                   Messages({R"({"id": 1, "name": "a"})", "{\n\"name\":\"b\",\n\"id\":2\n}\n",
                             std::nullopt, R"({"other": 3})"})),
              ElementsAre("1|a", "2|b", "NULL|NULL", "NULL|NULL"));
}

TEST_F(KafkaRowDecoderTest, ReadsCsvWithOneRowAMessage) {
  EXPECT_THAT(Read({{"format", "csv"}, {"null", "NA"}}, kIdAndName,
                   Messages({"1,a", "2,\"b\nc\"\r\n", std::nullopt, "NA,\"x\"\"y\"", "5,"})),
              ElementsAre("1|a", "2|b\nc", "NULL|NULL", "NULL|x\"y", "5|NULL"));
}

TEST_F(KafkaRowDecoderTest, ACsvMessageThatIsNotOneRowTakesNoOtherWithIt) {
  EXPECT_THAT(Read({{"format", "csv"}, {"bad_rows", "keep"}}, kIdAndName,
                   Messages({"1,a", "2,\"open", "3,c", "4,d\n5,e", "6", "7,g,h", "x,i", "8,j"})),
              ElementsAre("1|a", "3|c", "8|j"));
  ASSERT_EQ(bad_.size(), 5U);
  EXPECT_EQ(bad_[0].position, 102U);
  EXPECT_EQ(bad_[0].text, "2,\"open");
  EXPECT_EQ(bad_[0].reason, "the message is not one row of CSV");
  EXPECT_EQ(bad_[1].reason, "the message is not one row of CSV");
  EXPECT_EQ(bad_[2].reason, "missing data for column \"name\"");
  EXPECT_EQ(bad_[3].reason, "extra data after last expected column");
  EXPECT_EQ(bad_[4].reason, "column \"id\": invalid input syntax for type bigint: \"x\"");
}

TEST_F(KafkaRowDecoderTest, ACsvRunThatBeginsWithABadRowKeepsItsPlace) {
  EXPECT_THAT(Read({{"format", "csv"}, {"bad_rows", "skip"}}, kIdAndName,
                   Messages({"0", "1,a", std::nullopt, "x", "2,b"})),
              ElementsAre("1|a", "NULL|NULL", "2|b"));
}

TEST_F(KafkaRowDecoderTest, RawValuesAreTakenAsTheyAre) {
  EXPECT_THAT(
      Read({{"format", "raw"}}, {Column("v", TypeId::kText)}, Messages({"a\n", "", std::nullopt})),
      ElementsAre("a\n", "", "NULL"));
  EXPECT_THAT(Read({{"format", "raw"}}, {Column("v", TypeId::kBytea)},
                   Messages({absl::string_view("\0\xFF", 2)})),
              ElementsAre("\\x00ff"));
  EXPECT_THAT(Read({{"format", "raw"}, {"bad_rows", "keep"}}, {Column("v", TypeId::kText)},
                   Messages({"ok", "\xFF"})),
              ElementsAre("ok"));
  ASSERT_EQ(bad_.size(), 1U);
}

TEST_F(KafkaRowDecoderTest, FillsColumnsFromKeyHeadersTimeAndPlace) {
  const Schema columns = {Column("k", TypeId::kInt32),    Column("v", TypeId::kText),
                          Column("h", TypeId::kText),     Column("at", TypeId::kTimestamp),
                          Column("part", TypeId::kInt32), Column("pos", TypeId::kInt64)};
  const OptionMap options = {{"key", "k"},          {"headers", "h"},  {"timestamp", "at"},
                             {"partition", "part"}, {"offset", "pos"}, {"bad_rows", "keep"}};
  std::vector<KafkaMessage> messages = Messages({R"({"v":"a","k":9})", R"({"v":"b"})", "{}"});
  messages[0].key = "7";
  messages[0].headers = R"({"a":"b"})";
  messages[0].timestamp_millis = 1'700'000'000'123;
  messages[2].key = "seven";
  EXPECT_THAT(
      Read(options, columns, messages),
      ElementsAre("7|a|{\"a\":\"b\"}|2023-11-14 22:13:20.123|3|101", "NULL|b|NULL|NULL|3|102"));
  ASSERT_EQ(bad_.size(), 1U);
  EXPECT_EQ(bad_[0].reason, "column \"k\": invalid input syntax for type integer: \"seven\"");
  EXPECT_THAT(Read(options, columns, messages, {5, 0}), ElementsAre("101|7", "102|NULL"));
  EXPECT_THAT(Read(options, columns, Messages({"{}", "{}"}), {}), ElementsAre("", ""));
}

TEST_F(KafkaRowDecoderTest, ABadRowEndsTheQueryWithItsPlace) {
  EXPECT_THAT(Read({}, kIdAndName, Messages({R"({"id":1})", R"({"id":"x"})"})), IsEmpty());
  EXPECT_ERROR(status_, SqlState::kInvalidTextRepresentation,
               "clicks/3 offset 102, column \"id\": invalid input syntax for type bigint");
  Read({}, kIdAndName, Messages({"nonsense"}));
  EXPECT_ERROR(status_, SqlState::kInvalidTextRepresentation, "clicks/3 offset 101: ");
}

TEST_F(KafkaRowDecoderTest, AnErrorOfJsonSpeaksOfTheMessage) {
  Read({{"bad_rows", "keep"}}, kIdAndName, Messages({"[1]"}));
  ASSERT_EQ(bad_.size(), 1U);
  EXPECT_EQ(bad_[0].reason, "the message is not a JSON object");
}

}  // namespace
}  // namespace millrace
