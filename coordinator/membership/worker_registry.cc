#include "coordinator/membership/worker_registry.h"

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

// A loss is nobody's fault, and doing the same again can help.
absl::Status WorkerLost(absl::string_view what) {
  ErrorDetail detail;
  detail.state = SqlState::kConnectionFailure;
  detail.blame = Blame::kExternal;
  detail.retry = Retry::kSafe;
  return MakeError(detail, what);
}

}  // namespace

WorkerRegistry::WorkerRegistry(const Clock& clock, MembershipOptions options,
                               IdAllocator& worker_ids, std::string cluster_id, std::string version)
    : clock_(clock),
      options_(options),
      worker_ids_(worker_ids),
      cluster_id_(std::move(cluster_id)),
      version_(std::move(version)) {}

Moment WorkerRegistry::Now() const { return {clock_.MonotonicMicros(), clock_.WallMicros()}; }

void WorkerRegistry::SetListener(WorkerListener* listener) {
  MutexLock lock(mutex_);
  listener_ = listener;
}

absl::StatusOr<WorkerId> WorkerRegistry::Join(const v1::WorkerHello& hello,
                                              std::shared_ptr<WorkerLink> link) {
  MR_RETURN_IF_ERROR(CheckHello(hello, version_));
  MR_ASSIGN_OR_RETURN(const uint64_t number, worker_ids_.Next());
  const WorkerId id(static_cast<uint32_t>(number));
  v1::CoordinatorMessage message;
  v1::WorkerWelcome& welcome = *message.mutable_welcome();
  welcome.set_worker_id(id.value());
  welcome.set_heartbeat_interval_ms(
      static_cast<uint32_t>(options_.heartbeat_interval_micros / 1000));
  welcome.set_heartbeat_timeout_ms(static_cast<uint32_t>(options_.heartbeat_timeout_micros / 1000));
  welcome.set_cluster_id(cluster_id_);
  std::vector<WorkerId> replaced;
  WorkerListener* listener = nullptr;
  {
    MutexLock lock(mutex_);
    replaced = state_.Join(id, hello, Now());
    link->Send(std::move(message));
    links_[id] = std::move(link);
    listener = listener_;
    joined_.NotifyAll();
  }
  Lose(replaced, WorkerLost(absl::StrCat("worker ", hello.name(), " has reconnected")),
       LogLevel::kWarning);
  if (listener != nullptr) listener->OnWorkerJoined(id);
  return id;
}

void WorkerRegistry::Receive(WorkerId worker, const v1::WorkerMessage& message) {
  WorkerListener* listener = nullptr;
  {
    MutexLock lock(mutex_);
    if (!links_.contains(worker)) {
      // Fenced; what it still says is void (I6).
      ++stale_messages_;
      return;
    }
    if (message.has_heartbeat()) {
      state_.ApplyHeartbeat(worker, message.heartbeat(), Now());
    } else {
      state_.Heard(worker, Now());
    }
    if (message.has_leaving()) state_.BeginDraining(worker);
    listener = listener_;
  }
  if (listener != nullptr) listener->OnWorkerMessage(worker, message);
}

void WorkerRegistry::Disconnect(WorkerId worker, const absl::Status& reason) {
  bool has_left = false;
  {
    MutexLock lock(mutex_);
    has_left = state_.WasLetGo(worker);
    const std::string why =
        has_left ? "has left" : absl::StrCat("connection lost: ", reason.message());
    if (!state_.Lose(worker, why)) return;
  }
  if (has_left) {
    return Lose({worker}, WorkerLost(absl::StrCat("worker ", worker.value(), " has left")),
                LogLevel::kInfo);
  }
  Lose({worker},
       WorkerLost(
           absl::StrCat("connection to worker ", worker.value(), " was lost: ", reason.message())),
       LogLevel::kWarning);
}

void WorkerRegistry::ExpireSilent() {
  std::vector<WorkerId> expired;
  {
    MutexLock lock(mutex_);
    expired = state_.Expire(Now(), options_.heartbeat_timeout_micros);
  }
  for (WorkerId worker : expired) {
    Lose({worker},
         WorkerLost(absl::StrCat("worker ", worker.value(), " was silent for more than ",
                                 options_.heartbeat_timeout_micros / 1000, " ms")),
         LogLevel::kWarning);
  }
}

// The workers are out of state_ already; this takes their links and tells the listener.
void WorkerRegistry::Lose(const std::vector<WorkerId>& workers, const absl::Status& reason,
                          LogLevel level) {
  for (WorkerId worker : workers) {
    std::shared_ptr<WorkerLink> link;
    WorkerListener* listener = nullptr;
    {
      MutexLock lock(mutex_);
      auto it = links_.find(worker);
      if (it == links_.end()) continue;
      link = std::move(it->second);
      links_.erase(it);
      listener = listener_;
    }
    Log(level, "membership", reason.message(), {{"worker", worker.value()}});
    link->Close(reason);
    if (listener != nullptr) listener->OnWorkerLost(worker, reason);
  }
}

void WorkerRegistry::CloseAll(const absl::Status& reason) {
  std::vector<std::shared_ptr<WorkerLink>> links;
  {
    MutexLock lock(mutex_);
    for (auto& [id, link] : links_) links.push_back(link);
  }
  for (const auto& link : links) link->Close(reason);
}

bool WorkerRegistry::Send(WorkerId worker, v1::CoordinatorMessage message) {
  std::shared_ptr<WorkerLink> link;
  {
    MutexLock lock(mutex_);
    auto it = links_.find(worker);
    if (it == links_.end()) return false;
    link = it->second;
  }
  link->Send(std::move(message));
  return true;
}

void WorkerRegistry::BeginDraining(WorkerId worker) {
  MutexLock lock(mutex_);
  state_.BeginDraining(worker);
}

void WorkerRegistry::LetGo(WorkerId worker) {
  MutexLock lock(mutex_);
  state_.LetGo(worker);
}

absl::StatusOr<WorkerId> WorkerRegistry::Find(absl::string_view id_or_name) const {
  MutexLock lock(mutex_);
  return state_.Find(id_or_name);
}

uint64_t WorkerRegistry::stale_messages() const {
  MutexLock lock(mutex_);
  return stale_messages_;
}

bool WorkerRegistry::has_active() const {
  MutexLock lock(mutex_);
  return state_.has_active();
}

std::vector<WorkerEntry> WorkerRegistry::Active() const {
  MutexLock lock(mutex_);
  return state_.Active();
}

std::vector<WorkerEntry> WorkerRegistry::Connected() const {
  MutexLock lock(mutex_);
  return state_.Connected();
}

void WorkerRegistry::AwaitActive(std::chrono::microseconds at_most) const {
  MutexLock lock(mutex_);
  if (!state_.has_active()) joined_.WaitFor(mutex_, at_most);
}

std::vector<WorkerEntry> WorkerRegistry::All() const {
  MutexLock lock(mutex_);
  return state_.All();
}

}  // namespace millrace
