#include "coordinator/job/worker_drain.h"

#include "common/base/status.h"
#include "common/logging/log.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

v1::CoordinatorMessage DrainMessage() {
  v1::CoordinatorMessage message;
  message.mutable_drain();
  return message;
}

}  // namespace

absl::Status WorkerDrain::Ask(absl::string_view worker) {
  MR_ASSIGN_OR_RETURN(const WorkerId id, registry_.Find(worker));
  MutexLock lock(mutex_);
  if (!stages_.try_emplace(id, Stage::kAsked).second) return absl::OkStatus();
  // No new tasks from now on, although the worker has not heard of it yet.
  registry_.BeginDraining(id);
  registry_.Send(id, DrainMessage());
  return absl::OkStatus();
}

void WorkerDrain::OnWorkerLeaving(WorkerId worker) {
  Log(LogLevel::kInfo, "membership", "worker wants to leave", {{"worker", worker.value()}});
  MutexLock lock(mutex_);
  stages_[worker] = Stage::kLeaving;
}

void WorkerDrain::OnWorkerLost(WorkerId worker) {
  MutexLock lock(mutex_);
  stages_.erase(worker);
}

void WorkerDrain::Tick() {
  MutexLock lock(mutex_);
  for (auto& [worker, stage] : stages_) {
    if (stage != Stage::kLeaving || runs_.Uses(worker)) continue;
    stage = Stage::kLetGo;
    registry_.LetGo(worker);
    registry_.Send(worker, DrainMessage());
  }
}

}  // namespace millrace
