#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

// Which hosts statements may make this process connect to. Immutable, thread-safe.
class AddressPolicy {
 public:
  // Only this machine: localhost, 127.0.0.0/8, ::1.
  AddressPolicy() : allowed_{"loopback"} {}
  // Each is a host ("kafka", every port of it), a host with a port ("kafka:9092"), "loopback", or
  // "*" for everything. F0000 for others. Empty: as the default.
  static absl::StatusOr<AddressPolicy> Create(std::vector<std::string> allowed);

  // 42501, with the option that would allow it as hint, unless the address ("host:port") is
  // allowed. Names are compared as they are written, not by what they resolve to.
  absl::Status Check(absl::string_view address) const;

 private:
  explicit AddressPolicy(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {}

  std::vector<std::string> allowed_;
};

}  // namespace millrace
