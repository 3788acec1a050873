#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace {

struct PrivateClusterOptions {
  int num_workers = 2;
  // Slots of each worker; 0 = cores divided by workers, at least 1.
  int slots_per_worker = 0;
  // Folder of all data; empty = a new one below the temporary folder, which is gone when the
  // cluster is.
  std::string data_dir;
  // host:port; port 0 = chosen by the system.
  std::string client_address = "127.0.0.1:0";
  std::string control_address = "127.0.0.1:0";
  // Where the processes' logs go: files in data_dir/logs, or this process's stderr.
  bool log_to_files = true;
};

// A real cluster of one machine: a coordinator and workers as child processes on loopback. They
// stay in this process's group, and end when it ends, however it ends: each holds the read end of a
// pipe whose write end only this process has.
class PrivateCluster {
 public:
  // Returns when all workers have joined. 08006 with the last lines of the log if a process does
  // not come up.
  static absl::StatusOr<std::unique_ptr<PrivateCluster>> Start(
      const PrivateClusterOptions& options);
  // Ends all processes (gently, then by force after 5 s) and waits for them.
  ~PrivateCluster();
  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;

  // host:port for clients.
  const std::string& client_address() const { return client_address_; }
  const std::string& data_dir() const { return data_dir_; }

 private:
  struct Child {
    std::string name;
    int pid = -1;
    // Write end; closing it tells the child to end.
    int keep_alive_fd = -1;
    // Its stdout.
    int output_fd = -1;
  };

  PrivateCluster() = default;
  absl::Status Launch(const std::string& name, const std::vector<std::string>& arguments);
  absl::StatusOr<std::string> AwaitReadyLine(const Child& child) const;
  std::string LogPath(const std::string& name) const;

  PrivateClusterOptions options_;
  std::string data_dir_;
  bool removes_data_dir_ = false;
  std::string client_address_;
  std::vector<Child> children_;
};

}  // namespace millrace
