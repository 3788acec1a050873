#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/config/process_config.h"
#include "common/logging/log.h"
#include "worker/service/worker.h"

namespace millrace {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// Signals come as bytes of a descriptor, so nothing runs in a handler. Must happen before the first
// thread starts.
int OpenStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

// Waits for a signal, for `stop_event`, or, with `watch_stdin`, for the end of stdin.
void WaitForStop(int signals, int stop_event, bool watch_stdin) {
  while (true) {
    pollfd files[3] = {{signals, POLLIN, 0}, {stop_event, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (poll(files, watch_stdin ? 3 : 2, -1) < 0) continue;
    if (files[0].revents != 0 || files[1].revents != 0) return;
    if (!watch_stdin || files[2].revents == 0) continue;
    char ignored[256];
    if (read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) return;
  }
}

int RunWorker(const WorkerConfig& config) {
  if (absl::Status status = CheckListenAddress("listen", config.listen, config.insecure);
      !status.ok()) {
    LogError("worker", "cannot start", status);
    return kExitUsage;
  }
  const int signals = OpenStopSignals();
  const int stop_event = eventfd(0, EFD_CLOEXEC);
  if (config.exit_with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::atomic<bool> failed{false};
  const auto stop = [stop_event] {
    if (eventfd_write(stop_event, 1) != 0) _exit(kExitFailed);
  };

  WorkerOptions options;
  options.coordinator = config.coordinator;
  options.listen = config.listen;
  options.advertise = config.advertise;
  options.name = config.name;
  options.data_dir = config.data_dir;
  options.slots = config.slots;
  options.memory_bytes = config.memory_bytes;
  std::string data_address;
  std::atomic<bool> announced{false};
  // The address is known when the first registration is: the callback waits for it.
  std::atomic<bool> address_known{false};
  options.on_registered = [&](uint32_t worker_id) {
    address_known.wait(false);
    Log(LogLevel::kInfo, "worker", "registered", {{"worker", worker_id}});
    if (announced.exchange(true)) return;
    std::printf("ready data=%s worker=%u\n", data_address.c_str(), worker_id);
    std::fflush(stdout);
  };
  options.on_refused = [&](const absl::Status&) {
    failed = true;
    stop();
  };
  options.on_drained = stop;

  auto worker = Worker::Start(std::move(options));
  if (!worker.ok()) {
    LogError("worker", "cannot start", worker.status());
    return kExitFailed;
  }
  data_address = (*worker)->data_address();
  address_known = true;
  address_known.notify_all();
  WaitForStop(signals, stop_event, config.exit_with_parent);
  Log(LogLevel::kInfo, "worker", "stopping");
  worker->reset();
  return failed ? kExitFailed : 0;
}

int Main(const std::vector<std::string>& args) {
  const auto parsed = LoadWorkerConfig(args);
  if (!parsed.ok()) {
    LogError("worker", "wrong configuration", parsed.status());
    return kExitUsage;
  }
  if (parsed->request == CommandLineRequest::kHelp) {
    std::fputs(parsed->help.c_str(), stdout);
    return 0;
  }
  if (parsed->request == CommandLineRequest::kShowVersion) {
    std::printf("millrace-worker %s\n", kVersion);
    return 0;
  }
  ConfigureLogging(parsed->config.log);
  return RunWorker(parsed->config);
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) { return millrace::Main({argv + 1, argv + argc}); }
