#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_limit.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/config/process_config.h"
#include "common/logging/log.h"
#include "coordinator/service/coordinator_server.h"

// millrace-coordinator: serves clients and workers until SIGTERM or SIGINT, or, with
// --exit-with-parent, until its standard input closes.

namespace millrace {
namespace {

enum class Until { kSignal, kSignalOrEndOfInput };

// Signals are taken as readable events: no code runs in a handler.
int BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void WaitForEnd(int signal_fd, Until until) {
  pollfd events[2] = {{signal_fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  const nfds_t count = until == Until::kSignalOrEndOfInput ? 2 : 1;
  while (true) {
    if (poll(events, count, -1) < 0) continue;
    if (events[0].revents != 0) return;
    if (count < 2 || events[1].revents == 0) continue;
    char ignored[256];
    if (read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) return;
  }
}

// Removes a private cluster's folder. Its workers end for the same reason and at the same time, so
// what they still wrote is removed in a further round.
void RemoveAtExit(const std::string& folder) {
  constexpr int kRounds = 20;
  constexpr int kPauseMs = 100;
  for (int round = 0; round < kRounds; ++round) {
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    poll(nullptr, 0, kPauseMs);
    if (!std::filesystem::exists(folder, error)) return;
  }
}

int ReportFailure(const absl::Status& status) {
  const ErrorDetail detail = GetErrorDetail(status);
  std::fprintf(stderr, "millrace-coordinator: %s\n", std::string(status.message()).c_str());
  if (!detail.hint.empty()) std::fprintf(stderr, "hint: %s\n", detail.hint.c_str());
  constexpr int kUsage = 2;
  return detail.state == SqlState::kConfigFileError ? kUsage : 1;
}

int RunCoordinator(const std::vector<std::string>& args) {
  absl::StatusOr<ParsedConfig<CoordinatorConfig>> parsed = LoadCoordinatorConfig(args);
  if (!parsed.ok()) return ReportFailure(parsed.status());
  if (parsed->request == CommandLineRequest::kHelp) {
    std::fputs(parsed->help.c_str(), stdout);
    return 0;
  }
  if (parsed->request == CommandLineRequest::kShowVersion) {
    std::printf("millrace-coordinator %s\n", kVersion);
    return 0;
  }
  const CoordinatorConfig& config = parsed->config;
  ConfigureLogging(config.log);
  // Before the first thread, which inherits the mask.
  const int signal_fd = BlockSignals();
  if (config.exit_with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);
  // For the clients' connections.
  if (!RaiseFileLimit()) {
    Log(LogLevel::kWarning, "coordinator", "cannot raise the number of open files");
  }
  auto server = CoordinatorServer::Start(config, SystemClock());
  if (!server.ok()) return ReportFailure(server.status());
  std::printf("ready client=%s control=%s\n", (*server)->client_address().c_str(),
              (*server)->control_address().c_str());
  std::fflush(stdout);
  WaitForEnd(signal_fd, config.exit_with_parent ? Until::kSignalOrEndOfInput : Until::kSignal);
  Log(LogLevel::kInfo, "coordinator", "stopping");
  server->reset();
  close(signal_fd);
  if (!config.remove_at_exit.empty()) RemoveAtExit(config.remove_at_exit);
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  return millrace::RunCoordinator(std::vector<std::string>(argv + 1, argv + argc));
}
