#pragma once

#include <grpcpp/server_builder.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace {

// Accepts the connections of a gRPC server, at most so many at a time: gRPC itself has no such
// limit, and a process without free descriptors cannot open its own files either. One connection
// too many is closed at once.
//
//   Open, AddTo(builder), builder.BuildAndStart(), Start(), … server->Shutdown(), Stop()
class ConnectionListener {
 public:
  // Listens at each address of `host:port`; port 0 takes a free one. Connections wait until Start.
  // kIoError if the address is in use, kConfigFileError if it is none of this machine.
  static absl::StatusOr<std::unique_ptr<ConnectionListener>> Open(const std::string& host_port,
                                                                  size_t connections_max);
  ~ConnectionListener();
  ConnectionListener(const ConnectionListener&) = delete;
  ConnectionListener& operator=(const ConnectionListener&) = delete;

  int port() const { return port_; }
  // Those that were closed because there were too many.
  uint64_t num_refused() const { return num_refused_.load(std::memory_order_relaxed); }

  // What Start accepts goes to the server that `builder` makes.
  void AddTo(grpc::ServerBuilder& builder);
  void Start();
  // Nothing is accepted any more; connections that are open stay. Safe to repeat.
  void Stop();

 private:
  // A connection that the server has. The server closes it without a word; that its number stands
  // for another file, or none, tells.
  struct Connection {
    int fd = -1;
    ino_t inode = 0;
  };

  explicit ConnectionListener(size_t connections_max) : connections_max_(connections_max) {}
  absl::Status Listen(const std::string& host_port);
  void Run();
  void AcceptFrom(int listener);
  bool HasRoom();

  const size_t connections_max_;
  int port_ = 0;
  std::vector<int> listeners_;
  // Readable when the thread is to end.
  int stop_ = -1;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  // Of the thread.
  std::vector<Connection> connections_;
  std::atomic<uint64_t> num_refused_{0};
  std::thread thread_;
};

}  // namespace millrace
