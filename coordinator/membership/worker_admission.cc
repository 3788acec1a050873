#include "coordinator/membership/worker_admission.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

WorkerAdmission::WorkerAdmission(const Clock& clock, WorkerRegistry& registry,
                                 std::vector<SharedStorage> folders, std::string version)
    : clock_(clock),
      registry_(registry),
      folders_(std::move(folders)),
      version_(std::move(version)) {}

absl::StatusOr<uint64_t> WorkerAdmission::Open(std::shared_ptr<WorkerLink> link) {
  MutexLock lock(mutex_);
  if (waiting_.size() >= kConnectionsMax) {
    return MakeError(SqlState::kInsufficientResources,
                     absl::StrCat(kConnectionsMax, " connections are waiting to join already"));
  }
  const uint64_t connection = ++last_connection_;
  waiting_.emplace(connection, Waiting{std::move(link), WorkerHandshake(folders_, version_),
                                       clock_.MonotonicMicros() + kTimeoutMicros});
  return connection;
}

absl::StatusOr<std::optional<WorkerId>> WorkerAdmission::Receive(uint64_t connection,
                                                                 const v1::WorkerMessage& message) {
  std::shared_ptr<WorkerLink> link;
  v1::WorkerHello hello;
  {
    MutexLock lock(mutex_);
    const auto it = waiting_.find(connection);
    if (it == waiting_.end()) {
      return MakeError(SqlState::kConnectionFailure, "the connection was closed");
    }
    const absl::StatusOr<WorkerHandshake::Step> step = it->second.handshake.OnMessage(message);
    if (step.ok() && *step == WorkerHandshake::Step::kChallenge) {
      v1::CoordinatorMessage challenge;
      *challenge.mutable_storage_challenge() = ChallengeOf(folders_);
      it->second.link->Send(std::move(challenge));
      return std::nullopt;
    }
    hello = it->second.handshake.hello();
    link = std::move(it->second.link);
    waiting_.erase(it);
    MR_RETURN_IF_ERROR(step.status());
  }
  MR_ASSIGN_OR_RETURN(const WorkerId worker, registry_.Join(hello, std::move(link)));
  return worker;
}

void WorkerAdmission::Forget(uint64_t connection) {
  MutexLock lock(mutex_);
  waiting_.erase(connection);
}

void WorkerAdmission::ExpireSilent() {
  std::vector<std::shared_ptr<WorkerLink>> expired;
  {
    MutexLock lock(mutex_);
    const int64_t now = clock_.MonotonicMicros();
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (now < it->second.deadline_micros) {
        ++it;
        continue;
      }
      expired.push_back(std::move(it->second.link));
      it = waiting_.erase(it);
    }
  }
  const absl::Status reason = MakeError(
      SqlState::kConnectionFailure,
      absl::StrCat("the connection has not joined within ", kTimeoutMicros / 1'000'000, " s"));
  for (const auto& link : expired) link->Close(reason);
}

void WorkerAdmission::CloseAll(const absl::Status& reason) {
  std::map<uint64_t, Waiting> waiting;
  {
    MutexLock lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& [connection, entry] : waiting) entry.link->Close(reason);
}

}  // namespace millrace
