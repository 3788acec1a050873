#include "common/config/process_config.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/host_port.h"
#include "common/base/interval_limits.h"
#include "common/base/status.h"
#include "common/config/machine.h"
#include "common/config/setting_list.h"

namespace millrace {
namespace {

// Each one is a message of every worker.
constexpr int64_t kHeartbeatIntervalMicrosMin = 10'000;

absl::Status ConfigError(absl::string_view message, absl::string_view hint = "") {
  return MakeError(SqlState::kConfigFileError, message, hint);
}

void AddSettings(CoordinatorConfig* config, SettingList* settings) {
  settings->AddText("listen", &config->listen, "host:port for clients (127.0.0.1:7461)");
  settings->AddText("control-listen", &config->control_listen,
                    "host:port for workers (127.0.0.1:7462)");
  settings->AddText("data-dir", &config->data_dir, "folder for metadata and stored tables");
  settings->AddText("checkpoint-dir", &config->checkpoint_dir,
                    "folder for checkpoints (checkpoints in the data folder)");
  settings->AddTextList(
      "allowed-path", &config->allowed_paths,
      "folder that statements may read and write; may be repeated (the working folder)");
  settings->AddTextList("allowed-broker", &config->allowed_brokers,
                        "host[:port] that statements may connect to; may be repeated (loopback)");
  settings->AddSwitch("insecure", &config->insecure, "permit other than loopback addresses");
  settings->AddDuration("heartbeat-interval", &config->heartbeat_interval_micros,
                        "how often workers report ('1 s')");
  settings->AddDuration("heartbeat-timeout", &config->heartbeat_timeout_micros,
                        "silence after which a worker is given up ('5 s')");
  settings->AddDuration("epoch-interval", &config->epoch_interval_micros,
                        "how often views show new rows ('500 ms')");
  settings->AddDuration("checkpoint-interval", &config->checkpoint_interval_micros,
                        "how often streaming jobs are made durable ('10 s')");
  settings->AddDuration("checkpoint-timeout", &config->checkpoint_timeout_micros,
                        "how long workers may write their parts of a checkpoint ('5 min')");
  settings->AddCount("checkpoints-kept", &config->checkpoints_kept,
                     "checkpoints of a job that are kept (3)");
  settings->AddMegabytes("query-memory-mb", &config->query_memory_bytes,
                         "memory of one query in each worker (a share of the worker's)");
  settings->AddDuration("worker-wait", &config->worker_wait_micros,
                        "how long a statement waits for a worker ('60 s')");
  settings->AddDuration(
      "client-timeout", &config->client_timeout_micros,
      "how long a client may stand still before it loses its statement ('5 min')");
  settings->AddCount("max-statements", &config->statements_max,
                     "statements of clients that run at the same moment (200)");
  settings->AddCount("max-connections", &config->connections_max,
                     "connections at the same moment, of clients, and as many of workers (1000)");
  settings->AddSwitch("exit-with-parent", &config->exit_with_parent,
                      "end when stdin closes or the parent dies");
  settings->AddText("remove-at-exit", &config->remove_at_exit,
                    "folder to remove when the process ends");
  settings->AddLogSettings(&config->log);
}

void AddSettings(WorkerConfig* config, SettingList* settings) {
  settings->AddText("coordinator", &config->coordinator,
                    "host:port of the coordinator's control port (127.0.0.1:7462)");
  settings->AddText("listen", &config->listen, "host:port for data (127.0.0.1:0)");
  settings->AddText("advertise", &config->advertise,
                    "host[:port] that others connect to (the listen address; of 0.0.0.0 its way to "
                    "the coordinator)");
  settings->AddText("name", &config->name, "name for people (host and process)");
  settings->AddText("data-dir", &config->data_dir, "folder for state and spilled data");
  settings->AddCount("slots", &config->slots, "threads that run tasks (the cores that it may use)");
  settings->AddMegabytes("memory-mb", &config->memory_bytes,
                         "memory for queries and rows of views (half of what it may use)");
  settings->AddDuration("drain-patience", &config->drain_patience_micros,
                        "how long it may take to leave in good order ('30 s')");
  settings->AddTextList("allowed-broker", &config->allowed_brokers,
                        "host[:port] that statements may connect to; may be repeated (loopback)");
  settings->AddSwitch("insecure", &config->insecure, "permit other than loopback addresses");
  settings->AddSwitch("exit-with-parent", &config->exit_with_parent,
                      "end when stdin closes or the parent dies");
  settings->AddLogSettings(&config->log);
}

absl::Status RequireDataDir(const std::string& data_dir) {
  if (!data_dir.empty()) return absl::OkStatus();
  return ConfigError("the data folder is not set", "add --data-dir FOLDER");
}

absl::Status CheckIntervals(const CoordinatorConfig& config) {
  if (config.epoch_interval_micros < kEpochIntervalMicrosMin ||
      config.epoch_interval_micros > kEpochIntervalMicrosMax) {
    return ConfigError("epoch-interval must be from 10 ms to 60 s");
  }
  if (config.checkpoint_interval_micros < kCheckpointIntervalMicrosMin ||
      config.checkpoint_interval_micros > kCheckpointIntervalMicrosMax) {
    return ConfigError("checkpoint-interval must be from 100 ms to 1 day");
  }
  if (config.heartbeat_interval_micros < kHeartbeatIntervalMicrosMin) {
    return ConfigError("heartbeat-interval must be at least 10 ms");
  }
  if (config.heartbeat_timeout_micros / 2 < config.heartbeat_interval_micros) {
    return ConfigError("heartbeat-timeout must be at least twice heartbeat-interval");
  }
  if (config.checkpoint_timeout_micros < 1'000'000) {
    return ConfigError("checkpoint-timeout must be at least 1 s");
  }
  return absl::OkStatus();
}

// What other processes are told is not tried by this one.
absl::Status CheckAdvertised(const std::string& address) {
  if (address.empty() || IsHost(address)) return absl::OkStatus();
  const absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  if (parsed.ok() && parsed->port != 0) return absl::OkStatus();
  return ConfigError(absl::StrCat("invalid value for advertise: \"", address, "\""),
                     "write a host, or host:port with a port from 1 to 65535");
}

absl::Status Complete(CoordinatorConfig* config) {
  MR_RETURN_IF_ERROR(RequireDataDir(config->data_dir));
  MR_RETURN_IF_ERROR(CheckListenAddress("listen", config->listen, config->insecure));
  MR_RETURN_IF_ERROR(
      CheckListenAddress("control-listen", config->control_listen, config->insecure));
  MR_RETURN_IF_ERROR(CheckIntervals(*config));
  if (config->connections_max == 0) return ConfigError("max-connections must be at least 1");
  if (config->statements_max == 0) return ConfigError("max-statements must be at least 1");
  if (config->checkpoint_dir.empty()) {
    config->checkpoint_dir = absl::StrCat(config->data_dir, "/checkpoints");
  }
  if (config->checkpoints_kept == 0) return ConfigError("checkpoints-kept must be at least 1");
  for (const std::string& path : config->allowed_paths) {
    if (path.empty()) {
      return ConfigError("invalid value for allowed-path: \"\"",
                         "write a folder; . is the working folder");
    }
  }
  if (config->allowed_paths.empty()) config->allowed_paths = {"."};
  config->log.process = "coordinator";
  return absl::OkStatus();
}

absl::Status Complete(WorkerConfig* config) {
  MR_RETURN_IF_ERROR(RequireDataDir(config->data_dir));
  MR_RETURN_IF_ERROR(CheckListenAddress("listen", config->listen, config->insecure));
  MR_ASSIGN_OR_RETURN(const HostPort coordinator, ParseHostPort(config->coordinator));
  if (coordinator.port == 0) return ConfigError("the coordinator's port is not set");
  MR_RETURN_IF_ERROR(CheckAdvertised(config->advertise));
  if (config->slots == 0) config->slots = AvailableCores();
  if (config->slots > 1024) return ConfigError("slots must be at most 1024");
  if (config->memory_bytes == 0) config->memory_bytes = AvailableMemoryBytes() / 2;
  if (config->name.empty()) {
    char host[256] = {};
    if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
    config->name = absl::StrCat(host, "-", getpid());
  }
  config->log.process = absl::StrCat("worker ", config->name);
  return absl::OkStatus();
}

template <typename Config>
absl::StatusOr<ParsedConfig<Config>> Load(const std::vector<std::string>& args) {
  ParsedConfig<Config> parsed;
  SettingList settings;
  AddSettings(&parsed.config, &settings);
  for (const std::string& arg : args) {
    if (arg == "--help" || arg == "-h") {
      parsed.request = CommandLineRequest::kHelp;
      parsed.help = settings.Help();
      return parsed;
    }
    if (arg == "--version") {
      parsed.request = CommandLineRequest::kShowVersion;
      return parsed;
    }
  }
  const std::string file = SettingList::FindFlag(args, "config");
  if (!file.empty()) MR_RETURN_IF_ERROR(settings.ApplyFile(file));
  MR_RETURN_IF_ERROR(settings.ApplyFlags(args));
  MR_RETURN_IF_ERROR(Complete(&parsed.config));
  return parsed;
}

}  // namespace

absl::StatusOr<ParsedConfig<CoordinatorConfig>> LoadCoordinatorConfig(
    const std::vector<std::string>& args) {
  return Load<CoordinatorConfig>(args);
}

absl::StatusOr<ParsedConfig<WorkerConfig>> LoadWorkerConfig(const std::vector<std::string>& args) {
  return Load<WorkerConfig>(args);
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view address) {
  absl::StatusOr<HostPort> parsed = SplitHostPort(address);
  if (parsed.ok()) return parsed;
  return ConfigError(parsed.status().message(), GetErrorDetail(parsed.status()).hint);
}

bool IsLoopbackHost(absl::string_view host) {
  if (absl::EqualsIgnoreCase(host, "localhost") || host == "::1") return true;
  // 127.0.0.0/8, and only as four numbers: a name like "127.evil.example" is not an address.
  const std::vector<absl::string_view> parts = absl::StrSplit(host, '.');
  if (parts.size() != 4 || parts[0] != "127") return false;
  return std::all_of(parts.begin(), parts.end(), [](absl::string_view part) {
    uint32_t number = 0;
    return absl::SimpleAtoi(part, &number) && number <= 255;
  });
}

absl::Status CheckListenAddress(absl::string_view setting, absl::string_view address,
                                bool insecure) {
  absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  if (!parsed.ok()) return WithContext(parsed.status(), setting);
  if (insecure || IsLoopbackHost(parsed->host)) return absl::OkStatus();
  return ConfigError(absl::StrCat(setting, ": ", address,
                                  " is not a loopback address, and connections are not encrypted"),
                     "listen on 127.0.0.1, or permit it with --insecure");
}

}  // namespace millrace
