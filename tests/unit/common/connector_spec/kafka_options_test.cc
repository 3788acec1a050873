#include "common/connector_spec/kafka_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

Field Column(const char* name, TypeId type) { return Field{name, SqlType::Of(type)}; }

Schema Columns() {
  return {Column("id", TypeId::kInt64),   Column("k", TypeId::kText),
          Column("h", TypeId::kText),     Column("at", TypeId::kTimestampTz),
          Column("part", TypeId::kInt32), Column("pos", TypeId::kInt64)};
}

OptionMap With(const OptionMap& more) {
  OptionMap options{{"connector", "kafka"},
                    {"brokers", "localhost, 127.0.0.1:9999"},
                    {"topic", "clicks"},
                    {"format", "json"}};
  for (const auto& [name, value] : more) options[name] = value;
  return options;
}

absl::StatusOr<KafkaOptions> Parse(const OptionMap& more) {
  return ParseKafkaOptions(With(more), Columns());
}

TEST(KafkaOptionsTest, ReadsBrokersTopicAndDefaults) {
  const auto options = Parse({});
  ASSERT_OK(options);
  EXPECT_THAT(options->brokers, ElementsAre("localhost:9092", "127.0.0.1:9999"));
  EXPECT_EQ(options->topic, "clicks");
  EXPECT_EQ(options->start.kind, KafkaPlace::Kind::kEarliest);
  EXPECT_FALSE(options->stop.has_value());
  EXPECT_EQ(options->idle_timeout_micros, 30'000'000);
  EXPECT_THAT(options->fields, testing::Each(KafkaField::kValue));
}

TEST(KafkaOptionsTest, ReadsPlaces) {
  const auto latest = Parse({{"start", "latest"}, {"stop", "LATEST"}});
  ASSERT_OK(latest);
  EXPECT_EQ(latest->start.kind, KafkaPlace::Kind::kLatest);
  EXPECT_EQ(latest->stop->kind, KafkaPlace::Kind::kLatest);
  const auto time =
      Parse({{"start", "timestamp:1970-01-02 00:00:00.0001"}, {"stop", "timestamp:1700000000123"}});
  ASSERT_OK(time);
  EXPECT_EQ(time->start.timestamp_millis, 86'400'001);
  EXPECT_EQ(time->stop->timestamp_millis, 1'700'000'000'123);
  const auto offsets = Parse({{"start", "0=42, 3 = 7"}});
  ASSERT_OK(offsets);
  EXPECT_THAT(offsets->start.offsets, ElementsAre(Pair(0, 42), Pair(3, 7)));
  for (const char* wrong : {"soon", "0=1, 0=2", "0=-1", "timestamp:yesterday", "", "1"}) {
    SCOPED_TRACE(wrong);
    EXPECT_ERROR(Parse({{"start", wrong}}), SqlState::kInvalidParameterValue, "\"start\"");
  }
}

TEST(KafkaOptionsTest, OptionsNameTheColumnsForWhatIsNotTheValue) {
  const auto options = Parse({{"key", "k"},
                              {"headers", "h"},
                              {"timestamp", "at"},
                              {"partition", "part"},
                              {"offset", "pos"}});
  ASSERT_OK(options);
  EXPECT_THAT(options->fields,
              ElementsAre(KafkaField::kValue, KafkaField::kKey, KafkaField::kHeaders,
                          KafkaField::kTimestamp, KafkaField::kPartition, KafkaField::kOffset));
  const auto missing = Parse({{"offset", "poss"}});
  EXPECT_ERROR(missing, SqlState::kInvalidParameterValue, "names no column: \"poss\"");
  EXPECT_EQ(GetErrorDetail(missing.status()).hint, "did you mean \"pos\"?");
  EXPECT_ERROR(Parse({{"offset", "part"}}), SqlState::kInvalidParameterValue, "of type bigint");
  EXPECT_ERROR(Parse({{"key", "k"}, {"headers", "k"}}), SqlState::kInvalidParameterValue,
               "two options name");
}

TEST(KafkaOptionsTest, NamesTheNearestOfUnknownOptions) {
  const auto unknown = Parse({{"topics", "a"}});
  EXPECT_ERROR(unknown, SqlState::kInvalidParameterValue, "topics");
  EXPECT_EQ(GetErrorDetail(unknown.status()).hint, "did you mean \"topic\"?");
}

TEST(KafkaOptionsTest, RefusesWhatIsMissingOrWrong) {
  const std::pair<OptionMap, const char*> cases[] = {
      {{{"brokers", ""}}, "broker"},
      {{{"brokers", "host:0"}}, "invalid broker address"},
      {{{"brokers", "http://host"}}, "invalid broker address"},
      {{{"topic", ""}}, "\"topic\""},
      {{{"topic", "a/b"}}, "invalid topic name"},
      {{{"format", "xml"}}, "\"format\""},
      {{{"delimiter", ";"}}, "for format 'csv' only"},
      {{{"format", "raw"}}, "one column of type text or bytea"}};
  for (const auto& [more, message] : cases) {
    SCOPED_TRACE(message);
    EXPECT_ERROR(Parse(more), SqlState::kInvalidParameterValue, message);
  }
  EXPECT_ERROR(ParseKafkaOptions(With({}), {}), SqlState::kInvalidParameterValue, "its columns");
  EXPECT_ERROR(Parse({{"delivery", "exactly_once"}}), SqlState::kFeatureNotSupported,
               "not supported yet");
  EXPECT_OK(Parse({{"delivery", "at_least_once"}}));
}

TEST(KafkaOptionsTest, PassesOnOnlyHarmlessProperties) {
  const auto options = Parse({{"properties.fetch.min.bytes", "10"}});
  ASSERT_OK(options);
  EXPECT_THAT(options->properties, ElementsAre(Pair("fetch.min.bytes", "10")));
  for (const char* name : {"plugin.library.paths", "group.id", "auto.offset.reset", "log_level"}) {
    SCOPED_TRACE(name);
    EXPECT_ERROR(Parse({{std::string("properties.") + name, "x"}}),
                 SqlState::kInvalidParameterValue, "cannot be set");
  }
  for (const char* name : {"ssl.ca.location", "sasl.password", "security.protocol"}) {
    SCOPED_TRACE(name);
    EXPECT_ERROR(Parse({{std::string("properties.") + name, "x"}}), SqlState::kFeatureNotSupported,
                 name);
  }
}

TEST(KafkaOptionsTest, PartitionNamesAreReadBack) {
  std::string topic;
  int32_t partition = 0;
  ASSERT_TRUE(ParseKafkaPartitionName(KafkaPartitionName("a.b-c", 12), &topic, &partition));
  EXPECT_EQ(topic, "a.b-c");
  EXPECT_EQ(partition, 12);
  for (const char* wrong : {"a", "a/", "/1", "a/-1", "a/x"}) {
    EXPECT_FALSE(ParseKafkaPartitionName(wrong, &topic, &partition)) << wrong;
  }
}

}  // namespace
}  // namespace millrace
