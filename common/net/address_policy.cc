#include "common/net/address_policy.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/config/process_config.h"

namespace millrace {
namespace {

constexpr absl::string_view kLoopback = "loopback";
constexpr absl::string_view kEverything = "*";

bool Allows(const std::string& entry, absl::string_view address, const std::string& host) {
  if (entry == kEverything) return true;
  if (entry == kLoopback) return IsLoopbackHost(host);
  return absl::EqualsIgnoreCase(entry, address) || absl::EqualsIgnoreCase(entry, host);
}

}  // namespace

absl::StatusOr<AddressPolicy> AddressPolicy::Create(std::vector<std::string> allowed) {
  if (allowed.empty()) return AddressPolicy();
  for (const std::string& entry : allowed) {
    const bool plain = !entry.empty() && entry.find_first_of("/ ,") == std::string::npos;
    const bool host_port =
        entry.find(':') == std::string::npos || ParseHostPort(entry).ok() || entry == "::1";
    if (plain && host_port && (entry == kEverything || !absl::StrContains(entry, '*'))) continue;
    return MakeError(SqlState::kConfigFileError,
                     absl::StrCat("invalid value for allowed-broker: \"", entry, "\""),
                     "write a host, host:port, loopback, or * for every host");
  }
  return AddressPolicy(std::move(allowed));
}

absl::Status AddressPolicy::Check(absl::string_view address) const {
  MR_ASSIGN_OR_RETURN(const HostPort parsed, ParseHostPort(address));
  const bool allowed = std::any_of(allowed_.begin(), allowed_.end(), [&](const std::string& entry) {
    return Allows(entry, address, parsed.host);
  });
  if (allowed) return absl::OkStatus();
  return MakeError(
      SqlState::kInsufficientPrivilege, absl::StrCat("connecting to ", address, " is not allowed"),
      absl::StrCat("start coordinator and workers with --allowed-broker ", parsed.host));
}

}  // namespace millrace
