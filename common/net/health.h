#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc {
class Server;
}  // namespace grpc

namespace millrace {

enum class Serving : uint8_t { kNo, kYes };

// What the standard health service of a running server says of some of its services. Thread-safe;
// without effect once EndServing was called.
void SetServing(grpc::Server& server, std::initializer_list<absl::string_view> services,
                Serving serving);
// From now on the server as a whole and all its services are said not to serve: it is about to
// stop.
void EndServing(grpc::Server& server);

// Asks a server's health service; `service` empty = the server as a whole. kNo: it answers, and
// says that it cannot be used now. 42704 if it has no such service, 08006 if it does not answer in
// time.
absl::StatusOr<Serving> AskServing(const std::string& server, const std::string& service,
                                   int64_t timeout_ms);

}  // namespace millrace
