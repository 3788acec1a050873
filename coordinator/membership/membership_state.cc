#include "coordinator/membership/membership_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

absl::Status CheckHello(const v1::WorkerHello& hello, absl::string_view coordinator_version) {
  if (hello.version() != coordinator_version) {
    return MakeError(SqlState::kObjectNotInPrerequisiteState,
                     absl::StrCat("worker has version ", hello.version(), ", the coordinator has ",
                                  coordinator_version),
                     "start the worker from the same release as the coordinator");
  }
  if (hello.slots() == 0) {
    return MakeError(SqlState::kObjectNotInPrerequisiteState, "worker offers no slots",
                     "start it with --slots 1 or more");
  }
  if (hello.data_address().empty()) {
    return MakeError(SqlState::kObjectNotInPrerequisiteState, "worker names no data address");
  }
  return absl::OkStatus();
}

std::vector<WorkerId> MembershipState::Join(WorkerId id, const v1::WorkerHello& hello, Moment now) {
  MR_CHECK(!workers_.contains(id));
  std::vector<WorkerId> replaced;
  for (const auto& [other_id, other] : workers_) {
    if (other.phase == WorkerPhase::kLost || other.incarnation != hello.incarnation()) continue;
    replaced.push_back(other_id);
  }
  for (WorkerId other : replaced) Lose(other, "it has reconnected, under another id");
  WorkerEntry entry;
  entry.id = id;
  entry.name = hello.name();
  entry.version = hello.version();
  entry.data_address = hello.data_address();
  entry.incarnation = hello.incarnation();
  entry.pid = hello.pid();
  entry.slots = hello.slots();
  entry.joined_wall_micros = now.wall_micros;
  entry.last_heartbeat_wall_micros = now.wall_micros;
  entry.last_heard_monotonic_micros = now.monotonic_micros;
  workers_[id] = std::move(entry);
  ForgetOldLosses();
  return replaced;
}

void MembershipState::Heard(WorkerId id, Moment now) {
  auto it = workers_.find(id);
  if (it != workers_.end()) it->second.last_heard_monotonic_micros = now.monotonic_micros;
}

void MembershipState::ApplyHeartbeat(WorkerId id, const v1::Heartbeat& heartbeat, Moment now) {
  Heard(id, now);
  auto it = workers_.find(id);
  if (it == workers_.end()) return;
  WorkerEntry& entry = it->second;
  entry.rss_bytes = heartbeat.rss_bytes();
  entry.cpu_micros = heartbeat.cpu_micros();
  entry.memory_used_bytes = heartbeat.memory_used_bytes();
  entry.memory_bytes_max = heartbeat.memory_bytes_max();
  entry.disk_free_bytes = heartbeat.disk_free_bytes();
  entry.state_sizes.clear();
  for (const v1::JobStateSize& size : heartbeat.state_sizes()) {
    entry.state_sizes.push_back(
        {size.job_id(), size.attempt(), size.memory_bytes(), size.disk_bytes()});
  }
  entry.last_heartbeat_wall_micros = now.wall_micros;
  entry.running_tasks = static_cast<uint32_t>(
      std::count_if(heartbeat.tasks().begin(), heartbeat.tasks().end(),
                    [](const auto& task) { return task.state() == v1::TASK_STATE_RUNNING; }));
}

bool MembershipState::Lose(WorkerId id, absl::string_view reason) {
  auto it = workers_.find(id);
  if (it == workers_.end() || it->second.phase == WorkerPhase::kLost) return false;
  WorkerEntry& entry = it->second;
  entry.phase = WorkerPhase::kLost;
  entry.lost_reason = std::string(reason);
  entry.running_tasks = 0;
  entry.memory_used_bytes = 0;
  entry.state_sizes.clear();
  ForgetOldLosses();
  return true;
}

std::vector<WorkerId> MembershipState::Expire(Moment now, int64_t timeout_micros) {
  std::vector<WorkerId> expired;
  const int64_t asked_before = std::exchange(expiry_monotonic_micros_, now.monotonic_micros);
  if (asked_before != 0 && now.monotonic_micros - asked_before > timeout_micros / 2) {
    for (auto& [id, worker] : workers_) worker.last_heard_monotonic_micros = now.monotonic_micros;
  }
  for (auto& [id, worker] : workers_) {
    if (worker.phase == WorkerPhase::kLost) continue;
    if (now.monotonic_micros - worker.last_heard_monotonic_micros > timeout_micros) {
      expired.push_back(id);
    }
  }
  const std::string reason = absl::StrCat("silent for more than ", timeout_micros / 1000, " ms");
  for (WorkerId id : expired) Lose(id, reason);
  return expired;
}

void MembershipState::BeginDraining(WorkerId id) {
  auto it = workers_.find(id);
  if (it == workers_.end() || it->second.phase != WorkerPhase::kActive) return;
  it->second.phase = WorkerPhase::kDraining;
}

void MembershipState::LetGo(WorkerId id) {
  auto it = workers_.find(id);
  if (it != workers_.end()) it->second.let_go = true;
}

bool MembershipState::WasLetGo(WorkerId id) const {
  auto it = workers_.find(id);
  return it != workers_.end() && it->second.let_go;
}

absl::StatusOr<WorkerId> MembershipState::Find(absl::string_view id_or_name) const {
  uint32_t number = 0;
  const auto by_id =
      absl::SimpleAtoi(id_or_name, &number) ? workers_.find(WorkerId(number)) : workers_.end();
  if (by_id != workers_.end()) {
    if (by_id->second.phase != WorkerPhase::kLost) return by_id->first;
    return MakeError(SqlState::kObjectNotInPrerequisiteState,
                     absl::StrCat("worker ", id_or_name, " is lost"));
  }
  std::vector<std::string> ids;
  for (const auto& [id, worker] : workers_) {
    if (worker.phase != WorkerPhase::kLost && worker.name == id_or_name) {
      ids.push_back(id.ToString());
    }
  }
  if (ids.empty()) {
    return MakeError(SqlState::kUndefinedObject,
                     absl::StrCat("worker \"", id_or_name, "\" does not exist"),
                     "millrace worker list shows ids and names");
  }
  if (ids.size() == 1) return WorkerId(static_cast<uint32_t>(std::stoul(ids[0])));
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat(ids.size(), " workers are called \"", id_or_name, "\""),
                   absl::StrCat("name one by its id: ", absl::StrJoin(ids, ", ")));
}

bool MembershipState::IsActive(WorkerId id) const {
  auto it = workers_.find(id);
  return it != workers_.end() && it->second.phase == WorkerPhase::kActive;
}

bool MembershipState::has_active() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const auto& entry) { return entry.second.phase == WorkerPhase::kActive; });
}

std::vector<WorkerEntry> MembershipState::Active() const {
  std::vector<WorkerEntry> active;
  for (const auto& [id, worker] : workers_) {
    if (worker.phase == WorkerPhase::kActive) active.push_back(worker);
  }
  return active;
}

std::vector<WorkerEntry> MembershipState::Connected() const {
  std::vector<WorkerEntry> connected;
  for (const auto& [id, worker] : workers_) {
    if (worker.phase != WorkerPhase::kLost) connected.push_back(worker);
  }
  return connected;
}

std::vector<WorkerEntry> MembershipState::All() const {
  std::vector<WorkerEntry> all;
  for (const auto& [id, worker] : workers_) all.push_back(worker);
  return all;
}

void MembershipState::ForgetOldLosses() {
  size_t lost = 0;
  for (auto it = workers_.rbegin(); it != workers_.rend(); ++it) {
    lost += it->second.phase == WorkerPhase::kLost ? 1 : 0;
  }
  for (auto it = workers_.begin(); it != workers_.end() && lost > kLostKept;) {
    if (it->second.phase != WorkerPhase::kLost) {
      ++it;
      continue;
    }
    it = workers_.erase(it);
    --lost;
  }
}

}  // namespace millrace
