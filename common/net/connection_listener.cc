#include "common/net/connection_listener.h"

#include <fcntl.h>
#include <grpcpp/security/server_credentials.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/config/process_config.h"
#include "common/logging/log.h"

namespace millrace {
namespace {

// A listener that cannot accept, for want of descriptors, tries again after this.
constexpr int kPauseMs = 100;

// The inode of what a descriptor stands for; 0 if it is closed.
ino_t InodeOf(int fd) {
  struct stat file{};
  return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

// The port of a socket's own address, 0 if it has none.
int PortOf(int fd) {
  sockaddr_storage local{};
  socklen_t size = sizeof(local);
  char port[NI_MAXSERV] = {};
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0 ||
      getnameinfo(reinterpret_cast<const sockaddr*>(&local), size, nullptr, 0, port, sizeof(port),
                  NI_NUMERICSERV) != 0) {
    return 0;
  }
  return std::atoi(port);
}

void SetPort(addrinfo* address, int port) {
  if (address->ai_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(address->ai_addr)->sin_port = htons(static_cast<uint16_t>(port));
  } else if (address->ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address->ai_addr)->sin6_port =
        htons(static_cast<uint16_t>(port));
  }
}

// A socket that listens there; -1, and errno, if it cannot.
int ListenAt(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  // For the connections of a process that has just ended; a port that is listened at stays taken.
  const int yes = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
      bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionListener>> ConnectionListener::Open(
    const std::string& host_port, size_t connections_max) {
  std::unique_ptr<ConnectionListener> listener(new ConnectionListener(connections_max));
  MR_RETURN_IF_ERROR(listener->Listen(host_port));
  return listener;
}

absl::Status ConnectionListener::Listen(const std::string& host_port) {
  MR_ASSIGN_OR_RETURN(const HostPort wanted, ParseHostPort(host_port));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(wanted.host.c_str(), absl::StrCat(wanted.port).c_str(), &hints, &found);
  if (failed != 0) {
    return MakeError(SqlState::kConfigFileError,
                     absl::StrCat("cannot resolve ", wanted.host, ": ", gai_strerror(failed)));
  }
  int error = 0;
  for (addrinfo* address = found; address != nullptr && error == 0; address = address->ai_next) {
    // All addresses of a name have the port that the first one got.
    if (port_ != 0) SetPort(address, port_);
    const int fd = ListenAt(*address);
    if (fd >= 0) {
      listeners_.push_back(fd);
      port_ = PortOf(fd);
    } else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) {
      error = errno;
    }
  }
  freeaddrinfo(found);
  stop_ = eventfd(0, EFD_CLOEXEC);
  if (error == 0 && (listeners_.empty() || stop_ < 0)) error = EADDRNOTAVAIL;
  if (error == 0) return absl::OkStatus();
  return MakeError(SqlState::kIoError,
                   absl::StrCat("cannot listen on ", host_port, ": ", std::strerror(error)),
                   error == EADDRINUSE ? "choose another port, or 0 for a free one" : "");
}

ConnectionListener::~ConnectionListener() {
  Stop();
  for (const int fd : listeners_) close(fd);
  if (stop_ >= 0) close(stop_);
}

void ConnectionListener::AddTo(grpc::ServerBuilder& builder) {
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
}

void ConnectionListener::Start() {
  MR_CHECK(acceptor_ != nullptr);
  thread_ = std::thread([this] { Run(); });
}

void ConnectionListener::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  MR_CHECK(write(stop_, &one, sizeof(one)) == sizeof(one));
  thread_.join();
}

void ConnectionListener::Run() {
  std::vector<pollfd> events{{stop_, POLLIN, 0}};
  for (const int listener : listeners_) events.push_back({listener, POLLIN, 0});
  while (true) {
    if (poll(events.data(), events.size(), -1) < 0) continue;
    if (events[0].revents != 0) return;
    for (size_t i = 1; i < events.size(); ++i) {
      if (events[i].revents != 0) AcceptFrom(events[i].fd);
    }
  }
}

void ConnectionListener::AcceptFrom(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    // The one that waits stays in the queue, so without a pause this would be tried without end.
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
      Log(LogLevel::kWarning, "net", "cannot accept a connection",
          {{"error", std::strerror(errno)}});
      pollfd stop{stop_, POLLIN, 0};
      poll(&stop, 1, kPauseMs);
    }
    return;
  }
  if (!HasRoom()) {
    close(fd);
    if (num_refused_.fetch_add(1, std::memory_order_relaxed) == 0) {
      Log(LogLevel::kWarning, "net", "a connection too many is closed",
          {{"connections_max", connections_max_}});
    }
    return;
  }
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  connections_.push_back({fd, InodeOf(fd)});
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = listener;
  parameters.fd = fd;
  acceptor_->HandleNewConnection(&parameters);
}

bool ConnectionListener::HasRoom() {
  if (connections_.size() < connections_max_) return true;
  std::erase_if(connections_, [](const Connection& connection) {
    return InodeOf(connection.fd) != connection.inode;
  });
  return connections_.size() < connections_max_;
}

}  // namespace millrace
