#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types/sql_type.h"

// Options of a definition's WITH list, as text. This folder gives them types and checks them; it
// does no I/O.

namespace millrace {

using OptionMap = std::map<std::string, std::string>;

// From a protobuf map<string, string>.
template <typename ProtoMap>
OptionMap ToOptionMap(const ProtoMap& proto) {
  return OptionMap(proto.begin(), proto.end());
}

enum class ConnectorKind : uint8_t { kFile, kDatagen, kBlackhole, kKafka };

// The kind behind options["connector"] or ScanNode.connector. 0A000 for connectors that this
// version does not have ("postgres", "print", …), 22023 with the nearest name for others.
absl::StatusOr<ConnectorKind> ParseConnectorName(absl::string_view name);

// Checks the options of CREATE TABLE … WITH (connector = …, …): names (22023 with the nearest one),
// values and combinations. `columns`: the definition's columns; empty if they are taken from the
// file. A definition may serve as source and as sink.
absl::Status ValidateDefinition(const OptionMap& options, const Schema& columns);

}  // namespace millrace
