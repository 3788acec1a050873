#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

// True for hosts that mean "every address of this machine": 0.0.0.0 and ::.
bool IsAnyHost(absl::string_view host);

// The address that this machine has on its way to `host`: what others on that way can reach it
// under. A number, IPv6 without brackets. Asks the resolver and the routing table; nothing is sent.
// 08006 if the name cannot be resolved, or there is no way.
absl::StatusOr<std::string> LocalAddressTowards(const std::string& host, uint16_t port);

// "192.0.2.1" and 80 → "192.0.2.1:80"; "::1" and 80 → "[::1]:80".
std::string JoinHostPort(absl::string_view host, int port);

}  // namespace millrace
