#include "common/connector_spec/connector_options.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "common/connector_spec/datagen_options.h"
#include "common/connector_spec/file_options.h"
#include "common/connector_spec/kafka_options.h"
#include "common/connector_spec/option_reader.h"

namespace millrace {
namespace {

absl::Status ValidateBlackhole(const OptionMap& options) {
  OptionReader reader("blackhole", options);
  reader.Ignore("connector");
  return reader.Finish();
}

}  // namespace

absl::StatusOr<ConnectorKind> ParseConnectorName(absl::string_view name) {
  if (name == "file") return ConnectorKind::kFile;
  if (name == "datagen") return ConnectorKind::kDatagen;
  if (name == "blackhole") return ConnectorKind::kBlackhole;
  if (name == "kafka") return ConnectorKind::kKafka;
  for (absl::string_view later : {"postgres", "nexmark", "print", "hybrid"}) {
    if (name == later) return NotSupported(absl::StrCat("connector \"", name, "\""));
  }
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("unknown connector \"", name, "\""),
                   NearestNameHint(name, {"file", "kafka", "datagen", "blackhole"}));
}

absl::Status ValidateDefinition(const OptionMap& options, const Schema& columns) {
  const auto connector = options.find("connector");
  if (connector == options.end()) {
    return MakeError(SqlState::kInvalidParameterValue, "the option \"connector\" is missing",
                     "add connector = 'file', 'kafka', 'datagen' or 'blackhole'");
  }
  MR_ASSIGN_OR_RETURN(const ConnectorKind kind, ParseConnectorName(connector->second));
  switch (kind) {
    case ConnectorKind::kFile:
      return ParseFileOptions(options).status();
    case ConnectorKind::kDatagen:
      return ParseDatagenOptions(options, columns).status();
    case ConnectorKind::kBlackhole:
      return ValidateBlackhole(options);
    case ConnectorKind::kKafka:
      return ParseKafkaOptions(options, columns).status();
  }
  return InternalError("unknown connector kind");
}

}  // namespace millrace
