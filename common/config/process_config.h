#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/host_port.h"
#include "common/logging/log.h"

// Configuration of the two servers: a TOML file (--config) under flags; a flag wins. Keys of the
// file are the flags' names with '_' for '-':
//   listen = "127.0.0.1:7461"        allowed_path = ["/srv/data"]        epoch_interval = "500 ms"
// Unknown keys and flags, and wrong values, are errors (F0000) with the nearest name.

namespace millrace {

struct CoordinatorConfig {
  // host:port for clients, and for workers. Port 0 = chosen by the system.
  std::string listen = "127.0.0.1:7461";
  std::string control_listen = "127.0.0.1:7462";
  // Metadata, stored tables; required.
  std::string data_dir;
  // Default: "checkpoints" in data_dir.
  std::string checkpoint_dir;
  // Folders that statements may read and write, without data_dir and checkpoint_dir. Default: the
  // working directory.
  std::vector<std::string> allowed_paths;
  // Hosts that statements may connect to: host, host:port, "loopback", "*". Default: loopback.
  std::vector<std::string> allowed_brokers;
  // Permits listening on other than loopback addresses without TLS.
  bool insecure = false;
  int64_t heartbeat_interval_micros = 1'000'000;
  // After this much silence a worker is fenced.
  int64_t heartbeat_timeout_micros = 5'000'000;
  int64_t epoch_interval_micros = 500'000;
  int64_t checkpoint_interval_micros = 10'000'000;
  // So long workers may write their parts of a checkpoint.
  int64_t checkpoint_timeout_micros = 300'000'000;
  // Newest checkpoints of a job that are kept, at least 1.
  uint32_t checkpoints_kept = 3;
  // Bytes that one query may hold in each worker; 0 = a share of the worker's memory.
  uint64_t query_memory_bytes = 0;
  // How long a statement waits for a worker to be there, or for a view to be readable again.
  int64_t worker_wait_micros = 60'000'000;
  // A client that reads nothing of its result for so long loses its statement.
  int64_t client_timeout_micros = 300'000'000;
  // Statements of clients that run at the same moment; one too many is refused.
  uint32_t statements_max = 200;
  // Connections at the same moment, at the clients' port and at the workers'; one too many is
  // closed.
  uint32_t connections_max = 1000;
  // End when stdin closes or the parent dies: private clusters.
  bool exit_with_parent = false;
  // Folder to remove when the process ends, after its workers have left; empty = none. For private
  // clusters, whose parent may have been killed before it could do that.
  std::string remove_at_exit;
  LogOptions log;
};

struct WorkerConfig {
  // host:port of the coordinator's control port.
  std::string coordinator = "127.0.0.1:7462";
  // host:port for the data of other workers and the coordinator.
  std::string listen = "127.0.0.1:0";
  // host[:port], no port 0, that others are told to connect to; default: the listen address, or,
  // where that is 0.0.0.0 or [::], the address that the machine has on its way to the coordinator.
  std::string advertise;
  // For people; default: the host's name and the process's number.
  std::string name;
  // State and spilled data; required.
  std::string data_dir;
  // Threads that run tasks; default: the cores of the machine, or of the container.
  uint32_t slots = 0;
  // Memory for queries; default: half of the machine's, or of the container's.
  uint64_t memory_bytes = 0;
  // How long a worker that leaves in good order waits until nothing of it is needed any more.
  int64_t drain_patience_micros = 30'000'000;
  // As the coordinator's.
  std::vector<std::string> allowed_brokers;
  bool insecure = false;
  bool exit_with_parent = false;
  LogOptions log;
};

// What a command line asks for.
enum class CommandLineRequest : uint8_t { kRun, kHelp, kShowVersion };

template <typename Config>
struct ParsedConfig {
  CommandLineRequest request = CommandLineRequest::kRun;
  // kHelp: the text to print.
  std::string help;
  Config config;
};

// `args` without the program's name. Applies defaults (that depend on the machine too) and checks
// the whole.
absl::StatusOr<ParsedConfig<CoordinatorConfig>> LoadCoordinatorConfig(
    const std::vector<std::string>& args);
absl::StatusOr<ParsedConfig<WorkerConfig>> LoadWorkerConfig(const std::vector<std::string>& args);

// SplitHostPort for a setting: F0000 if it does not parse.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view address);
// True for localhost, 127.0.0.0/8 and ::1.
bool IsLoopbackHost(absl::string_view host);
// F0000 if `address` is not on loopback; `setting` names it in the message. With `insecure`
// everything passes.
absl::Status CheckListenAddress(absl::string_view setting, absl::string_view address,
                                bool insecure);

}  // namespace millrace
