#include "worker/service/control_client.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <utility>

#include "common/base/status.h"
#include "common/base/version.h"
#include "common/logging/log.h"
#include "millrace/v1/control.pb.h"
#include "worker/service/control_session.h"

namespace millrace {
namespace {

constexpr int64_t kFirstRetryMicros = 100'000;
constexpr int64_t kLastRetryMicros = 2'000'000;
// For the coordinator's answer to the hello.
constexpr int64_t kWelcomeTimeoutMicros = 10'000'000;

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

v1::WorkerHello ControlClient::Hello() const {
  v1::WorkerHello hello;
  hello.set_version(kVersion);
  hello.set_name(options_.name);
  hello.set_slots(options_.slots);
  hello.set_data_address(options_.data_address);
  hello.set_incarnation(incarnation_);
  hello.set_pid(static_cast<uint64_t>(getpid()));
  return hello;
}

void ControlClient::RunThread() {
  int64_t retry_micros = kFirstRetryMicros;
  while (!stopping()) {
    registered_ = false;
    const absl::Status end = RunSession();
    attempts_.Disconnect();
    if (stopping()) return;
    const SqlState state = GetErrorDetail(end).state;
    if (!registered_ && state == SqlState::kObjectNotInPrerequisiteState) {
      LogError("control", "the coordinator refuses this worker", end);
      options_.on_refused(end);
      return;
    }
    if (registered_) {
      retry_micros = kFirstRetryMicros;
      LogError("control", "lost the coordinator; connecting again", end);
    }
    MutexLock lock(mutex_);
    if (!stopping_) changed_.WaitFor(mutex_, std::chrono::microseconds(retry_micros));
    retry_micros = std::min(2 * retry_micros, kLastRetryMicros);
  }
}

absl::Status ControlClient::RunSession() {
  const std::shared_ptr<ControlSession> session =
      ControlSession::Open(options_.coordinator, Hello());
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
    } else if (event.message.has_value() && event.message->has_welcome()) {
      const v1::WorkerWelcome& welcome = event.message->welcome();
      registered_ = true;
      interval_micros = int64_t{welcome.heartbeat_interval_ms()} * 1000;
      next_heartbeat_micros = clock_.MonotonicMicros() + interval_micros;
      attempts_.Connect(welcome.worker_id(), session);
      options_.on_registered(welcome.worker_id());
    } else if (event.message.has_value() && registered_) {
      attempts_.Handle(*std::move(event.message));
    }
    if (clock_.MonotonicMicros() < next_heartbeat_micros || !end.ok()) continue;
    if (registered_) {
      SendHeartbeat(*session);
    } else {
      end = MakeError(SqlState::kConnectionFailure, "the coordinator does not answer");
    }
    next_heartbeat_micros = clock_.MonotonicMicros() + interval_micros;
  }
  session->Close();
  MutexLock lock(mutex_);
  session_ = nullptr;
  return end;
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
