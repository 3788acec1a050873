#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/config/process_config.h"

namespace millrace {

// The whole coordinator: puts its parts together, recovers what an earlier process has left, and
// serves until it is destroyed.
class CoordinatorServer {
 public:
  // Serves when it returns. The clock must outlive the server.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(const CoordinatorConfig& config,
                                                                  const Clock& clock);
  // Cancels what runs, says goodbye to workers and clients, and waits for all threads.
  ~CoordinatorServer();

  // host:port with the ports that are really used.
  const std::string& client_address() const { return client_address_; }
  const std::string& control_address() const { return control_address_; }

 private:
  struct Parts;
  explicit CoordinatorServer(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
  std::string client_address_;
  std::string control_address_;
};

}  // namespace millrace
