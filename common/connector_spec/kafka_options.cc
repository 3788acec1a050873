#include "common/connector_spec/kafka_options.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "common/config/process_config.h"
#include "common/connector_spec/option_reader.h"
#include "common/types/text_parse.h"

namespace millrace {
namespace {

constexpr absl::string_view kProperties = "properties.";
constexpr uint16_t kDefaultPort = 9092;
// Kafka's own limits for names of topics.
constexpr size_t kTopicBytesMax = 249;

// What may be passed to librdkafka: sizes, pauses and names. Nothing that opens a file, loads or
// runs something, changes what a position means, or holds a credential.
const std::vector<std::string>& AllowedProperties() {
  static const auto& names = *new std::vector<std::string>{"batch.num.messages",
                                                           "batch.size",
                                                           "broker.address.family",
                                                           "check.crcs",
                                                           "client.id",
                                                           "client.rack",
                                                           "compression.codec",
                                                           "compression.level",
                                                           "compression.type",
                                                           "fetch.error.backoff.ms",
                                                           "fetch.max.bytes",
                                                           "fetch.message.max.bytes",
                                                           "fetch.min.bytes",
                                                           "fetch.wait.max.ms",
                                                           "linger.ms",
                                                           "max.partition.fetch.bytes",
                                                           "message.max.bytes",
                                                           "message.timeout.ms",
                                                           "partitioner",
                                                           "queued.max.messages.kbytes",
                                                           "queued.min.messages",
                                                           "receive.message.max.bytes",
                                                           "reconnect.backoff.max.ms",
                                                           "reconnect.backoff.ms",
                                                           "request.timeout.ms",
                                                           "retry.backoff.ms",
                                                           "socket.connection.setup.timeout.ms",
                                                           "socket.keepalive.enable",
                                                           "socket.nagle.disable",
                                                           "socket.receive.buffer.bytes",
                                                           "socket.send.buffer.bytes",
                                                           "socket.timeout.ms",
                                                           "topic.metadata.refresh.interval.ms"};
  return names;
}

absl::Status Invalid(absl::string_view message, absl::string_view hint = "") {
  return MakeError(SqlState::kInvalidParameterValue, message, hint);
}

void ReadBrokers(OptionReader& reader, KafkaOptions& options) {
  for (const std::string& broker : reader.List("brokers")) {
    std::string address = broker;
    if (!ParseHostPort(address).ok()) address = absl::StrCat(broker, ":", kDefaultPort);
    const auto parsed = ParseHostPort(address);
    const bool plain = !absl::StrContains(broker, '/') && !absl::StrContains(broker, ' ');
    if (!parsed.ok() || parsed->port == 0 || !plain) {
      reader.Fail(Invalid(absl::StrCat("invalid broker address \"", broker, "\""),
                          "write brokers = 'host:port, host:port'"));
      return;
    }
    options.brokers.push_back(std::move(address));
  }
  if (!options.brokers.empty()) return;
  reader.FailMissing("brokers", "add brokers = 'host:port'");
}

void ReadTopic(OptionReader& reader, KafkaOptions& options) {
  options.topic = reader.Text("topic", "");
  if (options.topic.empty()) {
    reader.FailMissing("topic");
    return;
  }
  const bool legal = std::all_of(options.topic.begin(), options.topic.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
  if (legal && options.topic.size() <= kTopicBytesMax && options.topic != "." &&
      options.topic != "..") {
    return;
  }
  reader.Fail(Invalid(absl::StrCat("invalid topic name \"", options.topic, "\""),
                      "a topic is called by letters, digits, '.', '_' and '-'"));
}

void ReadFormat(OptionReader& reader, KafkaOptions& options) {
  if (absl::EqualsIgnoreCase(reader.Text("format", ""), "debezium_json")) {
    reader.Fail(NotSupported("format 'debezium_json'"));
  }
  if (!reader.Has("format")) {
    reader.FailMissing("format", "add format = 'json', 'csv' or 'raw'");
    return;
  }
  options.format = static_cast<KafkaFormat>(reader.Choice("format", {"json", "csv", "raw"}, 0));
  constexpr absl::string_view kCsvOnly[] = {"delimiter", "quote", "escape", "null"};
  if (options.format != KafkaFormat::kCsv) {
    for (absl::string_view name : kCsvOnly) {
      if (reader.Has(std::string(name))) {
        reader.Fail(Invalid(absl::StrCat("option \"", name, "\" is for format 'csv' only")));
      }
    }
    return;
  }
  options.csv.delimiter = reader.Character("delimiter", ',');
  options.csv.quote = reader.Character("quote", '"');
  options.csv.escape = reader.Character("escape", options.csv.quote);
  options.csv.null_strings = reader.List("null");
  const std::string line_ends = "\r\n";
  if (options.csv.delimiter == options.csv.quote ||
      absl::StrContains(line_ends, options.csv.delimiter) ||
      absl::StrContains(line_ends, options.csv.quote) ||
      absl::StrContains(line_ends, options.csv.escape)) {
    reader.Fail(
        Invalid("delimiter and quote must differ, and neither they nor escape can be line ends"));
  }
}

// "0=42, 1=300"; false if it is something else.
bool ParseOffsets(absl::string_view text, std::map<int32_t, int64_t>* offsets) {
  for (const absl::string_view element : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(element, absl::MaxSplits('=', 1));
    int32_t partition = 0;
    int64_t offset = 0;
    if (!absl::SimpleAtoi(parts.first, &partition) || !absl::SimpleAtoi(parts.second, &offset) ||
        partition < 0 || offset < 0 || !offsets->emplace(partition, offset).second) {
      return false;
    }
  }
  return true;
}

// Milliseconds since 1970, as a number or as a timestamp (UTC if it names no zone).
bool ParseMillis(absl::string_view text, int64_t* millis) {
  if (absl::SimpleAtoi(text, millis)) return *millis >= 0;
  int64_t micros = 0;
  if (!ParseTimestampTz(text, 0, &micros) || micros < 0) return false;
  // Rounded up: what is earlier than the time stays out.
  *millis = (micros + 999) / 1000;
  return true;
}

KafkaPlace ReadPlace(OptionReader& reader, const std::string& name) {
  KafkaPlace place;
  const std::string text = reader.Text(name, "earliest");
  absl::string_view timestamp = text;
  if (absl::EqualsIgnoreCase(text, "earliest")) {
    place.kind = KafkaPlace::Kind::kEarliest;
  } else if (absl::EqualsIgnoreCase(text, "latest")) {
    place.kind = KafkaPlace::Kind::kLatest;
  } else if (absl::ConsumePrefix(&timestamp, "timestamp:") &&
             ParseMillis(timestamp, &place.timestamp_millis)) {
    place.kind = KafkaPlace::Kind::kTimestamp;
  } else if (ParseOffsets(text, &place.offsets)) {
    place.kind = KafkaPlace::Kind::kOffsets;
  } else {
    reader.Fail(Invalid(absl::StrCat("invalid value for option \"", name, "\": \"", text, "\""),
                        "expected 'earliest', 'latest', 'timestamp:2024-01-31 12:00:00', or "
                        "offsets by partition: '0=42, 1=17'"));
  }
  return place;
}

struct FieldOption {
  const char* name;
  KafkaField field;
  const char* types;
};
constexpr FieldOption kFieldOptions[] = {
    {"key", KafkaField::kKey, "any type"},
    {"headers", KafkaField::kHeaders, "text"},
    {"timestamp", KafkaField::kTimestamp, "timestamp or timestamptz"},
    {"partition", KafkaField::kPartition, "integer"},
    {"offset", KafkaField::kOffset, "bigint"}};

bool TakesField(const SqlType& type, KafkaField field) {
  switch (field) {
    case KafkaField::kValue:
    case KafkaField::kKey:
      return true;
    case KafkaField::kHeaders:
      return type.id == TypeId::kText;
    case KafkaField::kTimestamp:
      return type.is_timestamp();
    case KafkaField::kPartition:
      return type.id == TypeId::kInt32;
    case KafkaField::kOffset:
      return type.id == TypeId::kInt64;
  }
  return false;
}

void ReadFields(OptionReader& reader, const Schema& columns, KafkaOptions& options) {
  options.fields.assign(columns.size(), KafkaField::kValue);
  for (const FieldOption& option : kFieldOptions) {
    if (!reader.Has(option.name)) {
      reader.Ignore(option.name);
      continue;
    }
    const std::string name = reader.Text(option.name, "");
    const auto column = std::find_if(columns.begin(), columns.end(),
                                     [&](const Field& field) { return field.name == name; });
    if (column == columns.end()) {
      std::vector<std::string> names;
      for (const Field& field : columns) names.push_back(field.name);
      reader.Fail(
          Invalid(absl::StrCat("option \"", option.name, "\" names no column: \"", name, "\""),
                  NearestNameHint(name, names)));
      continue;
    }
    KafkaField& field = options.fields[static_cast<size_t>(column - columns.begin())];
    if (field != KafkaField::kValue) {
      reader.Fail(Invalid(absl::StrCat("two options name the column \"", name, "\"")));
    } else if (!TakesField(column->type, option.field)) {
      reader.Fail(Invalid(absl::StrCat("option \"", option.name, "\" needs a column of type ",
                                       option.types, ", not ", TypeName(column->type))));
    }
    field = option.field;
  }
}

void CheckColumns(OptionReader& reader, const Schema& columns, const KafkaOptions& options) {
  if (columns.empty()) {
    reader.Fail(
        Invalid("a table over a topic needs its columns",
                "a topic does not tell them; write (name type, …) behind the table's name"));
    return;
  }
  if (options.format != KafkaFormat::kRaw) return;
  const auto is_value = [](KafkaField field) { return field == KafkaField::kValue; };
  const auto first = std::find_if(options.fields.begin(), options.fields.end(), is_value);
  const auto num_values = std::count_if(options.fields.begin(), options.fields.end(), is_value);
  const bool fits = num_values == 1 && [&] {
    const SqlType& type = columns[static_cast<size_t>(first - options.fields.begin())].type;
    return type.is_string() || type.id == TypeId::kBytea;
  }();
  if (fits) return;
  reader.Fail(Invalid("format 'raw' needs one column of type text or bytea for the value",
                      "further columns are named by key, headers, timestamp, partition, offset"));
}

void ReadDelivery(OptionReader& reader) {
  const int delivery = reader.Choice("delivery", {"at_least_once", "exactly_once"}, 0);
  if (delivery == 0) return;
  reader.Fail(MakeError(SqlState::kFeatureNotSupported,
                        "delivery = 'exactly_once' is not supported yet for topics",
                        "leave it out: what a job writes arrives at least once"));
}

void ReadProperties(OptionReader& reader, const OptionMap& option_map, KafkaOptions& options) {
  const std::vector<std::string>& allowed = AllowedProperties();
  for (const auto& [name, value] : option_map) {
    absl::string_view property = name;
    if (!absl::ConsumePrefix(&property, kProperties)) continue;
    reader.Ignore(name);
    if (std::find(allowed.begin(), allowed.end(), property) != allowed.end()) {
      options.properties.emplace(property, value);
    } else if (absl::StartsWith(property, "sasl.") || absl::StartsWith(property, "ssl.") ||
               property == "security.protocol") {
      reader.Fail(NotSupported(absl::StrCat("option \"", name, "\" (encryption and logins)")));
    } else {
      reader.Fail(Invalid(absl::StrCat("\"", name, "\" cannot be set by a definition"),
                          NearestNameHint(property, allowed)));
    }
  }
}

}  // namespace

absl::StatusOr<KafkaOptions> ParseKafkaOptions(const OptionMap& option_map, const Schema& columns) {
  OptionReader reader("kafka", option_map);
  KafkaOptions options;
  reader.Ignore("connector");
  ReadBrokers(reader, options);
  ReadTopic(reader, options);
  ReadFormat(reader, options);
  ReadFields(reader, columns, options);
  CheckColumns(reader, columns, options);
  options.start = ReadPlace(reader, "start");
  if (reader.Has("stop")) options.stop = ReadPlace(reader, "stop");
  reader.Ignore("stop");
  options.bad_rows = static_cast<BadRows>(reader.Choice("bad_rows", {"fail", "skip", "keep"}, 0));
  options.idle_timeout_micros = reader.DurationMicros("idle_timeout", options.idle_timeout_micros);
  options.rows_per_second = reader.Number("rows_per_second", 0);
  ReadDelivery(reader);
  ReadProperties(reader, option_map, options);
  // Of the definition, not of its topic.
  reader.Ignore("late_into");
  MR_RETURN_IF_ERROR(reader.Finish());
  return options;
}

absl::string_view KafkaFormatName(KafkaFormat format) {
  switch (format) {
    case KafkaFormat::kJson:
      return "json";
    case KafkaFormat::kCsv:
      return "csv";
    case KafkaFormat::kRaw:
      return "raw";
  }
  return "";
}

std::string KafkaPartitionName(absl::string_view topic, int32_t partition) {
  return absl::StrCat(topic, "/", partition);
}

bool ParseKafkaPartitionName(absl::string_view name, std::string* topic, int32_t* partition) {
  const size_t slash = name.rfind('/');
  if (slash == absl::string_view::npos) return false;
  *topic = std::string(name.substr(0, slash));
  return !topic->empty() && absl::SimpleAtoi(name.substr(slash + 1), partition) && *partition >= 0;
}

}  // namespace millrace
