#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/file_limit.h"
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

// What can end the worker.
struct EndEvents {
  int signals = -1;
  // Written when there is nothing to wait for: refused, or drained.
  int now = -1;
  // Written when the coordinator asks the worker to leave.
  int leave = -1;
  bool watch_stdin = false;
};

enum class EndCause : uint8_t { kSignal, kLeaveAsked, kNow, kParentGone, kTimeout };

// Waits for the next event; a negative timeout waits for ever. A signal is consumed, so that a
// second one is a new event.
EndCause WaitForEnd(const EndEvents& events, int timeout_ms) {
  while (true) {
    pollfd files[4] = {{events.now, POLLIN, 0},
                       {events.signals, POLLIN, 0},
                       {events.leave, POLLIN, 0},
                       {STDIN_FILENO, POLLIN, 0}};
    const int ready = poll(files, events.watch_stdin ? 4 : 3, timeout_ms);
    if (ready == 0) return EndCause::kTimeout;
    if (ready < 0) continue;
    if (files[0].revents != 0) return EndCause::kNow;
    signalfd_siginfo signal;
    if (files[1].revents != 0 && read(events.signals, &signal, sizeof(signal)) > 0) {
      return EndCause::kSignal;
    }
    if (files[2].revents != 0) return EndCause::kLeaveAsked;
    if (!events.watch_stdin || files[3].revents == 0) continue;
    char ignored[256];
    if (read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) return EndCause::kParentGone;
  }
}

// A signal and the coordinator's wish let the worker leave in good order; a second signal and the
// end of patience cut that short. A private cluster's worker has nobody to hand its work to.
void RunUntilEnd(Worker& worker, EndEvents events, int64_t patience_micros) {
  const EndCause cause = WaitForEnd(events, -1);
  const bool leaves = cause == EndCause::kSignal || cause == EndCause::kLeaveAsked;
  if (!leaves || (events.watch_stdin && cause == EndCause::kSignal)) return;
  Log(LogLevel::kInfo, "worker", "leaving", {{"patience_ms", patience_micros / 1000}});
  worker.Leave(patience_micros);
  // A wish that is repeated changes nothing.
  events.leave = -1;
  const auto patience_ms = static_cast<int>(std::min<int64_t>(patience_micros / 1000, INT_MAX));
  if (WaitForEnd(events, patience_ms) == EndCause::kTimeout) {
    Log(LogLevel::kWarning, "worker", "still needed, but the patience is over");
  }
}

int RunWorker(const WorkerConfig& config) {
  if (absl::Status status = CheckListenAddress("listen", config.listen, config.insecure);
      !status.ok()) {
    LogError("worker", "cannot start", status);
    return kExitUsage;
  }
  // A state database holds some ten files for each shard open, and many jobs have one.
  if (!RaiseFileLimit()) Log(LogLevel::kWarning, "worker", "cannot raise the number of open files");
  EndEvents events;
  events.signals = OpenStopSignals();
  events.now = eventfd(0, EFD_CLOEXEC);
  events.leave = eventfd(0, EFD_CLOEXEC);
  events.watch_stdin = config.exit_with_parent;
  if (config.exit_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    // What has ended meanwhile may be removing the folder that a start would make.
    if (WaitForEnd(events, 0) != EndCause::kTimeout) return 0;
  }
  std::atomic<bool> failed{false};
  const auto write_to = [](int event) {
    return [event] {
      if (eventfd_write(event, 1) != 0) _exit(kExitFailed);
    };
  };

  WorkerOptions options;
  options.coordinator = config.coordinator;
  options.listen = config.listen;
  options.advertise = config.advertise;
  options.name = config.name;
  options.data_dir = config.data_dir;
  options.slots = config.slots;
  options.memory_bytes = config.memory_bytes;
  options.allowed_brokers = config.allowed_brokers;
  std::atomic<bool> announced{false};
  options.on_registered = [&](uint32_t worker_id, const std::string& data_address) {
    Log(LogLevel::kInfo, "worker", "registered", {{"worker", worker_id}, {"data", data_address}});
    if (announced.exchange(true)) return;
    std::printf("ready data=%s worker=%u\n", data_address.c_str(), worker_id);
    std::fflush(stdout);
  };
  options.on_refused = [&failed, stop = write_to(events.now)](const absl::Status&) {
    failed = true;
    stop();
  };
  options.on_leave_asked = write_to(events.leave);
  options.on_drained = write_to(events.now);

  auto worker = Worker::Start(std::move(options));
  if (!worker.ok()) {
    LogError("worker", "cannot start", worker.status());
    return kExitFailed;
  }
  RunUntilEnd(**worker, events, config.drain_patience_micros);
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
