#include "common/base/host_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

absl::Status InvalidAddress(absl::string_view address, absl::string_view hint) {
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("invalid address \"", address, "\""), hint);
}

bool IsIpv6(absl::string_view host) {
  // The zone of a link-local address, such as %eth0, is the resolver's.
  const std::string number(host.substr(0, host.find('%')));
  in6_addr ignored;
  return inet_pton(AF_INET6, number.c_str(), &ignored) == 1;
}

}  // namespace

bool IsHost(absl::string_view host) {
  if (absl::StrContains(host, ':')) return IsIpv6(host);
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
  });
}

absl::StatusOr<HostPort> SplitHostPort(absl::string_view address) {
  constexpr char kForm[] = "write host:port, for example 127.0.0.1:7461";
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return InvalidAddress(address, kForm);
  const absl::string_view port_text = address.substr(colon + 1);
  absl::string_view host = address.substr(0, colon);
  uint32_t port = 0;
  const bool digits = std::all_of(port_text.begin(), port_text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  if (!digits || !absl::SimpleAtoi(port_text, &port) || port > UINT16_MAX) {
    return InvalidAddress(address, kForm);
  }
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
    if (!IsIpv6(host)) return InvalidAddress(address, kForm);
  } else if (IsIpv6(host)) {
    return InvalidAddress(address, "write IPv6 addresses in brackets, for example [::1]:7461");
  } else if (!IsHost(host)) {
    return InvalidAddress(address, kForm);
  }
  return HostPort{std::string(host), static_cast<uint16_t>(port)};
}

}  // namespace millrace
