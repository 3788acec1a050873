#include "worker/service/control_client.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/version.h"
#include "common/config/process_config.h"
#include "common/logging/log.h"
#include "common/logging/log_pace.h"
#include "common/net/local_address.h"
#include "millrace/v1/control.pb.h"
#include "worker/service/control_session.h"
#include "worker/service/storage_proof.h"

namespace millrace {
namespace {

constexpr int64_t kFirstRetryMicros = 100'000;
constexpr int64_t kLastRetryMicros = 2'000'000;
// For the coordinator's answer to the hello.
constexpr int64_t kWelcomeTimeoutMicros = 10'000'000;
// Between lines about a coordinator that cannot be reached.
constexpr int64_t kUnreachableLogMicros = 60'000'000;

uint64_t RandomIncarnation() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

uint64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  unsigned long total = 0;
  unsigned long resident = 0;
  const int fields = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return fields == 2 ? uint64_t{resident} * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

uint64_t CpuMicros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000 + static_cast<uint64_t>(t.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

// `data_address`, or where it names all addresses of the machine, the one on the way to the
// coordinator.
absl::StatusOr<std::string> ReachableAddress(const std::string& data_address,
                                             const std::string& coordinator) {
  MR_ASSIGN_OR_RETURN(const HostPort own, ParseHostPort(data_address));
  if (!IsAnyHost(own.host)) return data_address;
  MR_ASSIGN_OR_RETURN(const HostPort peer, ParseHostPort(coordinator));
  MR_ASSIGN_OR_RETURN(const std::string host, LocalAddressTowards(peer.host, peer.port));
  return JoinHostPort(host, own.port);
}

// `told` is the ReachableAddress of `data_address`.
void WarnOfLoopback(const std::string& data_address, const std::string& told) {
  const auto own = ParseHostPort(data_address);
  const auto reachable = ParseHostPort(told);
  if (!own.ok() || !IsAnyHost(own->host)) return;
  if (!reachable.ok() || !IsLoopbackHost(reachable->host)) return;
  Log(LogLevel::kWarning, "control",
      "workers on other machines cannot reach this one: the coordinator's address is a loopback "
      "one; name it by another, or set advertise");
}

void LogUnreachable(const std::string& coordinator, const absl::Status& cause) {
  const ErrorDetail detail = GetErrorDetail(cause);
  const std::string message =
      absl::StrCat("cannot join the coordinator at ", coordinator, "; trying again");
  if (detail.hint.empty()) {
    Log(LogLevel::kWarning, "control", message, {{"error", cause.message()}});
  } else {
    Log(LogLevel::kWarning, "control", message,
        {{"error", cause.message()}, {"hint", detail.hint}});
  }
}

}  // namespace

ControlClient::ControlClient(ControlClientOptions options, AttemptManager& attempts,
                             const Clock& clock)
    : options_(std::move(options)),
      attempts_(attempts),
      clock_(clock),
      incarnation_(RandomIncarnation()),
      thread_([this] { RunThread(); }) {}

ControlClient::~ControlClient() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
    if (session_ != nullptr) session_->Interrupt();
  }
  thread_.join();
}

bool ControlClient::stopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

absl::StatusOr<v1::WorkerHello> ControlClient::Hello() const {
  MR_ASSIGN_OR_RETURN(std::string address,
                      ReachableAddress(options_.data_address, options_.coordinator));
  v1::WorkerHello hello;
  hello.set_version(kVersion);
  hello.set_name(options_.name);
  hello.set_slots(options_.slots);
  hello.set_data_address(std::move(address));
  hello.set_incarnation(incarnation_);
  hello.set_pid(static_cast<uint64_t>(getpid()));
  return hello;
}

bool ControlClient::leaving() const {
  MutexLock lock(mutex_);
  return leaving_;
}

bool ControlClient::registered() const {
  MutexLock lock(mutex_);
  return registered_;
}

void ControlClient::Leave(int64_t patience_micros) {
  std::shared_ptr<ControlSession> session;
  {
    MutexLock lock(mutex_);
    leaving_ = true;
    if (registered_) session = session_;
    changed_.NotifyAll();
  }
  if (session == nullptr) return options_.on_alone();
  v1::WorkerMessage message;
  message.mutable_leaving()->set_patience_ms(static_cast<uint64_t>(patience_micros / 1000));
  session->Send(std::move(message));
}

void ControlClient::RunThread() {
  int64_t retry_micros = kFirstRetryMicros;
  LogPace unreachable(kUnreachableLogMicros);
  while (!stopping()) {
    const absl::Status end = RunSession();
    bool was_registered = false;
    {
      MutexLock lock(mutex_);
      session_ = nullptr;
      was_registered = std::exchange(registered_, false);
    }
    if (was_registered) options_.on_lost();
    attempts_.Disconnect();
    if (stopping()) return;
    if (leaving()) return options_.on_alone();
    const SqlState state = GetErrorDetail(end).state;
    if (!was_registered && state == SqlState::kObjectNotInPrerequisiteState) {
      LogError("control", "the coordinator refuses this worker", end);
      options_.on_refused(end);
      return;
    }
    if (was_registered) {
      retry_micros = kFirstRetryMicros;
      LogError("control", "lost the coordinator; connecting again", end);
      unreachable.Reset();
    } else if (unreachable.Due(clock_.MonotonicMicros())) {
      LogUnreachable(options_.coordinator, end);
    }
    MutexLock lock(mutex_);
    if (!stopping_ && !leaving_) {
      changed_.WaitFor(mutex_, std::chrono::microseconds(retry_micros));
    }
    retry_micros = std::min(2 * retry_micros, kLastRetryMicros);
  }
}

absl::Status ControlClient::RunSession() {
  MR_ASSIGN_OR_RETURN(const v1::WorkerHello hello, Hello());
  const std::shared_ptr<ControlSession> session = ControlSession::Open(options_.coordinator, hello);
  {
    MutexLock lock(mutex_);
    session_ = session;
    if (stopping_) session->Interrupt();
  }
  int64_t interval_micros = kWelcomeTimeoutMicros;
  int64_t next_heartbeat_micros = clock_.MonotonicMicros() + interval_micros;
  absl::Status end;
  while (end.ok() && !stopping()) {
    const int64_t wait_micros = next_heartbeat_micros - clock_.MonotonicMicros();
    ControlSession::Event event = session->Receive(std::max<int64_t>(0, wait_micros));
    if (event.end.has_value()) {
      end = *event.end;
    } else if (event.message.has_value()) {
      const int64_t before_micros = interval_micros;
      Handle(*std::move(event.message), hello, session, &interval_micros);
      if (interval_micros != before_micros) {
        next_heartbeat_micros = clock_.MonotonicMicros() + interval_micros;
      }
    }
    if (clock_.MonotonicMicros() < next_heartbeat_micros || !end.ok()) continue;
    if (registered()) {
      SendHeartbeat(*session);
    } else {
      end = MakeError(SqlState::kConnectionFailure, "the coordinator does not answer");
    }
    next_heartbeat_micros = clock_.MonotonicMicros() + interval_micros;
  }
  session->Close();
  return end;
}

void ControlClient::Handle(v1::CoordinatorMessage message, const v1::WorkerHello& hello,
                           const std::shared_ptr<ControlSession>& session,
                           int64_t* interval_micros) {
  if (message.has_welcome()) {
    const v1::WorkerWelcome& welcome = message.welcome();
    *interval_micros = int64_t{welcome.heartbeat_interval_ms()} * 1000;
    attempts_.Connect(welcome.worker_id(), session);
    {
      MutexLock lock(mutex_);
      registered_ = true;
    }
    WarnOfLoopback(options_.data_address, hello.data_address());
    options_.on_registered(welcome.worker_id(), hello.data_address());
  } else if (message.has_storage_challenge()) {
    v1::WorkerMessage proof;
    *proof.mutable_storage_proof() =
        ProveStorage(message.storage_challenge(), absl::StrCat(incarnation_));
    attempts_.OnStorageProved(proof.storage_proof());
    session->Send(std::move(proof));
  } else if (message.has_drain() && !leaving()) {
    options_.on_leave_asked();
  } else if (registered()) {
    attempts_.Handle(std::move(message));
  }
}

void ControlClient::SendHeartbeat(ControlSession& session) {
  v1::WorkerMessage message;
  v1::Heartbeat* heartbeat = message.mutable_heartbeat();
  heartbeat->set_rss_bytes(ResidentBytes());
  heartbeat->set_cpu_micros(CpuMicros());
  attempts_.FillHeartbeat(heartbeat);
  session.Send(std::move(message));
}

}  // namespace millrace
