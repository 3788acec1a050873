#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// "127.0.0.1:7461", "[::1]:0", "localhost:80"; IPv6 hosts come without their brackets. 22023 with a
// hint if it does not parse. Nothing is resolved.
absl::StatusOr<HostPort> SplitHostPort(absl::string_view address);

// True for what can stand before the port: a name or a number, IPv6 without brackets.
bool IsHost(absl::string_view host);

}  // namespace millrace
