#include "common/net/local_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// The local address after a datagram socket was pointed at `to`; empty if there is no way. No
// packet is sent.
std::string AddressOnTheWayTo(const addrinfo& to) {
  const int fd = socket(to.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "";
  sockaddr_storage local{};
  socklen_t size = sizeof(local);
  char text[NI_MAXHOST] = {};
  const bool found = connect(fd, to.ai_addr, to.ai_addrlen) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0 &&
                     getnameinfo(reinterpret_cast<const sockaddr*>(&local), size, text,
                                 sizeof(text), nullptr, 0, NI_NUMERICHOST) == 0;
  close(fd);
  return found ? text : "";
}

}  // namespace

bool IsAnyHost(absl::string_view host) { return host == "0.0.0.0" || host == "::"; }

absl::StatusOr<std::string> LocalAddressTowards(const std::string& host, uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &wanted, &found);
  if (failed != 0) {
    return MakeError(SqlState::kConnectionFailure,
                     absl::StrCat("cannot resolve ", host, ": ", gai_strerror(failed)));
  }
  std::string address;
  for (const addrinfo* to = found; to != nullptr && address.empty(); to = to->ai_next) {
    address = AddressOnTheWayTo(*to);
  }
  freeaddrinfo(found);
  if (!address.empty()) return address;
  return MakeError(SqlState::kConnectionFailure,
                   absl::StrCat("no way to ", host, ": ", std::strerror(errno)));
}

std::string JoinHostPort(absl::string_view host, int port) {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

}  // namespace millrace
