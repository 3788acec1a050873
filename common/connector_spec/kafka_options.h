#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/connector_spec/connector_options.h"
#include "common/connector_spec/file_options.h"

namespace millrace {

// How the value of a message becomes columns: one JSON object; one line of CSV; the value itself,
// in one column of text or bytea.
enum class KafkaFormat : uint8_t { kJson, kCsv, kRaw };

// A place in every partition of a topic: before all messages; behind all messages there are; before
// the first message of this time or later; offsets by partition.
struct KafkaPlace {
  enum class Kind : uint8_t { kEarliest, kLatest, kTimestamp, kOffsets };
  Kind kind = Kind::kEarliest;
  // Milliseconds since 1970.
  int64_t timestamp_millis = 0;
  std::map<int32_t, int64_t> offsets;
};

// What a column of the definition is filled from.
enum class KafkaField : uint8_t { kValue, kKey, kHeaders, kTimestamp, kPartition, kOffset };

// Options of connector = 'kafka'.
struct KafkaOptions {
  // "host:port" each; the port is there.
  std::vector<std::string> brokers;
  std::string topic;
  KafkaFormat format = KafkaFormat::kJson;
  CsvDialect csv;
  BadRows bad_rows = BadRows::kFail;
  KafkaPlace start;
  // Absent = streams have no end.
  std::optional<KafkaPlace> stop;
  // A partition at whose end nothing has come for so long does not hold back the watermark.
  int64_t idle_timeout_micros = 30'000'000;
  // Streams read at most so many rows per second; 0 = as fast as possible.
  double rows_per_second = 0;
  // One for each column of the definition.
  std::vector<KafkaField> fields;
  // Settings of librdkafka that a definition may give, names without "properties.".
  std::map<std::string, std::string> properties;
};

// `columns`: of the definition. 22023 for unknown options (with the nearest name), values and
// combinations; 0A000 for what this version does not have.
absl::StatusOr<KafkaOptions> ParseKafkaOptions(const OptionMap& options, const Schema& columns);

// "json", "csv", "raw".
absl::string_view KafkaFormatName(KafkaFormat format);

// "clicks/3": how positions and messages call a partition.
std::string KafkaPartitionName(absl::string_view topic, int32_t partition);
// The inverse; false if the name is none.
bool ParseKafkaPartitionName(absl::string_view name, std::string* topic, int32_t* partition);

}  // namespace millrace
